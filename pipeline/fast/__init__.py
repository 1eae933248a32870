"""Batched executors behind TFX components; see README.md."""
