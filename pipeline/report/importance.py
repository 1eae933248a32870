"""Permutation importance: how much the eval log loss rises when one raw feature's values are shuffled among the rows.

Breiman (2001), Random Forests, section 10; Fisher, Rudin and Dominici (2019) for any model. It needs the `predict`
signature only, so it means the same for every model family.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx import types

from models.features import FeatureSet, Kind
from models.signatures import OUTPUT, TENSORS_SIGNATURE
from pipeline.examples.files import record_batches
from pipeline.examples.list_columns import first_values
from pipeline.examples.splits import split_files
from pipeline.report.run_data import Importance

#: Report: rows of `eval` on which importance is measured, if the features are few.
MOST_ROWS = 2_000
#: Report: rows times features on which importance is measured. Above 100 features it takes fewer rows, since each
#: feature's turn is a call on all features: with the same rows, the cost would grow with the square of the features.
MOST_CELLS = 200_000
_REPEATS = 2
_SEED = 1
_PROBABILITY_FLOOR = 1e-7
_MISSING = {Kind.NUMERIC: (np.nan, np.float32), Kind.CATEGORICAL: (b"", object)}  # what stands for it, and the type
_ARROW_TYPES = {Kind.NUMERIC: pa.float32(), Kind.CATEGORICAL: pa.large_binary()}


@dataclasses.dataclass(frozen=True)
class RawRows:
    """Rows as the `predict` signature takes them.

    Attributes:
        tensors: by feature: float32 `[rows]` with NaN for missing, or bytes (object) `[rows]` with b'' for missing.
        label: int64 `[rows]`, 0 or 1.
    """

    tensors: dict[str, np.ndarray]
    label: np.ndarray


def rows_to_measure(features: int) -> int:
    """How many rows importance is measured on, for a number of features."""
    return max(1, min(MOST_ROWS, MOST_CELLS // features))


def read_rows(
    examples: types.Artifact, split: str, features: FeatureSet, label: str, rows: int, most: int = MOST_ROWS
) -> RawRows:
    """Reads up to `most` rows, evenly spread over the split.

    Args:
        examples: raw Examples, of either format.
        split: one of its splits.
        features: the features to read.
        label: the label's name.
        rows: how many rows the split has; files are in the order of dates, so the first ones alone would be old ones.
        most: rows wanted.

    Raises:
        LostExamplesError: the split has no files, or one of them is damaged.
        KeyError: a Parquet file lacks a feature.
        ValueError: the split has no rows.
    """
    every = max(1, -(-rows // most))
    names, parts, seen = [*features.names, label], [], 0
    for batch in record_batches(split_files(examples, split), names):
        picked = pa.array(np.arange(-seen % every, batch.num_rows, every))
        parts.append([first_values(column).take(picked) for column in batch.columns])
        seen += batch.num_rows
    if not seen:
        raise ValueError(f"split '{split}' has no rows")
    columns = {name: _concatenated(name, arrays)[:most] for name, *arrays in zip(names, *parts, strict=True)}
    tensors = {}
    for feature in features.features:
        missing, dtype = _MISSING[feature.kind]
        values = columns[feature.name].cast(_ARROW_TYPES[feature.kind]).fill_null(missing)
        tensors[feature.name] = values.to_numpy(zero_copy_only=False).astype(dtype)
    return RawRows(tensors, columns[label].to_numpy())


def permutation_importance(model: str, rows: RawRows) -> Importance:
    """Shuffles one feature after the other, twice each, with the same shuffles for every model.

    Args:
        model: folder of a SavedModel with the signatures of models/export.py.
        rows: what to measure on.

    Returns:
        The importance of each feature; the standard error is that of the mean over rows, paired with the rows as they
        are.
    """
    loaded = tf.saved_model.load(model)
    predict = loaded.signatures[TENSORS_SIGNATURE]
    count = len(rows.label)
    shuffles = [np.random.default_rng([_SEED, repeat]).permutation(count) for repeat in range(_REPEATS)]
    turns = [(name, order) for name in rows.tensors for order in shuffles]
    together = max(1, MOST_ROWS // count)  # a call costs the same for few rows, so several turns share one
    copies = {name: np.tile(values, together) for name, values in rows.tensors.items()}
    tensors = {name: tf.constant(values) for name, values in copies.items()}

    def losses(changed: dict[str, tf.Tensor]) -> np.ndarray:
        probability = predict(**{**tensors, **changed})[OUTPUT].numpy().reshape(together, count)
        return _log_losses(rows.label, probability)

    def shuffled_losses(turns: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
        changed: dict[str, np.ndarray] = {}
        for place, (name, order) in enumerate(turns):
            values = changed.setdefault(name, copies[name].copy())
            values[place * count : (place + 1) * count] = rows.tensors[name][order]
        return losses({name: tf.constant(values) for name, values in changed.items()})[: len(turns)]

    asis = losses({})[0]
    calls = [turns[start : start + together] for start in range(0, len(turns), together)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # a call of so few rows keeps one core busy
        shuffled = np.concatenate(list(threads.map(shuffled_losses, calls)))
    of_features = shuffled.reshape(len(tensors), _REPEATS, count).mean(axis=1)
    rise, error = {}, {}
    for name, shuffled in zip(tensors, of_features, strict=True):
        rise[name] = float(np.mean(shuffled - asis))
        error[name] = float(np.std(shuffled - asis) / np.sqrt(len(asis)))
    return Importance(rows=len(asis), log_loss=float(asis.mean()), rise=rise, standard_error=error)


def _concatenated(name: str, arrays: Sequence[pa.Array]) -> pa.Array:
    """The arrays as one; a batch of TFRecords without any value has the type null."""
    types_ = {array.type for array in arrays if not pa.types.is_null(array.type)}
    if len(types_) > 1:
        raise TypeError(f"the examples hold '{name}' as {' and '.join(sorted(map(str, types_)))}")
    return pa.concat_arrays([array.cast(type_) for array in arrays for type_ in types_ or {pa.null()}])


def _log_losses(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    probability = np.clip(probability.astype(np.float64), _PROBABILITY_FLOOR, 1 - _PROBABILITY_FLOOR)
    return -np.where(label == 1, np.log(probability), np.log1p(-probability))
