"""TFMA's metrics, computed from arrays of labels and predictions instead of row by row.

TFMA decides what to compute for an EvalConfig, how a metric follows from an accumulator, what slices are called, what
breaks a threshold and how results are written. This package only fills the accumulators, with NumPy and all rows of a
slice at once. At run time it compares each fast way with TFMA's own code on a sample of the rows. If they differ, or if
there is no fast way, TFMA's code computes the metric row by row.
"""
