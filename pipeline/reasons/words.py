"""Contributions in words: the features that moved a score most, each with its value and its direction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.features import Feature, FeatureSet, Kind, Missing

UP, DOWN = "up", "down"
#: Characters of a category's value that a reason shows. Longer values end with an ellipsis.
LONGEST_VALUE = 60


def reasons(contributions: np.ndarray, raw: Mapping[str, np.ndarray], features: FeatureSet, top: int) -> pa.ListArray:
    """Names the features with the largest contributions by size: `carts_1_7 = 4, up`, `country missing, down`.

    A number stands in the shortest form that its float32 has. A missing number of a feature with `missing: zero` is 0.
    Of equal contributions, the feature that comes first in `features` does. A contribution of 0 is no reason.

    Args:
        contributions: float32 `[rows, features]`, in the order of the features.
        raw: a column for each feature by name, `[rows]`: a number as float32, NaN if missing; a category as bytes or
            text (dtype object), empty if missing. Bytes that are no UTF-8 are replaced.
        features: the features.
        top: the most reasons of a row.

    Returns:
        Lists of texts, `[rows]`, the largest contribution first.
    """
    rows = len(contributions)
    feature_of, value_of = _largest(contributions, min(top, len(features.names)))
    row, place = np.nonzero(value_of)  # in the order of the texts
    feature_of, up = feature_of[row, place], value_of[row, place] > 0
    by_feature = np.argsort(feature_of, kind="stable")
    ends = np.searchsorted(feature_of[by_feature], np.arange(len(features.names) + 1))
    texts = [pa.array([], pa.string())]
    for feature, start, end in zip(features.features, ends[:-1], ends[1:], strict=True):
        chosen = by_feature[start:end]
        if chosen.size:
            texts.append(_texts(feature, np.asarray(raw[feature.name])[row[chosen]], up[chosen]))
    places = np.empty(len(by_feature), np.int64)
    places[by_feature] = np.arange(len(by_feature))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(texts).take(pa.array(places)))


def _largest(contributions: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The features with the largest contributions by size and these contributions, both `[rows, top]`."""
    rest = np.abs(contributions)
    every = np.arange(len(contributions))
    feature_of = np.zeros((len(contributions), top), np.int64)
    for place in range(top):
        feature_of[:, place] = rest.argmax(axis=1)
        rest[every, feature_of[:, place]] = -1
    return feature_of, np.take_along_axis(contributions, feature_of, axis=1)


def _texts(feature: Feature, values: np.ndarray, up: np.ndarray) -> pa.StringArray:
    """The reasons of some rows that name one feature."""
    if feature.kind is Kind.CATEGORICAL:
        encoded = pa.array(values, pa.binary()).fill_null(b"").dictionary_encode()
        shown = pa.array([_shown(value) for value in encoded.dictionary.to_pylist()], pa.string())
        words = shown.take(encoded.indices)
    else:
        numbers = values.astype(np.float32) + np.float32(0)  # -0 becomes 0
        missing = np.isnan(numbers)
        if feature.missing is Missing.ZERO:
            numbers, missing = np.where(missing, np.float32(0), numbers), np.zeros_like(missing)
        words = pa.array(numbers, mask=missing).cast(pa.string())
    stated = pc.binary_join_element_wise(feature.name, words, " = ").fill_null(f"{feature.name} missing")
    return pc.binary_join_element_wise(stated, pc.if_else(pa.array(up), UP, DOWN), ", ")


def _shown(value: bytes) -> str | None:
    """A category's value as text; None if it is missing."""
    text = value.decode("utf-8", "replace")
    return f"{text[: LONGEST_VALUE - 1]}…" if len(text) > LONGEST_VALUE else text or None
