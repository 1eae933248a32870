"""Transformed examples, made with the written transform graph."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public import tfxio

from pipeline.examples import example_files
from pipeline.fast.compat import impl_helper
from pipeline.fast.transform.raw_examples import RawSplit

Write = Callable[[pa.RecordBatch], None]


def materialise(output: tft.TFTransformOutput, split: RawSplit, columns: Sequence[str], prefix: str) -> int:
    """Transforms a split and writes it in one file, in the format of the raw examples.

    Args:
        output: the transform graph.
        split: the raw examples.
        columns: the features that the graph needs.
        prefix: of the file's path.

    Returns:
        The number of rows.
    """
    layer = output.transform_features_layer()
    schema = output.transformed_metadata.schema
    converter = impl_helper.make_tensor_to_arrow_converter(schema)
    split = split.only(columns)
    adapter = split.adapter()
    rows = 0
    with _writer(prefix, schema, converter.arrow_schema(), parquet=split.parquet) as write:
        for batch in split.record_batches():
            write(converter.convert(layer(adapter.ToBatchTensors(batch, produce_eager_tensors=True))))
            rows += batch.num_rows
    return rows


@contextlib.contextmanager
def _writer(prefix: str, schema: schema_pb2.Schema, arrow_schema: pa.Schema, *, parquet: bool) -> Iterator[Write]:
    """Writes batches of transformed rows to a file named as Beam names the only shard."""
    path = f"{prefix}-00000-of-00001"
    if parquet:
        with example_files.parquet_writer(path + example_files.SUFFIX, arrow_schema) as file:
            yield file.write_batch
        return
    encoder = tfxio.RecordBatchToExamplesEncoder(schema)
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with tf.io.TFRecordWriter(path + ".gz", "GZIP") as file:

        def write(batch: pa.RecordBatch) -> None:
            for example in encoder.encode(batch):
                file.write(example)

        yield write
