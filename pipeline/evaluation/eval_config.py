"""What TFMA measures on the test split, and by which slices.

TFMA's figures go into the ModelEvaluation artifact and decide nothing: its areas are sums over 10,000 thresholds of
equal width, and its `pr_auc` is a trapezoid area, while the gate's is average precision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import tensorflow_model_analysis as tfma

from models.features import FeatureSet
from pipeline.gate.metrics import CALIBRATION, METRICS
from pipeline.gate.slices import OTHER
from pipeline.settings.dataset import Dataset

# Names of the settings and reports -> TFMA's metric classes and their configuration.
TFMA_METRICS = {
    **{name: (metric.tfma[0], {"name": name, **metric.tfma[1]}) for name, metric in METRICS.items() if metric.tfma},
    CALIBRATION: ("Calibration", {"name": CALIBRATION}),
}


def eval_config(dataset: Dataset, features: FeatureSet, *, signature: str) -> tfma.EvalConfig:
    """The Evaluator's configuration.

    Args:
        dataset: the label.
        features: the slices.
        signature: of the SavedModel, taking serialised tf.Examples.

    Returns:
        A config for one model, with or without a baseline.
    """
    metrics = [
        *(_metric(class_name, **config) for class_name, config in TFMA_METRICS.values()),
        _metric("ExampleCount", name="example_count"),
        _metric("MeanLabel", name="mean_label"),
        _metric("MeanPrediction", name="mean_prediction"),
        _metric("ConfusionMatrixPlot", name="confusion_matrix_plot"),
        _metric("CalibrationPlot", name="calibration_plot", num_buckets=20),
    ]
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
        slices: the feature and value of each slice; the value `(other)` stands for all values without a slice.
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


def _metric(class_name: str, **config: Any) -> tfma.MetricConfig:
    return tfma.MetricConfig(class_name=class_name, config=json.dumps(config))
