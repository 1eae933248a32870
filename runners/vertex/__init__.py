"""Vertex AI: settings, requests, responses, and the status of runs."""
