"""The registry of metrics: what each one is called, which values are better, how it is shown and how it is computed.

To add a metric, add one entry to METRICS. If the entry has a `loss` or `ranked`, the metric can be compared between
models with intervals, and settings can choose by it. Settings import this module, so scikit-learn is imported on use.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.gate.metric import Metric, Scored

TOP_PERCENT = (1, 5, 10, 20)  #: Percent of the rows, highest predictions first, for which lift and gain are reported.


def log_losses(label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Each row's negative log likelihood in nats, `[rows]` float64; predictions are clipped as scikit-learn does."""
    tiny = np.finfo(np.float64).eps
    clipped = np.clip(predicted, tiny, 1 - tiny)
    return -np.log(np.where(label == 1, clipped, 1 - clipped))


def squared_errors(label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Each row's squared error, `[rows]` float64."""
    return (predicted - label) ** 2


def entropy(base_rate: float) -> float:
    """Log loss, in nats, of predicting the base rate for every row."""
    shares = np.array([base_rate, 1 - base_rate])
    return float(-np.sum(shares * np.log(np.where(shares > 0, shares, 1))))


def _roc_auc(scored: Scored) -> float | None:
    from sklearn import metrics  # four seconds that reading settings must not take

    return float(metrics.roc_auc_score(scored.label, scored.predicted)) if scored.both else None


def _average_precision(scored: Scored) -> float | None:
    from sklearn import metrics

    return float(metrics.average_precision_score(scored.label, scored.predicted)) if scored.both else None


def _observed_over_expected(scored: Scored) -> float | None:
    expected = float(scored.predicted.sum())
    return scored.positives / expected if expected > 0 else None


def _precision(scored: Scored) -> float | None:
    recall = scored.gain(scored.operating_share)
    return None if recall is None else recall * scored.positives / (scored.operating_share * len(scored.label))


def _lift(percent: int) -> Metric:
    def point(scored: Scored) -> float | None:
        found = scored.gain(percent / 100)
        return None if found is None else found / (percent / 100)

    meaning = f"How many times more positives the top {percent} % of the rows hold than as many random rows."
    return Metric(f"lift_{percent}", f"Lift at {percent} %", "higher", 2, meaning, "gain over the share of rows", point)


def _gain(percent: int) -> Metric:
    meaning = f"Share of all positives that the top {percent} % of the rows hold."
    return Metric(
        f"gain_{percent}",
        f"Gain at {percent} %",
        "higher",
        2,
        meaning,
        "top_share.py",
        lambda scored: scored.gain(percent / 100),
    )


_ENTRIES = (
    Metric(
        name="roc_auc",
        title="ROC AUC",
        better="higher",
        decimals=4,
        meaning="How often a random positive row ranks above a random negative row. Chance is 0.5.",
        source="scikit-learn roc_auc_score; interval: DeLong 1988, clustered by Obuchowski 1997",
        point=_roc_auc,
        ranked=lambda ranking, weights: ranking.roc_auc(weights),
        delong=True,
        tfma=("AUC", {"num_thresholds": 10_000}),
    ),
    Metric(
        name="pr_auc",
        title="PR-AUC (average precision)",
        better="higher",
        decimals=4,
        meaning="Mean precision over all recalls. Chance is the base rate. TFMA's pr_auc, the trapezoid area under the "
        "same curve, differs a little.",
        source="scikit-learn average_precision_score",
        point=_average_precision,
        ranked=lambda ranking, weights: ranking.pr_auc(weights),
        tfma=("AUCPrecisionRecall", {"num_thresholds": 10_000}),
    ),
    Metric(
        name="log_loss",
        title="Log loss",
        better="lower",
        decimals=4,
        meaning="Distance between probabilities and outcomes.",
        source="scikit-learn log_loss",
        point=lambda scored: float(np.mean(log_losses(scored.label, scored.predicted))),
        loss=log_losses,
        tfma=("BinaryCrossEntropy", {}),  # TFMA's own
    ),
    Metric(
        name="brier",
        title="Brier score",
        better="lower",
        decimals=4,
        meaning="Mean squared distance between probabilities and outcomes.",
        source="Brier 1950, Monthly Weather Review 78:1",
        point=lambda scored: float(np.mean(squared_errors(scored.label, scored.predicted))),
        loss=squared_errors,
        tfma=("MeanSquaredError", {}),
    ),
    Metric(
        name="calibration_slope",
        title="Calibration slope",
        better="near 1",
        decimals=3,
        meaning="Below 1, the probabilities are too extreme; above 1, too cautious.",
        source="Cox 1958, Biometrika 45:562",
        point=lambda scored: scored.line.slope if scored.line else None,
    ),
    Metric(
        name="calibration_intercept",
        title="Calibration intercept",
        better="near 0",
        decimals=3,
        meaning="Above 0, the probabilities are too low; below 0, too high.",
        source="Cox 1958, Biometrika 45:562",
        point=lambda scored: scored.line.intercept if scored.line else None,
    ),
    Metric(
        name="observed_over_expected",
        title="Observed over expected",
        better="near 1",
        decimals=3,
        meaning="Number of positives divided by the predicted number.",
        source="sum of labels over sum of predictions",
        point=_observed_over_expected,
    ),
    *map(_lift, TOP_PERCENT),
    *map(_gain, TOP_PERCENT),
    Metric(
        name="precision",
        title="Precision",
        better="higher",
        decimals=4,
        meaning="Share of positives among the rows that you act on.",
        source="top_share.py",
        point=_precision,
    ),
    Metric(
        name="recall",
        title="Recall",
        better="higher",
        decimals=4,
        meaning="Share of all positives that you reach.",
        source="top_share.py",
        point=lambda scored: scored.gain(scored.operating_share),
    ),
)
METRICS = {metric.name: metric for metric in _ENTRIES}
COMPARED = tuple(metric.name for metric in _ENTRIES if metric.compared)  # those that settings may choose by
CALIBRATION = "calibration"  # TFMA's: expected over observed. Settings bound it; the gate measures its inverse.
BOUNDED = (*METRICS, CALIBRATION)


def bounded_value(name: str, metrics: Mapping[str, float | None]) -> float | None:
    """The value that an absolute bound of the settings applies to; None where it is not defined.

    Args:
        name: one of BOUNDED.
        metrics: point_metrics() of the model.
    """
    if name != CALIBRATION:
        return metrics[name]
    ratio = metrics["observed_over_expected"]
    return 1 / ratio if ratio else None


def point_metrics(label: np.ndarray, predicted: np.ndarray, operating_share: float) -> dict[str, float | None]:
    """All METRICS of one model.

    Args:
        label: `[rows]`, 0 or 1; at least one row.
        predicted: `[rows]` float64, probabilities.
        operating_share: the share of rows, highest predictions first, that precision and recall refer to.

    Returns:
        A value for each of METRICS; None where it is not defined on these rows: with labels of one class only, or, for
        the calibration slope and intercept, with predictions that do not vary or that separate the classes.
    """
    scored = Scored(label, predicted, operating_share)
    return {name: metric.point(scored) for name, metric in METRICS.items()}
