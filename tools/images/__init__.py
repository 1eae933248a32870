"""The container images, built and looked into on a machine without a Docker engine."""
