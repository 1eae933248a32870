"""The page that a run ends with, and the small page of a verdict."""
