"""TFDV statistics without a Beam pipeline."""
