"""Reads the examples of a split as Arrow record batches, whichever of the two formats they are in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from tfx import types

from pipeline.examples import example_files
from pipeline.examples.data_summary import has_data_summary, read_data_summary
from pipeline.fast.compat import example_coder, examples_utils


def split_files(examples: types.Artifact, split: str) -> list[str]:
    """The files of a split, sorted. Raises FileNotFoundError if there are none."""
    return example_files.find(*examples_utils.get_split_file_patterns([examples], split))


def count_rows(examples: types.Artifact, splits: Collection[str]) -> int | None:
    """Rows of some splits: those of Parquet files, else those that our ExampleGen wrote; None if neither tells."""
    files = {split: split_files(examples, split) for split in splits}
    if all(example_files.is_parquet(found) for found in files.values()):
        return sum(example_files.count_rows(found) for found in files.values())
    if not has_data_summary(examples):
        return None
    rows = {count["split"]: count["rows"] for count in read_data_summary(examples)["splits"]}
    return sum(rows[split] for split in splits) if rows.keys() >= set(splits) else None


def record_batches(
    files: Sequence[str], columns: Sequence[str] | None = None, rows: int = example_files.ROWS_PER_GROUP
) -> Iterator[pa.RecordBatch]:
    """Record batches of some columns.

    Args:
        files: of one format.
        columns: names of those wanted, in this order; one that a batch lacks is left out. None for all.
        rows: most rows of a batch.

    Yields:
        Batches of list columns, as TFX decodes examples without a schema.
    """
    if example_files.is_parquet(files):
        for file in files:
            yield from example_files.record_batches([file], _present(file, columns), rows)
        return
    decoder = example_coder.ExamplesToRecordBatchDecoder()
    for file in files:
        records = tf.data.TFRecordDataset(file, "GZIP" if file.endswith(".gz") else "")
        for serialized in records.batch(rows).prefetch(1).as_numpy_iterator():
            batch = decoder.DecodeBatch(serialized)
            names = batch.schema.names if columns is None else [name for name in columns if name in batch.schema.names]
            yield pa.RecordBatch.from_arrays([batch.column(batch.schema.get_field_index(n)) for n in names], names)


def _present(file: str, columns: Sequence[str] | None) -> list[str] | None:
    if columns is None:
        return None
    with FileSystems.open(file) as stream:
        names = set(pq.read_schema(stream).names)
    return [name for name in columns if name in names]
