"""Files of examples: which there are, how many rows they have, and their rows as Arrow record batches.

A file is Parquet, with a column of lists for each feature, or a TFRecord of tf.Examples. Both give the same batches.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import gzip
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems

SUFFIX = ".parquet"
ROWS_PER_GROUP = 65_536  # rows of a Parquet row group: what is read at a time, and the least that a Beam worker takes

_WILDCARDS = frozenset("*?[")
_RECORD_FRAME = 16  # bytes that a TFRecord file adds to a record: its length and two checksums


class LostExamplesError(FileNotFoundError):
    """Files of an artifact are gone or damaged; the message names the artifact's folder and says what to do."""

    def __init__(self, place: str, problem: str):
        """Builds the message from a folder or file and what is wrong with it."""
        super().__init__(
            f"{place}: {problem}. Files were deleted or damaged after the run that wrote them. "
            "Run the pipeline again to write these examples again."
        )


def matching(*patterns: str) -> list[str]:
    """The files that match any of the patterns, sorted.

    Wildcards count in the file's name only: a folder may have brackets in its name.

    Args:
        patterns: such as TFX makes for a split, `folder/*`.

    Raises:
        LostExamplesError: there are none, or one of them is empty.
    """
    return sorted(file for pattern in patterns for file in _files(*_split(pattern)))


def literal_pattern(pattern: str) -> str:
    """The pattern with its folder's wildcards escaped, for libraries that expand all of a pattern."""
    folder, name = _split(pattern)
    return f"{''.join(f'[{c}]' if c in _WILDCARDS else c for c in folder)}/{name}"


def is_parquet(files: Sequence[str]) -> bool:
    """Whether the files of a split are Parquet; they are TFRecords otherwise."""
    return bool(files) and all(file.endswith(SUFFIX) for file in files)


def count_rows_of_files(files: Sequence[str]) -> int:
    """The number of rows in Parquet files, from their footers. Raises LostExamplesError if a file is damaged."""
    total = 0
    for file in files:
        with opened_parquet(file) as parquet:
            total += parquet.metadata.num_rows
    return total


def record_batches(
    files: Sequence[str],
    columns: Sequence[str] | None = None,
    rows: int = ROWS_PER_GROUP,
    *,
    absent: Literal["refuse", "skip"] = "refuse",
) -> Iterator[pa.RecordBatch]:
    """Record batches of the files, always in the same order.

    Args:
        files: all Parquet, or all TFRecords of tf.Examples.
        columns: names of the columns to read, in the order wanted; None for all.
        rows: the most rows of a batch.
        absent: what to do about a column that a file lacks. A feature without a value in all rows of a batch cannot be
            told from one that TFRecords lack: `refuse` gives a column of null lists for it.

    Yields:
        Batches of list columns, as TFX decodes examples without a schema.

    Raises:
        KeyError: `absent` is `refuse` and a Parquet file lacks a column.
        LostExamplesError: a file is damaged.
    """
    for file in files:
        read = _parquet_batches if file.endswith(SUFFIX) else _record_batches
        yield from read(file, columns, rows, absent == "refuse")


def records(file: str, rows: int, *, most: int | None = None) -> Iterator[np.ndarray]:
    """Reads batches of serialised tf.Examples from a TFRecord file.

    Args:
        file: its path; `.gz` at the end means gzip.
        rows: the most rows of a batch.
        most: the number of rows to read, from the start; None for all.

    Yields:
        object (bytes) `[rows]`.

    Raises:
        LostExamplesError: the file is damaged.
    """
    dataset = tf.data.TFRecordDataset(file, "GZIP" if file.endswith(".gz") else "")
    if most is not None:
        dataset = dataset.take(most)
    size = 0
    try:
        for batch in dataset.batch(rows).prefetch(1).as_numpy_iterator():
            size += sum(map(len, batch)) + _RECORD_FRAME * len(batch)
            yield batch
    except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
        raise LostExamplesError(file, f"not a readable TFRecord file ({error.message.splitlines()[0]})") from error
    if most is None and not _is_whole(file, size):
        raise LostExamplesError(file, "not a readable TFRecord file (it ends within a record)")


def serialised(files: Sequence[str], rows: int = 8_192) -> Iterator[list[bytes]]:
    """Batches of serialised tf.Examples from files of either format; a missing value is a feature without values."""
    if is_parquet(files):
        from tfx_bsl.public import tfxio

        encoder = tfxio.RecordBatchToExamplesEncoder()
        for batch in record_batches(files, rows=rows):
            yield encoder.encode(batch)
    else:
        for file in files:
            for batch in records(file, rows):
                yield batch.tolist()


@contextlib.contextmanager
def parquet_writer(path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Opens a Parquet file for writing; makes its folder if there is none."""
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with contextlib.ExitStack() as stack:
        # Not the path itself: pyarrow takes a relative one with brackets or spaces for a URI that it cannot parse.
        target = stack.enter_context(FileSystems.create(path) if _is_remote(path) else pa.OSFile(path, "wb"))
        yield stack.enter_context(pq.ParquetWriter(target, schema, compression="snappy"))


@contextlib.contextmanager
def opened_parquet(file: str) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file for reading; maps it into memory if it is on this machine.

    Raises:
        LostExamplesError: it is not a Parquet file, or is not there.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream: Any = FileSystems.open(file) if _is_remote(file) else pa.memory_map(file)
            parquet = pq.ParquetFile(stack.enter_context(stream))
        except (OSError, pa.ArrowInvalid) as error:
            raise LostExamplesError(file, f"not a readable Parquet file ({error})") from error
        yield parquet


def _split(pattern: str) -> tuple[str, str]:
    folder, _, name = pattern.rpartition("/")
    return folder, name


def _files(folder: str, pattern: str) -> list[str]:
    """The files of a folder whose names match. Raises LostExamplesError if there are none or one is empty."""
    try:
        names = tf.io.gfile.listdir(folder)
    except tf.errors.NotFoundError:
        raise LostExamplesError(folder, "there is no such folder") from None
    # A folder's name ends with "/" in some file systems; a name with a dot first is somebody's temporary file.
    names = [name for name in names if fnmatch.fnmatchcase(name, pattern) and not name.startswith(".")]
    paths = [f"{folder}/{name}" for name in names if not name.endswith("/")]
    sizes = {path: tf.io.gfile.stat(path).length for path in paths if not tf.io.gfile.isdir(path)}
    if not sizes:
        raise LostExamplesError(folder, "no files of examples")
    for path, size in sizes.items():
        if not size:
            raise LostExamplesError(path, "the file is empty")
    return list(sizes)


def _is_whole(file: str, size: int) -> bool:
    """Whether a TFRecord file holds no more than the records that were read from it.

    TensorFlow takes a file that ends within the first 12 bytes of a record for one that ends before that record.

    Args:
        file: its path; `.gz` at the end means gzip.
        size: the records that were read, in bytes, with their frames.
    """
    length = tf.io.gfile.stat(file).length
    if not file.endswith(".gz"):
        return length == size
    with tf.io.gfile.GFile(file, "rb") as stream:
        stream.seek(max(length - 4, 0))
        # RFC 1952: the size, modulo 2^32, comes last. The header of a file that is cut has zeros too.
        if size and int.from_bytes(stream.read(4), "little") == size % 2**32:
            return True
        stream.seek(0)
        try:  # A gzip file may have several members; each has a size of its own.
            with gzip.open(stream) as content:
                return sum(map(len, iter(functools.partial(content.read, 2**20), b""))) == size
        except (EOFError, gzip.BadGzipFile):
            return False


def _parquet_batches(file: str, columns: Sequence[str] | None, rows: int, refuse: bool) -> Iterator[pa.RecordBatch]:
    with opened_parquet(file) as parquet:
        wanted = None if columns is None else list(columns)
        if wanted is not None:
            present = set(parquet.schema_arrow.names)
            absent = [name for name in wanted if name not in present]
            if absent and refuse:
                raise KeyError(f"{file}: no column {', '.join(absent)}")
            wanted = [name for name in wanted if name in present]
        for batch in parquet.iter_batches(batch_size=rows, columns=wanted):
            yield batch if wanted is None else _in_order(batch, wanted)


def _record_batches(file: str, columns: Sequence[str] | None, rows: int, fill: bool) -> Iterator[pa.RecordBatch]:
    from pipeline.fast.compat import example_coder

    decoder = example_coder.ExamplesToRecordBatchDecoder()
    for serialized in records(file, rows):
        batch = decoder.DecodeBatch(serialized)
        yield batch if columns is None else _in_order(batch, columns, fill=fill)


def _in_order(batch: pa.RecordBatch, names: Sequence[str], *, fill: bool = False) -> pa.RecordBatch:
    """The columns in an order; one that the batch lacks becomes null lists, or is left out."""
    if batch.schema.names == list(names):
        return batch
    by_name = dict(zip(batch.schema.names, batch.columns, strict=True))
    if fill:
        for name in names:
            if name not in by_name:
                by_name[name] = pa.nulls(batch.num_rows, pa.large_list(pa.null()))
    kept = [name for name in names if name in by_name]
    return pa.RecordBatch.from_arrays([by_name[name] for name in kept], names=kept)


def _is_remote(path: str) -> bool:
    return "://" in path
