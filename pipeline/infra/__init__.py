"""Checks that a server can load a model and that it answers requests."""
