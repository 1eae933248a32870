"""Typed, validated, immutable settings."""
