"""TFMA's metrics, computed from arrays of labels and predictions instead of row by row.

TFMA says what is computed (its computations for an EvalConfig), how a metric follows from an accumulator, what the
slices are called, what breaks a threshold, and how it is written. What is done here is filling the accumulators by
NumPy, all rows of a slice at once. Each such way is held against TFMA's own code on a sample of the rows at run time;
where they differ, or no fast way is known, TFMA's own code does it, row by row.
"""
