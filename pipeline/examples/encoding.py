"""Encodes record batches of the features table as record batches of examples: lists of at most one value a feature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.features import NOT_SET, Feature, Kind, Missing
from pipeline.examples.list_columns import to_lists
from pipeline.settings.dataset import SPLITS
from pipeline.settings.dataset_folder import DatasetFolder

_TYPES = {Kind.NUMERIC: pa.float32(), Kind.CATEGORICAL: pa.large_binary()}


def by_split(batch: pa.RecordBatch, splits: Sequence[str] = SPLITS) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The rows of each split in a batch, without the column `split`; splits that have none are left out."""
    names, columns = batch.schema.names, batch.columns
    split_column = columns.pop(names.index("split"))
    names.remove("split")
    values = pa.RecordBatch.from_arrays(columns, names=names)
    for split in splits:
        mask = pc.equal(split_column, split)
        if pc.any(mask).as_py():
            yield split, pc.filter(values, mask)


def example_schema(columns: Sequence[str], folder: DatasetFolder, *, key_is_integer: bool = False) -> pa.Schema:
    """The schema of to_feature_lists' batches.

    Args:
        columns: names of the batch's columns.
        folder: says which column is what.
        key_is_integer: whether the key, if it is among them, is a whole number.

    Returns:
        `large_list<float>` for a number, `large_list<int64>` for the label and such a key, `large_list<large_binary>`
        for the others: what TFX decodes tf.Examples to, and takes from Parquet files.
    """
    types = {feature.name: _TYPES[feature.kind] for feature in folder.features.features}
    types[folder.dataset.columns.label] = pa.int64()
    if key_is_integer and folder.dataset.columns.key:
        types[folder.dataset.columns.key] = pa.int64()
    return pa.schema([(name, pa.large_list(types.get(name, pa.large_binary()))) for name in columns])


def to_feature_lists(batch: pa.RecordBatch, folder: DatasetFolder) -> pa.RecordBatch:
    """The examples of a batch; a value that is missing is a null list.

    Args:
        batch: columns as the features table has them: numbers (any integer, float or boolean type), strings, the label
            and the date.
        folder: says which column is what.

    Returns:
        A batch of the same rows and columns, with the types of example_schema.
    """
    features = {feature.name: feature for feature in folder.features.features}
    label = folder.dataset.columns.label
    names = batch.schema.names
    columns = [
        to_lists(_example_values(column, features.get(name), is_label=name == label))
        for name, column in zip(names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=names)


def _example_values(column: pa.Array, feature: Feature | None, *, is_label: bool) -> pa.Array:
    if is_label:
        return column.cast(pa.int64())
    if feature is None and pa.types.is_integer(column.type):  # a key
        return column.cast(pa.int64())
    if feature is None:  # unit, date, and a key that is text
        return (pc.strftime(column, "%Y-%m-%d") if pa.types.is_date(column.type) else column).cast(pa.large_binary())
    if feature.kind is Kind.CATEGORICAL:
        # A row that lacks a slice feature would fall in no slice at all.
        filled = pc.fill_null(column, NOT_SET) if feature.slice else column
        return filled.cast(pa.large_binary())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    numbers = column.cast(pa.float32(), safe=False)
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float32()), numbers)
    return pc.fill_null(numbers, np.float32(0)) if feature.missing is Missing.ZERO else numbers
