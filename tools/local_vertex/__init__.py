"""Runs a pipeline that was compiled for Vertex AI step by step on this machine, and compares what it leaves.

It stands in for the service: `launcher` runs the tasks, `store` is the metadata, `containers` runs one step's image.
"""
