"""Curves of one model, with as many points as a plot can show."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sklearn_metrics

MAX_POINTS = 200
BINS = 10  # of the calibration plot

Curve = dict[str, list[float]]


def curves(label: np.ndarray, predicted: np.ndarray) -> dict[str, Curve]:
    """ROC, PR, gain and calibration curve.

    Args:
        label: `[rows]`, 0 or 1; both occur.
        predicted: `[rows]`, probabilities.

    Returns:
        `roc`: x false positive rate, y true positive rate. `pr`: x recall, y precision. `gain`: x share of rows,
        highest predictions first, y share of the positives among them. Each has at most MAX_POINTS points.
        `calibration`: mean `predicted`, `observed` share of positives and number of `rows` in each of up to BINS bins
        of about equally many rows.
    """
    false_positive_rate, true_positive_rate, _ = sklearn_metrics.roc_curve(label, predicted)
    precision, recall, _ = sklearn_metrics.precision_recall_curve(label, predicted)
    return {
        "roc": thinned(false_positive_rate, true_positive_rate),
        "pr": thinned(recall[::-1], precision[::-1]),
        "gain": thinned(*_gain(label, predicted)),
        "calibration": _calibration(label, predicted),
    }


def thinned(x: np.ndarray, y: np.ndarray, points: int = MAX_POINTS) -> Curve:
    """At most `points` of a curve's points, evenly spaced along it and including both ends."""
    if len(x) > points:
        travelled = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
        kept = np.searchsorted(travelled, np.linspace(0, travelled[-1], points))
        kept = np.unique(np.append(kept[1:-1], [0, len(x) - 1]))
        x, y = x[kept], y[kept]
    return {"x": x.tolist(), "y": y.tolist()}


def _gain(label: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of rows and of positives down to each distinct prediction."""
    order = np.argsort(-predicted, kind="stable")
    last = np.append(np.flatnonzero(np.diff(predicted[order])), len(label) - 1)
    share, gain = (last + 1) / len(label), np.cumsum(label[order], dtype=np.float64)[last] / np.sum(label)
    return np.concatenate([[0], share]), np.concatenate([[0], gain])


def _calibration(label: np.ndarray, predicted: np.ndarray) -> Curve:
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, predicted, side="right")  # equal predictions share a bin
    rows = np.bincount(bins)
    kept = rows > 0
    sums = (np.bincount(bins, values) for values in (predicted, label))
    mean_predicted, observed = (total[kept] / rows[kept] for total in sums)
    return {"predicted": mean_predicted.tolist(), "observed": observed.tolist(), "rows": rows[kept].tolist()}
