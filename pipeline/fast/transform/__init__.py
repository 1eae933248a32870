"""TFX's Transform inside its own step: TFT's tracing, analyzers and model over large Arrow batches, without Beam."""
