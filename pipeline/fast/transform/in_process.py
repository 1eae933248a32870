"""Transform in process: reads raw examples, writes the transform graph, its cache and transformed examples."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Mapping

import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import dataset_metadata

from pipeline.fast.compat import metadata_io
from pipeline.fast.transform import cache_files
from pipeline.fast.transform.analysis import Analysis, PreprocessingFn
from pipeline.fast.transform.materialise import TransformGraph, materialise
from pipeline.fast.transform.raw_examples import RawSplit


@dataclasses.dataclass(frozen=True)
class TransformTask:
    """The inputs and outputs of a Transform step.

    Attributes:
        schema: of the raw examples.
        preprocessing_fn: as TFX calls it.
        analyze: the splits that the graph learns from.
        transform: the splits to transform, by the prefix of the file to write.
        graph: the folder of the transform graph.
        cache: the folder for the analyzer cache; None to write none.
    """

    schema: schema_pb2.Schema
    preprocessing_fn: PreprocessingFn
    analyze: list[RawSplit]
    transform: Mapping[str, RawSplit]
    graph: str
    cache: str | None


def run(task: TransformTask) -> dict[str, int]:
    """Runs the step.

    Returns:
        The numbers of rows by the prefix of the file written.

    Raises:
        Unsupported: only TFX's own executor can run this preprocessing_fn; nothing has been written.
    """
    datasets = {cache_files.dataset_key(split.pattern): split for split in task.analyze}
    with tempfile.TemporaryDirectory() as folder:
        specs = task.analyze[0].type_specs
        analysis = Analysis(task.preprocessing_fn, specs, list(datasets), cached=task.cache is not None, folder=folder)
        results = analysis.run(datasets)
        analysis.save(results, task.graph)
    raw_metadata = os.path.join(task.graph, tft.TFTransformOutput.RAW_METADATA_DIR)
    metadata_io.write_metadata(dataset_metadata.DatasetMetadata(task.schema), raw_metadata)
    for key, entries in results.cache.items():
        cache_files.write(task.cache, key, entries, results.sizes[key])
    graph = TransformGraph(tft.TFTransformOutput(task.graph))
    return {
        prefix: materialise(graph, split, analysis.input_columns, prefix) for prefix, split in task.transform.items()
    }
