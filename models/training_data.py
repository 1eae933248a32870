"""Transformed examples as arrays, for every model family."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from tfx_bsl.public import tfxio

from models.features import FeatureSet

if TYPE_CHECKING:
    import tensorflow_transform as tft
    from tfx.v1.components import DataAccessor

_ROWS_PER_BATCH = 16_384


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """One split's rows, columns in the order of the features.

    Attributes:
        numbers: float32 `[rows, numeric features]`, quantile-normal; NaN is missing.
        categories: int32 `[rows, categorical features]`, the rank in the vocabulary; its size stands for what it lacks.
        label: float32 `[rows]`, 0 or 1.
    """

    numbers: np.ndarray
    categories: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.label)


def read_training_data(
    patterns: list[str],
    data_accessor: DataAccessor,
    transform_output: tft.TFTransformOutput,
    features: FeatureSet,
    label: str,
) -> TrainingData:
    """Reads the transformed examples of a split into memory.

    Args:
        patterns: file patterns, as `fn_args.train_files` has them.
        data_accessor: `fn_args.data_accessor`, which knows the files' format.
        transform_output: the transform graph's folder, for the schema.
        features: the features, in the order wanted.
        label: the label's name.

    Raises:
        ValueError: there are no rows, or a category or label has no value in some row.
    """
    options = tfxio.RecordBatchesOptions(batch_size=_ROWS_PER_BATCH, num_epochs=1, shuffle=False)
    schema = transform_output.transformed_metadata.schema
    parts = []
    for batch in data_accessor.record_batch_factory(patterns, options, schema):
        numbers = np.empty((batch.num_rows, len(features.numeric)), np.float32)
        for column, feature in enumerate(features.numeric):
            numbers[:, column] = _values(batch, feature.name, np.nan)
        categories = np.empty((batch.num_rows, len(features.categorical)), np.int32)
        for column, feature in enumerate(features.categorical):
            categories[:, column] = _values(batch, feature.name)
        parts.append(TrainingData(numbers, categories, _values(batch, label).astype(np.float32)))
    if not parts:
        raise ValueError("no transformed examples to read")
    return TrainingData(
        numbers=np.concatenate([part.numbers for part in parts]),
        categories=np.concatenate([part.categories for part in parts]),
        label=np.concatenate([part.label for part in parts]),
    )


def _values(batch: pa.RecordBatch, name: str, default: float | None = None) -> np.ndarray:
    """One value a row from a list column; `default` where the list is empty, which is an error without a default."""
    column = batch.column(batch.schema.get_field_index(name))
    values = column.flatten().to_numpy(zero_copy_only=False)
    if len(values) == batch.num_rows:
        return values
    if default is None:
        raise ValueError(f"transformed feature '{name}': {batch.num_rows} rows have {len(values)} values")
    filled = np.full(batch.num_rows, default, np.float32)
    lengths = np.nan_to_num(column.value_lengths().to_numpy(zero_copy_only=False))
    filled[lengths > 0] = values
    return filled
