"""Permutation importance: how much the eval log loss rises when one raw feature's values are shuffled among the rows.

Breiman (2001), Random Forests, section 10; Fisher, Rudin and Dominici (2019) for any model. It needs the `predict`
signature only, so it means the same for every model family.
"""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx import types
from tfx.types import artifact_utils

from models.features import FeatureSet, Kind
from models.signatures import OUTPUT, TENSORS_SIGNATURE
from pipeline.examples import example_files
from pipeline.report.run_data import Importance

MOST_ROWS = 2_000
_REPEATS = 2
_SEED = 1
_PROBABILITY_FLOOR = 1e-7
_MISSING = {Kind.NUMERIC: (np.nan, np.float32), Kind.CATEGORICAL: (b"", object)}  # and the values' type


@dataclasses.dataclass(frozen=True)
class RawRows:
    """Rows as the `predict` signature takes them.

    Attributes:
        tensors: by feature: float32 `[rows]` with NaN for missing, or bytes (object) `[rows]` with b'' for missing.
        label: int64 `[rows]`, 0 or 1.
    """

    tensors: dict[str, np.ndarray]
    label: np.ndarray


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
        ValueError: the split is empty.
    """
    files = sorted(tf.io.gfile.glob(f"{artifact_utils.get_split_uri([examples], split)}/*"))
    every = max(1, -(-rows // most))
    read = _read_parquet if example_files.is_parquet(files) else _read_records
    found = read(files, features, label, every, most)
    if found is None:
        raise ValueError(f"split '{split}' has no rows")
    return found


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
    shuffles = [np.random.default_rng([_SEED, repeat]).permutation(len(rows.label)) for repeat in range(_REPEATS)]
    tensors = {name: tf.constant(values) for name, values in rows.tensors.items()}

    def losses(changed: dict[str, tf.Tensor]) -> np.ndarray:
        return _log_losses(rows.label, predict(**{**tensors, **changed})[OUTPUT].numpy().reshape(-1))

    def shuffled_losses(name: str) -> np.ndarray:
        return np.mean([losses({name: tf.gather(tensors[name], order)}) for order in shuffles], axis=0)

    asis = losses({})
    rise, error = {}, {}
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # a call of so few rows keeps one core busy
        of_features = list(threads.map(shuffled_losses, tensors))
    for name, shuffled in zip(tensors, of_features, strict=True):
        rise[name] = float(np.mean(shuffled - asis))
        error[name] = float(np.std(shuffled - asis) / np.sqrt(len(asis)))
    return Importance(rows=len(asis), log_loss=float(asis.mean()), rise=rise, standard_error=error)


def _read_parquet(files: list[str], features: FeatureSet, label: str, every: int, most: int) -> RawRows | None:
    """The first row of each `every` ones, up to `most` in all; None if there are no rows."""
    names, parts, seen = [*features.names, label], [], 0
    for batch in example_files.record_batches(files, names):
        picked = pa.array(np.arange(-seen % every, batch.num_rows, every))
        columns = [example_files.first_values(column).take(picked) for column in batch.columns]
        parts.append(pa.RecordBatch.from_arrays(columns, names))
        seen += batch.num_rows
    if not seen:
        return None
    table = pa.Table.from_batches(parts).slice(0, most)
    tensors = {}
    for feature in features.features:
        missing, dtype = _MISSING[feature.kind]
        tensors[feature.name] = table.column(feature.name).fill_null(missing).to_numpy().astype(dtype)
    return RawRows(tensors, table.column(label).to_numpy())


def _read_records(files: list[str], features: FeatureSet, label: str, every: int, most: int) -> RawRows | None:
    """The same of gzipped TFRecords of tf.Examples."""
    dataset = tf.data.TFRecordDataset(files, compression_type="GZIP").shard(every, 0).batch(most)
    batch = next(iter(dataset.take(1)), None)
    if batch is None:
        return None
    dtypes = {Kind.NUMERIC: tf.float32, Kind.CATEGORICAL: tf.string}
    spec = {feature.name: tf.io.VarLenFeature(dtypes[feature.kind]) for feature in features.features}
    parsed = tf.io.parse_example(batch, {**spec, label: tf.io.FixedLenFeature([], tf.int64)})
    tensors = {}
    for feature in features.features:
        missing, dtype = _MISSING[feature.kind]
        values = tensors[feature.name] = np.full(len(batch), missing, dtype)
        row, position = parsed[feature.name].indices.numpy().T
        values[row[position == 0]] = parsed[feature.name].values.numpy()[position == 0]
    return RawRows(tensors, parsed[label].numpy())


def _log_losses(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    probability = np.clip(probability.astype(np.float64), _PROBABILITY_FLOOR, 1 - _PROBABILITY_FLOOR)
    return -np.where(label == 1, np.log(probability), np.log1p(-probability))
