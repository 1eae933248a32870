"""Training in TFX's steps: the shared run_fn and tuner_fn, and the Trainer as a Vertex AI job."""
