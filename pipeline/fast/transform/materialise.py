"""Transforms examples with the written transform graph."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.public import tfxio

from pipeline.examples import files
from pipeline.fast.compat import impl_helper
from pipeline.fast.transform.raw_examples import RawSplit

Write = Callable[[pa.RecordBatch], None]

_CAN_BE_EMPTY = (tf.SparseTensorSpec, tf.TensorSpec)


class TransformGraph:
    """A written transform graph, loaded so that each batch is one call.

    TFT's own layer walks the whole graph once per output when it is made, and formats all inputs into an error that it
    catches at each call. Both take time with the square of the number of features.

    Attributes:
        schema: of the transformed features.
    """

    def __init__(self, output: tft.TFTransformOutput):
        """Loads the graph."""
        self._loaded = tf.saved_model.load(output.transform_savedmodel_dir)  # keeps the graph's tables alive
        function = self._loaded.transform_fn
        if hasattr(function, "concrete_functions"):
            [function] = function.concrete_functions
        self._function = function
        [self._specs], _ = function.structured_input_signature
        self.schema = output.transformed_metadata.schema

    def inputs(self, needed: Sequence[str]) -> list[str]:
        """The features to read: those that the outputs depend on, and any that cannot be left empty."""
        chosen = set(needed)
        return [name for name, spec in self._specs.items() if name in chosen or not isinstance(spec, _CAN_BE_EMPTY)]

    def __call__(self, tensors: Mapping[str, Any], rows: int) -> dict[str, Any]:
        """Transforms a batch.

        Args:
            tensors: the features of `inputs`, tf.Tensor or tf.SparseTensor, with `rows` rows.
            rows: the number of rows.

        Returns:
            The transformed features by name.
        """
        return self._function(
            {name: tensors[name] if name in tensors else _empty(spec, rows) for name, spec in self._specs.items()}
        )


def materialise(graph: TransformGraph, split: RawSplit, needed: Sequence[str], prefix: str) -> int:
    """Transforms a split and writes it to one file, in the format of the raw examples.

    Args:
        graph: the transform graph.
        split: the raw examples.
        needed: the features that the graph's outputs depend on.
        prefix: of the file's path.

    Returns:
        The number of rows.
    """
    converter = impl_helper.make_tensor_to_arrow_converter(graph.schema)
    split = split.only(graph.inputs(needed))
    adapter = split.adapter()
    rows = 0
    with _writer(prefix, graph.schema, converter.arrow_schema(), parquet=split.parquet) as write:
        for batch in split.record_batches():
            tensors = adapter.ToBatchTensors(batch, produce_eager_tensors=True)
            write(converter.convert(graph(tensors, batch.num_rows)))
            rows += batch.num_rows
    return rows


def _empty(spec: tf.TypeSpec, rows: int) -> Any:
    """A feature that no output depends on, without values."""
    if isinstance(spec, tf.SparseTensorSpec):
        return tf.SparseTensor(tf.zeros([0, spec.shape.rank], tf.int64), tf.zeros([0], spec.dtype), [rows, 0])
    return tf.zeros([rows, *spec.shape[1:]], spec.dtype)


@contextlib.contextmanager
def _writer(prefix: str, schema: schema_pb2.Schema, arrow_schema: pa.Schema, *, parquet: bool) -> Iterator[Write]:
    """Writes batches of transformed rows to a file named as Beam names the only shard."""
    path = f"{prefix}-00000-of-00001"
    if parquet:
        with files.parquet_writer(path + files.SUFFIX, arrow_schema) as file:
            yield file.write_batch
        return
    encoder = tfxio.RecordBatchToExamplesEncoder(schema)
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with tf.io.TFRecordWriter(path + ".gz", "GZIP") as file:

        def write(batch: pa.RecordBatch) -> None:
            for example in encoder.encode(batch):
                file.write(example)

        yield write
