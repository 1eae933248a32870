"""The Keras family: a small batch ensemble of networks."""
