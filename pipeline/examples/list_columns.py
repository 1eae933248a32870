"""Columns of lists of at most one value: how examples hold a feature, in Parquet and as TFX decodes tf.Examples."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def to_lists(values: pa.Array) -> pa.Array:
    """Makes lists of at most one value.

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
    """Takes one value a row from a column of lists: the first of each list, null if there is none."""
    flat = column.flatten()
    if len(flat) == len(column) and column.null_count == 0:
        lengths = column.value_lengths().to_numpy(zero_copy_only=False)
        if (lengths == 1).all():
            return flat
    lengths = np.nan_to_num(column.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return flat.take(pa.array(starts, mask=lengths == 0))
