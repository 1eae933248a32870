"""Writes metrics with TFMA's validator and writers."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from apache_beam.runners.portability import fn_api_runner

from pipeline.fast.compat import metric_types, metrics_validator
from pipeline.fast.metrics.computations import Metrics
from pipeline.fast.metrics.slices import SliceKey


def write_results(
    metrics: Mapping[SliceKey, Metrics], config: tfma.EvalConfig, models: Mapping[str, str], folder: str
) -> None:
    """Validates metrics and writes them together with the config.

    Args:
        metrics: from `measure`.
        config: the config that they were measured with.
        models: folders of the SavedModels by their names in the config; for display only.
        folder: the folder to write to.
    """
    shared = [
        tfma.default_eval_shared_model(
            eval_saved_model_path=models[spec.name], model_name=spec.name, eval_config=config
        )
        for spec in config.model_specs
    ]
    writers = tfma.default_writers(folder, shared if len(shared) > 1 else shared[0], config)
    kinds = {tfma.PLOTS_KEY: metric_types.PlotKey, tfma.ATTRIBUTIONS_KEY: metric_types.AttributionsKey}
    results = {kind: [(key, _of_type(found, type_)) for key, found in metrics.items()] for kind, type_ in kinds.items()}
    results[tfma.METRICS_KEY] = [(key, _of_no_type(found, tuple(kinds.values()))) for key, found in metrics.items()]
    results[tfma.VALIDATIONS_KEY] = [
        metrics_validator.validate_metrics(result, config) for result in results[tfma.METRICS_KEY]
    ]
    # TFMA's writers are Beam transforms. The results go to them through a file: Beam would compress values inside the
    # pipeline itself, which takes longer than everything else here.
    with tempfile.TemporaryDirectory() as temporary, beam.Pipeline(runner=fn_api_runner.FnApiRunner()) as pipeline:
        collections = {}
        for kind, found in results.items():
            path = os.path.join(temporary, kind)
            with open(path, "wb") as file:
                pickle.dump(found, file)
            file_of_kind = pipeline | f"Create {kind}" >> beam.Create([path], reshuffle=False)
            collections[kind] = file_of_kind | f"Read {kind}" >> beam.FlatMap(_read)
        _ = collections | "WriteResults" >> tfma.WriteResults(writers)


def _read(path: str) -> list[Any]:
    with open(path, "rb") as file:
        return pickle.load(file)


def _of_type(metrics: Metrics, type_: type) -> Metrics:
    return {key: value for key, value in metrics.items() if isinstance(key, type_)}


def _of_no_type(metrics: Metrics, types: tuple[type, ...]) -> Metrics:
    return {key: value for key, value in metrics.items() if not isinstance(key, types)}
