"""Scoring the rows of a split with saved models."""
