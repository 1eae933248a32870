"""Computes TFMA's metrics of all slices, including differences to a baseline."""

from __future__ import annotations

import numbers

import numpy as np
import tensorflow_model_analysis as tfma

from pipeline.fast.compat import metric_types, model_util
from pipeline.fast.metrics.computations import Computations, Metrics
from pipeline.fast.metrics.rows import LabelledRows, sample
from pipeline.fast.metrics.slices import SliceKey, rows_by_slice


def measure(config: tfma.EvalConfig, rows: LabelledRows) -> dict[SliceKey, Metrics]:
    """Computes what TFMA's evaluator would.

    Args:
        config: an EvalConfig with TFMA's defaults filled in and no field of `unsupported`.
        rows: with the predictions of all its models.

    Returns:
        Metrics and plots by slice, without private ones.

    Raises:
        ValueError: the config uses fields that are not supported.
    """
    problems = unsupported(config)
    if problems:
        raise ValueError(
            f"The batched Evaluator does not support {', '.join(problems)}. Set 'executors: stock' for this run."
        )
    computations = Computations(config, sample(rows))
    baseline = model_util.get_baseline_model_spec(config)
    found: dict[SliceKey, Metrics] = {}
    for key, numbers_of_rows in rows_by_slice(config, rows).items():
        metrics = computations.measure(rows.take(numbers_of_rows))
        if baseline is not None:
            metrics |= _differences(metrics, baseline.name)
        for derive in computations.after_diff:
            metrics |= derive(metrics)
        found[key] = {key: value for key, value in metrics.items() if not _is_private(key)}
    return found


def unsupported(config: tfma.EvalConfig) -> list[str]:
    """The fields of a config that only TFMA's own evaluator supports, by name."""
    models, metrics, options = config.model_specs, config.metrics_specs, config.options
    used = {
        "cross_slicing_specs": bool(config.cross_slicing_specs),
        "compute_confidence_intervals": options.compute_confidence_intervals.value,
        "min_slice_size": options.min_slice_size.value > 1,
        "slice_keys_sql": any(spec.slice_keys_sql for spec in config.slicing_specs),
        "query_key": any(spec.query_key for spec in metrics),
        "output_names": any(spec.output_names for spec in metrics),
        "example_weight_key": any(spec.example_weight_key or spec.example_weight_keys for spec in models),
        "label_keys": any(spec.label_keys for spec in models),
        "preprocessing_function_names": any(spec.preprocessing_function_names for spec in models),
    }
    return [name for name, found in used.items() if found]


def _differences(metrics: Metrics, baseline: str) -> Metrics:
    """The difference of each number to the baseline's, as TFMA's evaluator computes it."""
    found: Metrics = {}
    for key, value in metrics.items():
        if _is_private(key) or key.is_diff or key.model_name == baseline or not _has_difference(value):
            continue
        baseline_key = key.make_baseline_key(baseline)
        if baseline_key in metrics:
            found[key.make_diff_key()] = value - metrics[baseline_key]
    return found


def _has_difference(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return np.issubdtype(value.dtype, np.number)
    return isinstance(value, (numbers.Number, tfma.types.StructuredMetricValue))


def _is_private(key: metric_types.MetricKey) -> bool:
    return key.name.startswith("_") and not key.name.startswith("__")
