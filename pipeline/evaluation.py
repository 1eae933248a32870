"""What the Evaluator measures on the test split, by which slices, and the bounds a model must keep."""

from __future__ import annotations

import json

import tensorflow_model_analysis as tfma

from models.features import FeatureSet
from pipeline.settings import Bound, Dataset

# Names of the settings and reports -> TFMA's metric classes. BinaryCrossEntropy is TFMA's own, for log loss.
METRICS = {
    "roc_auc": ("AUC", {"name": "roc_auc", "num_thresholds": 10_000}),
    "pr_auc": ("AUCPrecisionRecall", {"name": "pr_auc", "num_thresholds": 10_000}),
    "log_loss": ("BinaryCrossEntropy", {"name": "log_loss"}),
    "calibration": ("Calibration", {"name": "calibration"}),
}


def eval_config(dataset: Dataset, features: FeatureSet, *, signature: str) -> tfma.EvalConfig:
    """The Evaluator's configuration.

    Args:
        dataset: the label and the bounds.
        features: the slices.
        signature: of the SavedModel, taking serialised tf.Examples.

    Returns:
        A config for one model, with or without a baseline. Without any bound in the settings, the one bound is that
        there is an example, since TFX blesses no model that nothing was asked of.
    """
    bounds = dict(dataset.evaluation.bounds)
    metrics = [_metric(kind, config, bounds.get(name)) for name, (kind, config) in METRICS.items()]
    metrics.append(_metric("ExampleCount", {"name": "example_count"}, None if bounds else Bound(lower=1)))
    metrics.append(_metric("MeanLabel", {"name": "mean_label"}))
    metrics.append(_metric("MeanPrediction", {"name": "mean_prediction"}))
    metrics.append(
        _metric(
            "ConfusionMatrixAtThresholds",
            {"name": "confusion_matrix_at_thresholds", "thresholds": list(dataset.evaluation.operating_points)},
        )
    )
    metrics.append(_metric("CalibrationPlot", {"name": "calibration_plot", "num_buckets": 20}))
    return tfma.EvalConfig(
        # TFMA adds a copy of it for the baseline where there is one.
        model_specs=[tfma.ModelSpec(signature_name=signature, label_key=dataset.columns.label)],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[feature.name]) for feature in features.slices),
        ],
    )


def _metric(class_name: str, config: dict[str, object], bound: Bound | None = None) -> tfma.MetricConfig:
    metric = tfma.MetricConfig(class_name=class_name, config=json.dumps(config))
    if bound is None:
        return metric
    # Of the whole split only: on a slice with few positives, a point estimate breaks any bound by chance.
    overall = metric.per_slice_thresholds.add()
    overall.slicing_specs.add()
    value, change = overall.threshold.value_threshold, overall.threshold.change_threshold
    if bound.lower is not None:
        value.lower_bound.value = bound.lower
    if bound.upper is not None:
        value.upper_bound.value = bound.upper
    if bound.min_change is not None:
        change.direction = tfma.MetricDirection.HIGHER_IS_BETTER
        change.absolute.value = bound.min_change
    if bound.max_change is not None:
        change.direction = tfma.MetricDirection.LOWER_IS_BETTER
        change.absolute.value = bound.max_change
    return metric
