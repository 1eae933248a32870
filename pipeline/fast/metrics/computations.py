"""TFMA's computations for a slice, each by the fastest implementation that agrees with TFMA's own code."""

from __future__ import annotations

import dataclasses
import functools
import logging
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma

from pipeline.fast.compat import binary_confusion_matrices, calibration_histogram, metric_specs, metric_types
from pipeline.fast.metrics import confusion_matrices
from pipeline.fast.metrics.accumulators import FILLS, Fill
from pipeline.fast.metrics.rows import LabelledRows

Metrics = dict[metric_types.MetricKey, Any]
Compute = Callable[[LabelledRows], Metrics]
Derive = Callable[[Metrics], Metrics]

_log = logging.getLogger("propensity")
_TOLERANCE = 1e-6  # relative


class Computations:
    """All computations of an EvalConfig."""

    def __init__(self, config: tfma.EvalConfig, sample: LabelledRows):
        """Tries each computation on a sample to choose how to do it.

        Args:
            config: an EvalConfig with TFMA's defaults filled in.
            sample: a few rows of both labels.
        """
        found = metric_specs.to_computations(config.metrics_specs, eval_config=config)
        # As TFMA does, keep the first of equal computations, so that each comes after the ones that it depends on.
        found = list(dict.fromkeys(found))
        self.after_diff = [each.result for each in found if isinstance(each, metric_types.CIDerivedMetricComputation)]
        derived = [
            each
            for each in found
            if isinstance(each, metric_types.DerivedMetricComputation)
            and not isinstance(each, metric_types.CIDerivedMetricComputation)
        ]
        self._computed: list[Compute] = []
        self._derived: list[Derive] = []
        metrics: Metrics = {}
        for each in found:
            if isinstance(each, metric_types.MetricComputation):
                self._computed.append(_fastest(each, sample, metrics))
        for each in derived:
            self._derived.append(_fastest_derivation(each.result, metrics))

    def measure(self, rows: LabelledRows) -> Metrics:
        """Computes all metrics of some rows, including private ones."""
        metrics: Metrics = {}
        for compute in self._computed:
            metrics.update(compute(rows))
        for derive in self._derived:
            metrics.update(derive(metrics))
        return metrics


def _fastest(computation: metric_types.MetricComputation, sample: LabelledRows, metrics: Metrics) -> Compute:
    """Chooses how to do a computation; adds TFMA's own result for the sample to `metrics`."""
    by_row = functools.partial(_by_row, computation)
    expected = by_row(sample)
    metrics.update(expected)
    fill = FILLS.get(type(computation.combiner).__name__)
    names = ", ".join(sorted({key.name for key in computation.keys}))
    if fill is None:
        _log.warning(
            "TFMA computes %s row by row, which is slow: this project has no batched implementation of it.", names
        )
        return by_row
    at_once = functools.partial(_at_once, computation, fill)
    if not _agree(at_once(sample), expected):
        _log.warning(
            "TFMA computes %s row by row, which is slow: the batched implementation gives another result.", names
        )
        return by_row
    return at_once


def _at_once(computation: metric_types.MetricComputation, fill: Fill, rows: LabelledRows) -> Metrics:
    [model] = {key.model_name or "" for key in computation.keys}
    prediction = rows.predictions[model] if model in rows.predictions else next(iter(rows.predictions.values()))
    combiner = computation.combiner
    return combiner.extract_output(fill(combiner.create_accumulator(), rows.label, prediction))


def _by_row(computation: metric_types.MetricComputation, rows: LabelledRows) -> Metrics:
    """Does a computation with TFMA's code."""
    combiner, preprocessors = computation.combiner, computation.preprocessors
    for part in (combiner, *preprocessors):
        part.setup()
    accumulator = combiner.create_accumulator()
    for row in range(len(rows)):
        inputs = [rows.extracts(row)]
        for preprocessor in preprocessors:
            inputs = [output for extracts in inputs for output in preprocessor.process(extracts)]
        for extracts in inputs:
            accumulator = combiner.add_input(accumulator, metric_types.StandardMetricInputs(extracts))
    return combiner.extract_output(combiner.compact(accumulator))


def _fastest_derivation(derive: Derive, metrics: Metrics) -> Derive:
    """Chooses how to derive metrics from others; adds TFMA's own result to the sample's `metrics`."""
    used = _Used(metrics)
    expected = derive(used)
    metrics.update(expected)
    if len(used.keys_read) != 1 or len(expected) != 1:
        return derive
    [source], [(key, matrices)] = used.keys_read, expected.items()
    if not (isinstance(matrices, binary_confusion_matrices.Matrices) and _is_histogram(metrics[source])):
        return derive

    def fast(found: Metrics) -> Metrics:
        return {key: confusion_matrices.from_histogram(found[source], matrices.thresholds)}

    if _agree(fast(metrics), expected):
        return fast
    _log.warning("TFMA derives %s by loops, which is slow: the batched implementation gives another result.", key.name)
    return derive


def _is_histogram(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, calibration_histogram.Bucket) for part in value)


class _Used(dict):
    """Metrics that remember which of them were read."""

    def __init__(self, metrics: Metrics):
        super().__init__(metrics)
        self.keys_read: set[metric_types.MetricKey] = set()

    def __getitem__(self, key: metric_types.MetricKey) -> Any:
        self.keys_read.add(key)
        return super().__getitem__(key)


def _agree(found: Metrics, expected: Metrics) -> bool:
    """Whether metrics are equal within float tolerance."""
    if found.keys() != expected.keys():
        return False
    for key, value in expected.items():
        ours, theirs = (np.array(_numbers(each), np.float64) for each in (found[key], value))
        if ours.shape != theirs.shape or not np.allclose(ours, theirs, _TOLERANCE, 1e-12, equal_nan=True):
            return False
    return True


def _numbers(value: Any) -> list[float]:
    """All numbers in a metric, a histogram or an accumulator, in order."""
    if isinstance(value, numbers.Number):
        return [float(value)]
    if isinstance(value, np.ndarray):
        return value.ravel().tolist()
    if dataclasses.is_dataclass(value):
        value = dataclasses.astuple(value)
    elif hasattr(value, "__slots__") and not isinstance(value, tuple):
        value = [getattr(value, name) for name in value.__slots__]
    return [number for part in value for number in _numbers(part)]
