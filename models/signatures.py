"""Names of every model's signatures; export.py describes them. Plain data."""

EXAMPLES_SIGNATURE = "serving_default"
TENSORS_SIGNATURE = "predict"
TRANSFORM_SIGNATURE = "transform_features"
OUTPUT = "probability"
