"""Names of the signatures that every model has; see export.py for what they take. Plain data."""

EXAMPLES_SIGNATURE = "serving_default"
TENSORS_SIGNATURE = "predict"
TRANSFORM_SIGNATURE = "transform_features"
OUTPUT = "probability"
