"""Builds and checks the container images on a machine without a Docker engine."""
