"""Point metrics of predictions on labelled rows.

A share of rows, highest predictions first, is often not cut between two different predictions. The rows tied at the cut
then count by the fraction of them that fits in: each figure is its mean over all orders of the tied rows, and does not
depend on the order of rows in a file.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn import metrics as sklearn_metrics

from pipeline.gate import calibration

#: Percentages of the rows, highest predictions first, for which lift and gain are reported.
TOP_PERCENT = (1, 5, 10, 20)


@dataclasses.dataclass(frozen=True)
class Metric:
    """What is known of a metric.

    Attributes:
        title: as readers know it.
        higher_is_better: None where neither is: the best value lies between.
    """

    title: str
    higher_is_better: bool | None


METRICS = {
    "roc_auc": Metric("ROC AUC", True),
    "pr_auc": Metric("PR-AUC", True),
    "log_loss": Metric("log loss", False),
    "brier": Metric("Brier score", False),
    "calibration_slope": Metric("calibration slope", None),
    "calibration_intercept": Metric("calibration intercept", None),
    "observed_over_expected": Metric("observed over expected", None),
    **{f"lift_{percent}": Metric(f"lift at {percent} %", True) for percent in TOP_PERCENT},
    **{f"gain_{percent}": Metric(f"gain at {percent} %", True) for percent in TOP_PERCENT},
    "precision": Metric("precision at the operating point", True),
    "recall": Metric("recall at the operating point", True),
}


def point_metrics(label: np.ndarray, predicted: np.ndarray, operating_share: float) -> dict[str, float | None]:
    """All METRICS of one model.

    Args:
        label: `[rows]`, 0 or 1; at least one row.
        predicted: `[rows]` float64, probabilities.
        operating_share: the share of rows, highest predictions first, that precision and recall are of.

    Returns:
        A value for each of METRICS; None where it is not defined on these rows: with labels of one class only, or, for
        the calibration slope and intercept, with predictions that do not vary or that separate the classes.
    """
    positives = int(np.sum(label == 1))
    both = 0 < positives < len(label)
    line = calibration.fit(label, predicted) if both else None
    expected = float(predicted.sum())
    found: dict[str, float | None] = {
        "roc_auc": float(sklearn_metrics.roc_auc_score(label, predicted)) if both else None,
        "pr_auc": float(sklearn_metrics.average_precision_score(label, predicted)) if both else None,
        "log_loss": float(sklearn_metrics.log_loss(label, predicted, labels=[0, 1])),
        "brier": float(np.mean((predicted - label) ** 2)),
        "calibration_slope": line.slope if line else None,
        "calibration_intercept": line.intercept if line else None,
        "observed_over_expected": positives / expected if expected > 0 else None,
    }
    for percent in TOP_PERCENT:
        gain = _gain(label, predicted, percent / 100) if positives else None
        found[f"gain_{percent}"] = gain
        found[f"lift_{percent}"] = None if gain is None else gain / (percent / 100)
    recall = _gain(label, predicted, operating_share) if positives else None
    found["recall"] = recall
    found["precision"] = None if recall is None else recall * positives / (operating_share * len(label))
    return {name: found[name] for name in METRICS}


def selected(predicted: np.ndarray, share: float) -> np.ndarray:
    """By how much each row belongs to the top share.

    Args:
        predicted: `[rows]`.
        share: of rows, in (0, 1).

    Returns:
        `[rows]` float64 that sums to `share * rows`: 1 above the cut, 0 below it, and for rows tied at the cut the
        fraction of them that fits in.
    """
    wanted = share * len(predicted)
    cut = np.sort(predicted)[::-1][int(np.ceil(wanted)) - 1]
    above, tied = predicted > cut, predicted == cut
    return above + tied * ((wanted - above.sum()) / tied.sum())


def entropy(base_rate: float) -> float:
    """Log loss, in nats, of predicting the base rate for every row."""
    shares = np.array([base_rate, 1 - base_rate])
    return float(-np.sum(shares * np.log(np.where(shares > 0, shares, 1))))


def _gain(label: np.ndarray, predicted: np.ndarray, share: float) -> float:
    """The share of all positives that lies in the top share of rows."""
    return float(np.sum(selected(predicted, share) * label) / np.sum(label))
