"""Fills TFMA's accumulators with all rows of a slice at once.

The functions are listed by the class name of TFMA's combiner, which is how TFMA tells computations apart. Each function
replaces the combiner with default settings. A comparison with TFMA's own code shows whether a computation has them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.fast.compat import calibration_histogram

# (empty accumulator, label int64 [rows], prediction float32 [rows]) -> filled accumulator
Fill = Callable[[Any, np.ndarray, np.ndarray], Any]


def fill_histogram(
    accumulator: dict[int, calibration_histogram.Bucket], label: np.ndarray, prediction: np.ndarray
) -> dict[int, calibration_histogram.Bucket]:
    """Adds labels, predictions and examples by bucket of the prediction; there is one more bucket at each end."""
    predicted = prediction.astype(np.float64)
    count = calibration_histogram.DEFAULT_NUM_BUCKETS
    bucket = np.clip(predicted * count + 1, 0, count + 1).astype(np.int64)
    examples = np.bincount(bucket)
    used = np.flatnonzero(examples)
    sums = (np.bincount(bucket, label), np.bincount(bucket, predicted), examples.astype(np.float64))
    for found in zip(used.tolist(), *(values[used].tolist() for values in sums), strict=True):
        accumulator[found[0]] = calibration_histogram.Bucket(*found)
    return accumulator


def fill_cross_entropy(accumulator: Any, label: np.ndarray, prediction: np.ndarray) -> Any:
    """Adds the cross entropy, with float32 logarithms as in TFMA; NaN or infinite for predictions of exactly 0 or 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -(label * np.log(prediction)) - (1 - label) * np.log(1 - prediction)
    accumulator.total_cross_entropy += float(entropy.sum(dtype=np.float64))
    accumulator.total_example_weights += float(len(label))
    return accumulator


def fill_squared_error(accumulator: Any, label: np.ndarray, prediction: np.ndarray) -> Any:
    """Adds the squared error."""
    accumulator.total_regression_error += float(np.square(label - prediction.astype(np.float64)).sum())
    accumulator.total_example_weights += float(len(label))
    return accumulator


def fill_sums(accumulator: Any, label: np.ndarray, prediction: np.ndarray) -> Any:
    """Adds the sums of labels, predictions and examples."""
    accumulator.total_weighted_labels += float(label.sum())
    accumulator.total_weighted_predictions += float(prediction.sum(dtype=np.float64))
    accumulator.total_weighted_examples += float(len(label))
    return accumulator


def fill_count(accumulator: float, label: np.ndarray, prediction: np.ndarray) -> float:
    """Adds the number of examples."""
    return accumulator + float(len(label))


FILLS: dict[str, Fill] = {
    "_CalibrationHistogramCombiner": fill_histogram,
    "_BinaryCrossEntropyCombiner": fill_cross_entropy,
    "_MeanSquaredErrorCombiner": fill_squared_error,
    "_WeightedLabelsPredictionsExamplesCombiner": fill_sums,
    "_ExampleCountCombiner": fill_count,
}
