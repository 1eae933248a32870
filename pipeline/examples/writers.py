"""Writes the examples of splits, as TFX reads them: Parquet files, or gzip TFRecords of tf.Examples."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx_bsl.public import tfxio

from pipeline.examples import files
from pipeline.fast.compat import examples_utils

Write = Callable[[pa.RecordBatch], None]

# Setting `example_format` -> an Examples artifact's payload format and file format.
FORMATS = {
    "parquet": (example_gen_pb2.FORMAT_PARQUET, example_gen_pb2.FILE_FORMAT_PARQUET),
    "tfrecord": (example_gen_pb2.FORMAT_TF_EXAMPLE, example_gen_pb2.FORMAT_TFRECORDS_GZIP),
}


@contextlib.contextmanager
def open_splits(
    examples: types.Artifact, splits: tuple[str, ...], schema: pa.Schema, payload_format: int
) -> Iterator[dict[str, Write]]:
    """Opens a file for each split; after an error none of them is left behind.

    Args:
        examples: the artifact; its split names and formats are set here.
        splits: names.
        schema: of the batches to write, from encoding.example_schema.
        payload_format: FORMAT_PARQUET or FORMAT_TF_EXAMPLE.

    Yields:
        For each split a function that writes a batch.
    """
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(examples, payload_format)
    is_parquet = payload_format == example_gen_pb2.FORMAT_PARQUET
    if is_parquet:  # without this property TFX takes the files for gzip TFRecords
        name = example_gen_pb2.FileFormat.Name(example_gen_pb2.FILE_FORMAT_PARQUET)
        examples_utils.set_file_format(examples, name)
    folders = {split: artifact_utils.get_split_uri([examples], split) for split in splits}
    try:
        with contextlib.ExitStack() as stack:
            yield {
                split: stack.enter_context(_parquet(folder, schema) if is_parquet else _tfrecord(folder))
                for split, folder in folders.items()
            }
    except BaseException:
        for folder in folders.values():
            if fileio.exists(folder):
                fileio.rmtree(folder)
        raise


@contextlib.contextmanager
def _parquet(folder: str, schema: pa.Schema) -> Iterator[Write]:
    path = f"{folder}/data_parquet-00000-of-00001{files.SUFFIX}"
    with files.parquet_writer(path, schema) as writer:
        waiting: list[pa.RecordBatch] = []

        def write(batch: pa.RecordBatch) -> None:
            nonlocal waiting
            waiting.append(batch)
            rows = sum(each.num_rows for each in waiting)
            whole = rows - rows % files.ROWS_PER_GROUP
            if whole:
                table = pa.Table.from_batches(waiting, schema)
                writer.write_table(table.slice(0, whole), row_group_size=files.ROWS_PER_GROUP)
                waiting = table.slice(whole).to_batches()

        yield write
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting, schema))


@contextlib.contextmanager
def _tfrecord(folder: str) -> Iterator[Write]:
    encoder = tfxio.RecordBatchToExamplesEncoder()
    fileio.makedirs(folder)
    path = f"{folder}/data_tfrecord-00000-of-00001.gz"
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions("GZIP")) as writer:

        def write(batch: pa.RecordBatch) -> None:
            for example in encoder.encode(batch):
                writer.write(example)

        yield write
