"""Whether the data is fit to train on: anomalies, and the comparison with the champion's training data."""
