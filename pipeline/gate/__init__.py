"""Whether a challenger may replace the champion: metrics, intervals and the rule. NumPy and scikit-learn only."""
