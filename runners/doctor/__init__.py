"""Checks before money is spent on Vertex AI; nothing is changed, and no row is read."""
