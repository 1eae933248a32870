"""How models are trained in TFX's steps."""
