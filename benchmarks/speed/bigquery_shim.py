"""A SHIM for the benchmark: BigQueryExampleGen without BigQuery. The stock component reads only from BigQuery.

Beam's BigQuery source returns rows as dicts. Here Beam's Parquet source does. All that follows is TFX's own code: its
`row_to_example`, the partition by the hash of each row, the shuffle and the gzip TFRecord files.
"""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from tfx import types
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec
from tfx.extensions.google_cloud_big_query import utils as bigquery_utils
from tfx.proto import example_gen_pb2

from benchmarks.speed.data import KEY

BUCKETS = {"train": 7, "eval": 1, "test": 2}  # tenths of the rows, as in the data set's split


def bigquery_types(schema: pa.Schema) -> dict[str, str]:
    """BigQuery's name of each column's type. Raises TypeError if stock BigQueryExampleGen does not read that type."""
    return {field.name: _bigquery_type(field) for field in schema}


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(tf.train.Example)
def rows_to_examples(pipeline: beam.Pipeline, exec_properties: dict[str, Any], split_pattern: str) -> Any:
    """Reads the Parquet file `split_pattern` below `input_base` as tf.Examples, row by row, without the key."""
    path = f"{exec_properties['input_base']}/{split_pattern}"
    kinds = bigquery_types(pq.read_schema(path))
    kinds.pop(KEY, None)
    rows = pipeline | "ReadRows" >> beam.io.ReadFromParquet(path, columns=list(kinds))
    return rows | "ToExample" >> beam.Map(lambda row: bigquery_utils.row_to_example(kinds, row))


class BigQueryShimExecutor(BaseExampleGenExecutor):
    """TFX's ExampleGen executor on the rows of the shim."""

    def GetInputSourceToExamplePTransform(self) -> Any:
        """See TFX's BaseExampleGenExecutor."""
        return rows_to_examples


def bigquery_example_gen_shim(folder: str, file: str) -> FileBasedExampleGen:
    """The component with the splits train, eval and test, made by hash because BigQueryExampleGen reads one table.

    Args:
        folder: where the Parquet file is.
        file: its name.
    """
    splits = [example_gen_pb2.SplitConfig.Split(name=name, hash_buckets=buckets) for name, buckets in BUCKETS.items()]
    return FileBasedExampleGen(
        input_base=folder,
        input_config=example_gen_pb2.Input(splits=[example_gen_pb2.Input.Split(name="table", pattern=file)]),
        output_config=example_gen_pb2.Output(split_config=example_gen_pb2.SplitConfig(splits=splits)),
        custom_executor_spec=executor_spec.BeamExecutorSpec(BigQueryShimExecutor),
    ).with_id("BigQueryExampleGen")


def shim_examples(executor: BigQueryShimExecutor, folder: str, file: str, output: str) -> None:
    """Runs the executor alone, like the component does, and writes its splits below `output`."""
    examples = types.standard_artifacts.Examples()
    examples.uri = output
    component = bigquery_example_gen_shim(folder, file)
    properties = {
        name: value for name, value in component.exec_properties.items() if value is not None and name != "range_config"
    }
    executor.Do({}, {"examples": [examples]}, properties)


def _bigquery_type(field: pa.Field) -> str:
    for is_kind, name in (
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_integer, "INTEGER"),
        (pa.types.is_floating, "FLOAT"),
        (pa.types.is_string, "STRING"),
    ):
        if is_kind(field.type):
            return name
    raise TypeError(f"column '{field.name}' is {field.type}; BigQueryExampleGen reads numbers, booleans and strings")
