"""Vertex AI: its settings, the requests to it, and what it answers."""
