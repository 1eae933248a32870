"""Examples in Parquet files as TFX reads them: a column of lists for each feature, like the lists of tf.Examples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems

SUFFIX = ".parquet"
ROWS_PER_GROUP = 65_536  # what is read at a time, and the least that a Beam worker takes


def is_parquet(files: Sequence[str]) -> bool:
    """Whether the files of a split are Parquet; they are TFRecords otherwise."""
    return bool(files) and all(file.endswith(SUFFIX) for file in files)


def find(*patterns: str) -> list[str]:
    """The files that match any of the patterns, sorted. Raises FileNotFoundError if there are none."""
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise FileNotFoundError(f"no files match {', '.join(patterns)}")
    return files


def count_rows(files: Sequence[str]) -> int:
    """Rows of Parquet files, from their footers."""
    total = 0
    for file in files:
        with _opened(file) as stream:
            total += pq.ParquetFile(stream).metadata.num_rows
    return total


def record_batches(
    files: Sequence[str], columns: Sequence[str] | None = None, rows: int = ROWS_PER_GROUP
) -> Iterator[pa.RecordBatch]:
    """Record batches of Parquet files, always in the same order.

    Args:
        files: Parquet files with the same columns.
        columns: names of those to read, in the order wanted; None for all.
        rows: most rows of a batch.

    Yields:
        Batches of list columns, as they were written.

    Raises:
        KeyError: a file lacks one of the columns.
    """
    for file in files:
        with _opened(file) as stream:
            parquet = pq.ParquetFile(stream)
            names = parquet.schema_arrow.names
            absent = [column for column in columns or () if column not in names]
            if absent:
                raise KeyError(f"{file}: no column {', '.join(absent)}")
            wanted = None if columns is None else list(columns)
            for batch in parquet.iter_batches(batch_size=rows, columns=wanted):
                yield batch if wanted is None else _in_order(batch, wanted)


def serialised(files: Sequence[str], rows: int = 8_192) -> Iterator[list[bytes]]:
    """Batches of serialised tf.Examples, from files of either format; a missing value is a feature without values."""
    if is_parquet(files):
        from tfx_bsl.public import tfxio

        encoder = tfxio.RecordBatchToExamplesEncoder()
        for batch in record_batches(files, rows=rows):
            yield encoder.encode(batch)
    else:
        compression = "GZIP" if files[0].endswith(".gz") else ""
        for batch in tf.data.TFRecordDataset(list(files), compression).batch(rows).prefetch(1).as_numpy_iterator():
            yield batch.tolist()


@contextlib.contextmanager
def parquet_writer(path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A writer of one Parquet file; the folder is made if it is not there."""
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(FileSystems.create(path)) if _is_remote(path) else path
        yield stack.enter_context(pq.ParquetWriter(target, schema, compression="snappy"))


def to_lists(values: pa.Array) -> pa.Array:
    """Lists of at most one value, as TFX decodes tf.Examples.

    Args:
        values: any type, `[rows]`; null is missing.

    Returns:
        `large_list` of that type, `[rows]`; null where the value is.
    """
    offsets = np.arange(len(values) + 1, dtype=np.int64)
    if values.null_count == 0:
        return pa.LargeListArray.from_arrays(pa.array(offsets), values)
    present = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    ends = np.concatenate([[0], np.cumsum(present)]).astype(np.int64)
    return pa.LargeListArray.from_arrays(
        pa.array(ends, mask=np.append(~present, False)), values.filter(pa.array(present))
    )


def first_values(column: pa.Array) -> pa.Array:
    """One value a row from a list column: the first of each list, null where there is none."""
    flat = column.flatten()
    if len(flat) == len(column) and column.null_count == 0:
        lengths = column.value_lengths().to_numpy(zero_copy_only=False)
        if (lengths == 1).all():
            return flat
    lengths = np.nan_to_num(column.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return flat.take(pa.array(starts, mask=lengths == 0))


def _in_order(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    if batch.schema.names == names:
        return batch
    return pa.RecordBatch.from_arrays([batch.column(batch.schema.get_field_index(name)) for name in names], names=names)


@contextlib.contextmanager
def _opened(file: str) -> Iterator[Any]:
    """The file for reading: mapped into memory if it is on this machine."""
    with FileSystems.open(file) if _is_remote(file) else pa.memory_map(file) as stream:
        yield stream


def _is_remote(path: str) -> bool:
    return "://" in path
