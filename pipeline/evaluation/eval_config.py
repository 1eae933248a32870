"""What TFMA measures on the test split, by which slices, and the absolute bounds that a model must keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import tensorflow_model_analysis as tfma

from models.features import FeatureSet
from pipeline.gate.slices import OTHER
from pipeline.settings.dataset import Dataset
from pipeline.settings.gate import Bound

# Names of the settings and reports -> TFMA's metric classes. BinaryCrossEntropy is TFMA's own, for log loss.
METRICS = {
    "roc_auc": ("AUC", {"name": "roc_auc", "num_thresholds": 10_000}),
    "pr_auc": ("AUCPrecisionRecall", {"name": "pr_auc", "num_thresholds": 10_000}),
    "log_loss": ("BinaryCrossEntropy", {"name": "log_loss"}),
    "brier": ("MeanSquaredError", {"name": "brier"}),
    "calibration": ("Calibration", {"name": "calibration"}),
}


def eval_config(dataset: Dataset, features: FeatureSet, *, signature: str) -> tfma.EvalConfig:
    """The Evaluator's configuration.

    Args:
        dataset: the label and the bounds.
        features: the slices.
        signature: of the SavedModel, taking serialised tf.Examples.

    Returns:
        A config for one model, with or without a baseline.
    """
    bounds = dict(dataset.evaluation.bounds)
    metrics = [_metric(kind, config, bounds.get(name)) for name, (kind, config) in METRICS.items()]
    metrics.append(_metric("ExampleCount", {"name": "example_count"}))
    metrics.append(_metric("MeanLabel", {"name": "mean_label"}))
    metrics.append(_metric("MeanPrediction", {"name": "mean_prediction"}))
    metrics.append(_metric("ConfusionMatrixPlot", {"name": "confusion_matrix_plot"}))
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


def with_bounded_slices(config: tfma.EvalConfig, slices: Sequence[tuple[str, str]]) -> tfma.EvalConfig:
    """The same, but a feature with too many values is sliced by its most frequent ones only.

    Args:
        config: eval_config's.
        slices: the feature and value of each slice; the value `(other)` stands for those that are none.
    """
    bounded = tfma.EvalConfig()
    bounded.CopyFrom(config)
    del bounded.slicing_specs[:]
    wide = {feature for feature, value in slices if value == OTHER}
    for spec in config.slicing_specs:
        if not wide.intersection(spec.feature_keys):
            bounded.slicing_specs.append(spec)
    bounded.slicing_specs.extend(
        tfma.SlicingSpec(feature_values={feature: value})
        for feature, value in slices
        if feature in wide and value != OTHER
    )
    return bounded


def broken_bounds(evaluation: str, config: tfma.EvalConfig) -> list[str]:
    """The bounds that the model breaks, in words.

    Args:
        evaluation: the folder that TFMA wrote.
        config: what it was told.
    """
    if not any(metric.per_slice_thresholds for spec in config.metrics_specs for metric in spec.metrics):
        return []
    result = tfma.load_validation_result(evaluation)
    failures = [failure for metrics in result.metric_validations_per_slice for failure in metrics.failures]
    return sorted(_in_words(failure) for failure in failures)


def _in_words(failure: Any) -> str:
    """One bound that was broken; `failure` is TFMA's ValidationFailure."""
    name, value = failure.metric_key.name, failure.metric_value.double_value.value
    bound = failure.metric_threshold.value_threshold
    if bound.HasField("lower_bound") and value < bound.lower_bound.value:
        return f"{name} is {value:.4f}, the least allowed is {bound.lower_bound.value:g}"
    return f"{name} is {value:.4f}, the most allowed is {bound.upper_bound.value:g}"


def _metric(class_name: str, config: dict[str, Any], bound: Bound | None = None) -> tfma.MetricConfig:
    metric = tfma.MetricConfig(class_name=class_name, config=json.dumps(config))
    if bound is None:
        return metric
    # Of the whole split only: on a slice with few positives, a point estimate breaks any bound by chance.
    overall = metric.per_slice_thresholds.add()
    overall.slicing_specs.add()
    value = overall.threshold.value_threshold
    if bound.lower is not None:
        value.lower_bound.value = bound.lower
    if bound.upper is not None:
        value.upper_bound.value = bound.upper
    return metric
