"""Computes metrics of all rows and of slices with NumPy alone: the floor's evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def by_slice(label: np.ndarray, predicted: np.ndarray, codes: Sequence[np.ndarray]) -> list[dict[str, float]]:
    """Metrics of all rows, then of each value of each code.

    Args:
        label: 0 or 1, `[rows]`.
        predicted: probabilities, `[rows]`.
        codes: integer codes `[rows]`, one array per sliced feature.
    """
    found = [metrics(label, predicted)]
    for code in codes:
        for value in np.unique(code):
            chosen = code == value
            found.append(metrics(label[chosen], predicted[chosen]))
    return found


def metrics(label: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Rows, ROC AUC, average precision, log loss, Brier score and calibration; NaN where there is only one class."""
    label, predicted = label.astype(np.float64), predicted.astype(np.float64)
    positives, rows = label.sum(), len(label)
    descending = np.argsort(-predicted, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(predicted[descending])), rows - 1)  # the last row of each threshold
    true, chosen = np.cumsum(label[descending])[ends], ends + 1
    both = 0 < positives < rows
    clipped = np.clip(predicted, 1e-7, 1 - 1e-7)
    hits, alarms = np.append(0.0, true), np.append(0.0, chosen - true)
    return {
        "rows": rows,
        "roc_auc": _area(alarms, hits) / (positives * (rows - positives)) if both else float("nan"),
        "pr_auc": float(np.sum(np.diff(hits) * true / chosen) / positives) if both else float("nan"),
        "log_loss": float(-np.mean(np.where(label > 0, np.log(clipped), np.log1p(-clipped)))),
        "brier": float(np.mean((predicted - label) ** 2)),
        "calibration": float(predicted.sum() / positives) if positives else float("nan"),
    }


def _area(x: np.ndarray, y: np.ndarray) -> float:
    """Under the line through the points, by trapezoids."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)
