"""Checks before you spend money on Vertex AI. They change nothing and read no row."""
