"""The XGBoost family: boosted trees, exported as TensorFlow operations."""
