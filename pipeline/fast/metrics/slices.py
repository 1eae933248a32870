"""Finds the rows of each of TFMA's slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow_model_analysis as tfma

from pipeline.fast.compat import slicer_lib
from pipeline.fast.metrics.rows import LabelledRows
from pipeline.fast.text_column import TextColumn

SliceKey = tuple[tuple[str, "str | int | float"], ...]


def columns_of(config: tfma.EvalConfig) -> list[str]:
    """The names of the columns that the config slices by, sorted."""
    return sorted({name for spec in config.slicing_specs for name in (*spec.feature_keys, *spec.feature_values)})


def rows_by_slice(config: tfma.EvalConfig, rows: LabelledRows) -> dict[SliceKey, np.ndarray]:
    """Finds the rows of each slice that has any.

    Args:
        config: has the slicing specs; without any, all rows are one slice.
        rows: with the columns that `columns_of` names.

    Returns:
        Row numbers `[rows of the slice]` by TFMA's key; a row that lacks a feature is in no slice of it.
    """
    found: dict[SliceKey, np.ndarray] = {}
    for spec in config.slicing_specs or [tfma.SlicingSpec()]:
        names = sorted((*spec.feature_keys, *spec.feature_values))
        for numbers in _groups(
            [_wanted(rows.columns[name], spec.feature_values.get(name)) for name in names], len(rows)
        ):
            values = {name: np.array([_value(rows.columns[name], numbers[0])], object) for name in names}
            for key in slicer_lib.get_slices_for_features_dicts([], values, [tfma.slicer.SingleSliceSpec(spec=spec)]):
                found.setdefault(key, numbers)
    return found


def _wanted(column: TextColumn, value: str | None) -> np.ndarray:
    """The column's codes, int64 `[rows]`; -1 where it is missing, or is not the value that a spec names."""
    codes = column.codes.astype(np.int64)
    return codes if value is None else np.where((codes >= 0) & (column.names == value)[codes], codes, -1)


def _groups(columns: Sequence[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """Row numbers `[rows of the group]` that have the same codes in all columns, where none is -1."""
    if not columns:
        yield np.arange(rows)
        return
    kept = np.flatnonzero(np.all([codes >= 0 for codes in columns], axis=0))
    group = np.zeros(len(kept), np.int64)
    for codes in columns:
        pairs = group * (codes.max() + 1) + codes[kept]
        group = np.unique(pairs, return_inverse=True)[1].reshape(-1)  # small numbers again
    ordered = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[ordered])) + 1
    if len(kept):
        yield from np.split(kept[ordered], starts)


def _value(column: TextColumn, row: int) -> bytes:
    return column.names[column.codes[row]].encode()
