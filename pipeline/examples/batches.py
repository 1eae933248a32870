"""Batches of raw examples as models and metrics take them, from Parquet files or from serialised tf.Examples."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx_bsl.public import tfxio

from models.features import FeatureSet, Kind
from models.signatures import EXAMPLES_SIGNATURE, TENSORS_SIGNATURE
from pipeline.examples.list_columns import first_values
from pipeline.examples.raw import UNIT

_KINDS = {pa.int64(): pa.int64(), pa.float32(): pa.float32(), pa.binary(): pa.binary(), pa.large_binary(): pa.binary()}
_DTYPES = {Kind.NUMERIC: tf.float32, Kind.CATEGORICAL: tf.string}
_MISSING = {tf.float32: np.nan, tf.string: b"", tf.int64: 0}
_KINDS_OF_EXAMPLES = {"int64_list": pa.int64(), "float_list": pa.float32(), "bytes_list": pa.binary()}


class Batch(Protocol):
    """Some rows.

    Attributes:
        signature: the name of the SavedModel signature that takes them.
    """

    signature: str

    @property
    def rows(self) -> int:
        """The number of rows."""

    def kinds(self) -> dict[str, pa.DataType | None]:
        """The columns by name: int64, float or binary; None where this batch has no value to tell it by."""

    def values(self, name: str, kind: pa.DataType) -> pa.Array:
        """A column as int64 or binary, `[rows]`; null where the value is missing. Raises KeyError if there is none."""

    def slice(self, start: int, rows: int) -> Batch:
        """At most this number of rows, from `start` on."""

    def filter(self, chosen: np.ndarray) -> Batch:
        """Some of the rows: bool `[rows]`."""

    def raw(self, features: FeatureSet) -> dict[str, np.ndarray]:
        """The features by name, each `[rows]`.

        Returns:
            A number as float32, NaN where it is missing; a category as object (bytes), b"" where it is missing.
        """

    def feeds(self, inputs: Mapping[str, tf.TensorSpec]) -> dict[str, tf.Tensor]:
        """The rows as that signature takes them; a column that the data lacks counts as missing.

        Args:
            inputs: the signature's inputs by name.
        """

    def columns(self, label: str | None, texts: Sequence[str]) -> dict[str, pa.Array]:
        """Columns by name, each `[rows]`: `unit` (binary), the label (int8) and texts (binary; null where missing).

        Args:
            label: the label's name; None for no label.
            texts: names of categories or dates.

        Raises:
            KeyError: the examples have no label or no `unit`.
            TypeError: one of `texts` is a column of numbers.
        """

    def serialised(self) -> list[bytes]:
        """The rows as tf.Examples."""


@dataclasses.dataclass(frozen=True)
class ColumnBatch:
    """Rows of a Parquet file: a record batch of list columns. See Batch."""

    batch: pa.RecordBatch
    signature = TENSORS_SIGNATURE

    @property
    def rows(self) -> int:
        """See Batch."""
        return self.batch.num_rows

    def kinds(self) -> dict[str, pa.DataType | None]:
        """See Batch."""
        return {name: _KINDS.get(column.type.value_type) for name, column in self._columns.items()}

    def values(self, name: str, kind: pa.DataType) -> pa.Array:
        """See Batch."""
        return self._values(name).cast(kind)

    def slice(self, start: int, rows: int) -> ColumnBatch:
        """See Batch."""
        return ColumnBatch(self.batch.slice(start, rows))

    def filter(self, chosen: np.ndarray) -> ColumnBatch:
        """See Batch."""
        return ColumnBatch(pc.filter(self.batch, pa.array(chosen)))

    def raw(self, features: FeatureSet) -> dict[str, np.ndarray]:
        """See Batch."""
        return {feature.name: self._dense(feature.name, _DTYPES[feature.kind]) for feature in features.features}

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

    @functools.cached_property
    def _columns(self) -> dict[str, pa.Array]:
        return dict(zip(self.batch.schema.names, self.batch.columns, strict=True))

    def _dense(self, name: str, dtype: tf.DType) -> np.ndarray:
        """A value a row `[rows]`: NaN or b"" where it is missing."""
        if name not in self._columns:
            missing, kind = (b"", object) if dtype == tf.string else (np.nan, dtype.as_numpy_dtype)
            return np.full(self.batch.num_rows, missing, kind)
        values = self._values(name)
        if dtype == tf.string:
            return values.fill_null(b"").to_numpy(zero_copy_only=False)
        return values.to_numpy(zero_copy_only=False).astype(dtype.as_numpy_dtype)

    def _texts(self, name: str) -> pa.Array:
        if name not in self._columns:
            return pa.nulls(self.batch.num_rows, pa.binary())
        values = self._values(name)
        if not pa.types.is_large_binary(values.type):
            raise TypeError(f"column '{name}' holds {values.type}, not text: no slice can be made by it")
        return values.cast(pa.binary())

    def _values(self, name: str) -> pa.Array:
        if name not in self._columns:
            raise KeyError(f"the examples have no column '{name}'")
        return first_values(self._columns[name])


@dataclasses.dataclass(frozen=True)
class SerialisedBatch:
    """Rows as tf.Examples, string `[rows]`. See Batch."""

    examples: tf.Tensor
    signature = EXAMPLES_SIGNATURE

    @property
    def rows(self) -> int:
        """See Batch."""
        return len(self.examples)

    def kinds(self) -> dict[str, pa.DataType | None]:
        """See Batch. Each tf.Example names all columns, so the first one is enough."""
        if not self.rows:
            return {}
        found = tf.train.Example.FromString(self.examples[0].numpy()).features.feature
        return {name: _KINDS_OF_EXAMPLES.get(feature.WhichOneof("kind")) for name, feature in found.items()}

    def values(self, name: str, kind: pa.DataType) -> pa.Array:
        """See Batch."""
        if name not in self.kinds():
            raise KeyError(f"the examples have no column '{name}'")
        dtype = tf.int64 if kind == pa.int64() else tf.string
        found = tf.io.parse_example(self.examples, {name: tf.io.VarLenFeature(dtype)})
        return _first_of_sparse(found[name], kind)

    def slice(self, start: int, rows: int) -> SerialisedBatch:
        """See Batch."""
        return SerialisedBatch(self.examples[start : start + rows])

    def filter(self, chosen: np.ndarray) -> SerialisedBatch:
        """See Batch."""
        return SerialisedBatch(tf.boolean_mask(self.examples, chosen))

    def raw(self, features: FeatureSet) -> dict[str, np.ndarray]:
        """See Batch."""
        spec = {feature.name: tf.io.VarLenFeature(_DTYPES[feature.kind]) for feature in features.features}
        found = tf.io.parse_example(self.examples, spec)
        return {name: _first_values(found[name]) for name in spec}

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
        return found | {name: _first_of_sparse(parsed[name], pa.binary()) for name in texts}

    def serialised(self) -> list[bytes]:
        """See Batch."""
        return list(self.examples.numpy())


def _first_of_sparse(values: tf.SparseTensor, kind: pa.DataType) -> pa.Array:
    """Each row's first value, int64 or binary `[rows]`, of a sparse tensor `[rows, values]`; null if there is none."""
    present = np.zeros(values.dense_shape[0].numpy(), bool)
    present[values.indices.numpy()[:, 0]] = True
    return pa.array(_first_values(values), kind, mask=~present)


def _first_values(values: tf.SparseTensor) -> np.ndarray:
    """Each row's first value of a sparse tensor `[rows, values]`; NaN, b"" or 0 if there is none."""
    rows, positions = values.indices.numpy().T
    found = np.full(values.dense_shape[0].numpy(), _MISSING[values.dtype], values.dtype.as_numpy_dtype)
    found[rows[positions == 0]] = values.values.numpy()[positions == 0]
    return found
