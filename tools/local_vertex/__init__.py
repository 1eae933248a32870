"""Runs a job compiled for Vertex AI step by step on this machine, and compares its outputs.

It replaces the service: `launcher` runs the tasks, `store` is the metadata, `containers` runs one step's image.
"""
