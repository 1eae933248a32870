"""The reasons of scores: which features moved a score most, and their words."""
