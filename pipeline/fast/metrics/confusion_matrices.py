"""Computes TFMA's confusion matrices from a histogram of predictions, without loops over the thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.fast.compat import binary_confusion_matrices, calibration_histogram

_EPSILON = 1e-7  # turns "at least" of a histogram's buckets into "more than" of a confusion matrix, as in TFMA


def from_histogram(
    histogram: calibration_histogram.Histogram, thresholds: Sequence[float]
) -> binary_confusion_matrices.Matrices:
    """Computes the matrices at thresholds.

    Args:
        histogram: of predictions from 0 to 1, with TFMA's default number of buckets, without empty ones.
        thresholds: ascending.
    """
    given = np.asarray(thresholds, np.float64)
    edges = np.where(given == 0, 0, given + _EPSILON)
    first = 0
    if given[0] >= 0:
        edges, first = np.concatenate([[-_EPSILON], edges]), 1
    if given[-1] < 1:
        edges = np.append(edges, 1 + _EPSILON)
    positives, negatives = _between(edges, histogram)
    taken = slice(first, first + len(given))
    above = [np.cumsum(counts[::-1])[::-1][taken] for counts in (positives, negatives)]
    below = [(np.cumsum(counts) - counts)[taken] for counts in (positives, negatives)]
    for higher, lower in zip(above, below, strict=True):
        beyond = given >= 1 + _EPSILON
        lower[beyond] = higher[0]
        higher[beyond] = 0
    return binary_confusion_matrices.Matrices(
        thresholds=list(thresholds),
        tp=above[0].tolist(),
        tn=below[1].tolist(),
        fp=above[1].tolist(),
        fn=below[0].tolist(),
    )


def _between(edges: np.ndarray, histogram: calibration_histogram.Histogram) -> tuple[np.ndarray, np.ndarray]:
    """Positives and negatives, float64 `[edges]`, from each edge to the next; the first includes all below it."""
    count = calibration_histogram.DEFAULT_NUM_BUCKETS
    bucket = np.array([found.bucket_id for found in histogram], np.int64)
    labels = np.array([found.weighted_labels for found in histogram], np.float64)
    examples = np.array([found.weighted_examples for found in histogram], np.float64)
    start = (bucket - 1) / count
    start[bucket == 0] = -np.inf
    start[bucket > count] = np.inf
    place = np.clip(np.searchsorted(edges, start, side="right") - 1, 0, None)
    positives = np.bincount(place, labels, len(edges))
    return positives, np.bincount(place, examples - labels, len(edges))
