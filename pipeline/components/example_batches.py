"""Record batches of the features table, made into the record batches that tf.Examples are encoded from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.features import NOT_SET, Feature, Kind, Missing
from pipeline.dataset_folder import DatasetFolder
from pipeline.settings import SPLITS


def by_split(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    """The rows of each split in a batch, without the column `split`; splits that have none are left out."""
    column = batch.schema.get_field_index("split")
    rest = [index for index in range(batch.num_columns) if index != column]
    values = pa.RecordBatch.from_arrays([batch.column(i) for i in rest], names=[batch.schema.names[i] for i in rest])
    for split in SPLITS:
        mask = pc.equal(batch.column(column), split)
        if pc.any(mask).as_py():
            yield split, pc.filter(values, mask)


def to_feature_lists(batch: pa.RecordBatch, folder: DatasetFolder) -> pa.RecordBatch:
    """One list column per feature of the tf.Example: float32, int64 (the label) or bytes; missing is a null list.

    Args:
        batch: columns as the features table has them: numbers (any integer, float or boolean type), strings, the label
            and the date.
        folder: says which column is what.

    Returns:
        A batch of the same rows whose columns are `list<float>`, `list<int64>` or `list<binary>`.
    """
    features = {feature.name: feature for feature in folder.features.features}
    label = folder.dataset.columns.label
    columns = [
        _to_lists(_example_values(batch.column(index), features.get(name), is_label=name == label))
        for index, name in enumerate(batch.schema.names)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _example_values(column: pa.Array, feature: Feature | None, *, is_label: bool) -> pa.Array:
    if is_label:
        return column.cast(pa.int64())
    if feature is None:  # unit and date
        return (pc.strftime(column, "%Y-%m-%d") if pa.types.is_date(column.type) else column).cast(pa.binary())
    if feature.kind is Kind.CATEGORICAL:
        # A row that lacks a slice feature would fall in no slice at all.
        filled = pc.fill_null(column, NOT_SET) if feature.slice else column
        return filled.cast(pa.binary())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    numbers = column.cast(pa.float32(), safe=False)
    numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float32()), numbers)
    return pc.fill_null(numbers, np.float32(0)) if feature.missing is Missing.ZERO else numbers


def _to_lists(values: pa.Array) -> pa.ListArray:
    """Lists of one value; a null value gives a null list, which the encoder writes as a feature without values."""
    if values.null_count == 0:
        return pa.ListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int32)), values)
    present = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    ends = np.concatenate([[0], np.cumsum(present)]).astype(np.int32)
    offsets = pa.array(ends, mask=np.append(~present, False))
    return pa.ListArray.from_arrays(
        offsets, values.drop_null() if hasattr(values, "drop_null") else pc.drop_null(values)
    )
