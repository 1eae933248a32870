"""Batches of raw Examples as models and metrics take them, from Parquet files or from gzip files of tf.Examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.types import artifact_utils
from tfx_bsl.public import tfxio

from models.signatures import EXAMPLES_SIGNATURE, TENSORS_SIGNATURE
from pipeline.examples import example_files
from pipeline.examples.raw import UNIT

_BATCH = 16_384  # rows; larger ones are no faster, and take more memory


@dataclasses.dataclass(frozen=True)
class WorkUnit:
    """What is read at a time, by this process or by a worker.

    Attributes:
        file: its path.
        row_group: of a Parquet file; None for the whole file.
    """

    file: str
    row_group: int | None = None


class Batch(Protocol):
    """Some rows.

    Attributes:
        signature: that of a SavedModel which takes them.
    """

    signature: str

    def feeds(self, inputs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
        """The rows as that signature takes them; a column that the data lack counts as missing.

        Args:
            inputs: of the signature, by name.
        """

    def columns(self, label: str | None, texts: Sequence[str]) -> dict[str, pa.Array]:
        """Columns by name, each `[rows]`: `unit` (binary), the label (int8) and texts (binary; null where missing).

        Args:
            label: its name; None for none.
            texts: categories or dates.

        Raises:
            KeyError: the examples have no label or no `unit`.
            TypeError: one of `texts` is a column of numbers.
        """

    def serialised(self) -> list[bytes]:
        """The rows as tf.Examples."""


def work_units(examples: types.Artifact, split: str, *, by_row_group: bool = False) -> list[WorkUnit]:
    """All that is to be read of a split, in order.

    Args:
        examples: raw Examples, of our executor or the stock one.
        split: one of its splits.
        by_row_group: Parquet files in parts, for several workers.

    Raises:
        FileNotFoundError: the split has no files.
    """
    files = _split_files(examples, split)
    if not (by_row_group and example_files.is_parquet(files)):
        return [WorkUnit(file) for file in files]
    return [WorkUnit(file, group) for file in files for group in range(_row_groups(file))]


def read_batches(unit: WorkUnit, columns: Sequence[str] | None = None, rows: int | None = None) -> Iterator[Batch]:
    """The rows of a unit, always in the same order.

    Args:
        unit: a file or a part of one.
        columns: those to read of a Parquet file, where it has them; None for all.
        rows: only so many, from the start.
    """
    if example_files.is_parquet([unit.file]):
        for batch in _record_batches(unit, columns):
            yield ColumnBatch(batch if rows is None else batch.slice(0, rows))
            if rows is not None:
                rows -= batch.num_rows
                if rows <= 0:
                    return
    else:
        dataset = tf.data.TFRecordDataset(unit.file, compression_type="GZIP")
        yield from map(SerialisedBatch, (dataset if rows is None else dataset.take(rows)).batch(_BATCH).prefetch(1))


@dataclasses.dataclass(frozen=True)
class ColumnBatch:
    """Rows of a Parquet file: a record batch of list columns. See Batch."""

    batch: pa.RecordBatch
    signature = TENSORS_SIGNATURE

    def feeds(self, inputs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
        """See Batch."""
        return {name: tf.constant(self._dense(name, spec.dtype)) for name, spec in inputs.items()}

    def columns(self, label: str | None, texts: Sequence[str]) -> dict[str, pa.Array]:
        """See Batch."""
        found = {UNIT: self._values(UNIT).cast(pa.binary())}
        if label is not None:
            found[label] = self._values(label).cast(pa.int8())
        return found | {name: self._texts(name) for name in texts}

    def serialised(self) -> list[bytes]:
        """See Batch."""
        return tfxio.RecordBatchToExamplesEncoder().encode(self.batch)

    def _dense(self, name: str, dtype: tf.DType) -> np.ndarray:
        """A value a row `[rows]`: NaN or b"" where it is missing."""
        if name not in self.batch.schema.names:
            missing, kind = (b"", object) if dtype == tf.string else (np.nan, dtype.as_numpy_dtype)
            return np.full(self.batch.num_rows, missing, kind)
        values = self._values(name)
        if dtype == tf.string:
            return values.fill_null(b"").to_numpy(zero_copy_only=False)
        return values.to_numpy(zero_copy_only=False).astype(dtype.as_numpy_dtype)

    def _texts(self, name: str) -> pa.Array:
        if name not in self.batch.schema.names:
            return pa.nulls(self.batch.num_rows, pa.binary())
        values = self._values(name)
        if not pa.types.is_large_binary(values.type):
            raise TypeError(f"column '{name}' holds {values.type}, not text: no slice can be made by it")
        return values.cast(pa.binary())

    def _values(self, name: str) -> pa.Array:
        if name not in self.batch.schema.names:
            raise KeyError(f"the examples have no column '{name}'")
        return example_files.first_values(self.batch.column(self.batch.schema.get_field_index(name)))


@dataclasses.dataclass(frozen=True)
class SerialisedBatch:
    """Rows as tf.Examples, string `[rows]`. See Batch."""

    examples: tf.Tensor
    signature = EXAMPLES_SIGNATURE

    def feeds(self, inputs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
        """See Batch."""
        return dict.fromkeys(inputs, self.examples)

    def columns(self, label: str | None, texts: Sequence[str]) -> dict[str, pa.Array]:
        """See Batch."""
        spec = {UNIT: tf.io.FixedLenFeature([], tf.string), **{name: tf.io.VarLenFeature(tf.string) for name in texts}}
        if label is not None:
            spec[label] = tf.io.FixedLenFeature([], tf.int64)
        parsed = tf.io.parse_example(self.examples, spec)
        found = {UNIT: pa.array(parsed[UNIT].numpy(), pa.binary())}
        if label is not None:
            found[label] = pa.array(parsed[label].numpy().astype(np.int8))
        return found | {name: _first_of_sparse(parsed[name]) for name in texts}

    def serialised(self) -> list[bytes]:
        """See Batch."""
        return list(self.examples.numpy())


def _split_files(examples: types.Artifact, split: str) -> list[str]:
    """The files of a split, sorted. Raises FileNotFoundError if there are none."""
    folder = artifact_utils.get_split_uri([examples], split)
    try:
        return example_files.find(f"{folder}/*")
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder}: no files of the split '{split}'") from None


def _record_batches(unit: WorkUnit, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    with FileSystems.open(unit.file) as stream:
        parquet = pq.ParquetFile(stream)
        names = [name for name in parquet.schema_arrow.names if columns is None or name in columns]
        groups = range(parquet.num_row_groups) if unit.row_group is None else [unit.row_group]
        yield from parquet.iter_batches(batch_size=_BATCH, row_groups=list(groups), columns=names)


def _row_groups(file: str) -> int:
    with FileSystems.open(file) as stream:
        return pq.ParquetFile(stream).num_row_groups


def _first_of_sparse(values: tf.SparseTensor) -> pa.Array:
    """Each row's first value, binary `[rows]`, of a sparse string tensor `[rows, values]`."""
    rows, positions = values.indices.numpy().T
    found = np.full(values.dense_shape[0].numpy(), None, object)
    found[rows[positions == 0]] = values.values.numpy()[positions == 0]
    return pa.array(found, pa.binary())
