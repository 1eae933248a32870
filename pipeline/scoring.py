"""Scores a split of raw Examples with SavedModels, in one pass over its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from tfx import types
from tfx.types import artifact_utils

from models.features import NOT_SET
from models.raw_training_data import UNIT
from models.signatures import EXAMPLES_SIGNATURE, OUTPUT
from pipeline.served_model import reason

_BATCH = 8192
# What a SavedModel that is damaged, or is none, raises when it is loaded or called.
MODEL_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, tf.errors.OpError)


class ScoringError(RuntimeError):
    """A model that cannot be loaded or called; `model` is its name, and the message names it too."""

    def __init__(self, model: str, problem: str):
        """Builds the message from the model's name and what is wrong with it."""
        super().__init__(f"model '{model}' {problem}")
        self.model = model


@dataclasses.dataclass(frozen=True)
class ScoredRows:
    """The rows of a split, in the order of its files, and what each model says of them.

    Attributes:
        label: int8 `[rows]`, 0 or 1.
        unit: `S32` `[rows]`, digest of the user.
        columns: by name, object (str) `[rows]`; "(not set)" where the value is missing.
        predictions: by the model's name, float64 `[rows]`; NaN is left as it is.
    """

    label: np.ndarray
    unit: np.ndarray
    columns: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]


def score_split(
    examples: types.Artifact,
    split: str,
    models: Mapping[str, str],
    *,
    label: str,
    columns: Sequence[str] = (),
    rows: int | None = None,
) -> ScoredRows:
    """Reads a split once, in batches, and calls every model on each batch.

    Args:
        examples: raw Examples, of our executor or the stock one.
        split: one of its splits.
        models: by name, the folder of a SavedModel with the signatures of models/export.py.
        label: the label's feature, int64.
        columns: string features to return, such as slices and the date.
        rows: only so many, from the start.

    Returns:
        All rows, or the first ones.

    Raises:
        ScoringError: a model cannot be loaded or called, or does not give one probability for each row.
        FileNotFoundError: the split has no files.
    """
    calls = {name: _signature(name, folder) for name, folder in models.items()}
    spec = {
        label: tf.io.FixedLenFeature([], tf.int64),
        UNIT: tf.io.FixedLenFeature([], tf.string),
        **{column: tf.io.VarLenFeature(tf.string) for column in columns},
    }
    labels, units = [np.empty(0, np.int8)], [np.empty(0, "S32")]
    texts: dict[str, list[np.ndarray]] = {column: [np.empty(0, object)] for column in columns}
    predictions: dict[str, list[np.ndarray]] = {name: [np.empty(0, np.float64)] for name in models}
    for batch in _batches(examples, split, rows):
        parsed = tf.io.parse_example(batch, spec)
        labels.append(parsed[label].numpy().astype(np.int8))
        units.append(parsed[UNIT].numpy().astype("S32"))
        for column in columns:
            texts[column].append(_strings(parsed[column]))
        for name, call in calls.items():
            predictions[name].append(_call(name, call, batch))
    return ScoredRows(
        label=np.concatenate(labels),
        unit=np.concatenate(units),
        columns={column: np.concatenate(parts) for column, parts in texts.items()},
        predictions={name: np.concatenate(parts) for name, parts in predictions.items()},
    )


def read_units(examples: types.Artifact, split: str) -> np.ndarray:
    """The distinct units of a split, `S32`, sorted. Raises FileNotFoundError if the split has no files."""
    spec = {UNIT: tf.io.FixedLenFeature([], tf.string)}
    found = [np.empty(0, "S32")]
    for batch in _batches(examples, split):
        found.append(np.unique(tf.io.parse_example(batch, spec)[UNIT].numpy().astype("S32")))
    return np.unique(np.concatenate(found))


def read_examples(examples: types.Artifact, split: str, rows: int) -> list[bytes]:
    """The first serialised tf.Examples of a split. Raises FileNotFoundError if the split has no files."""
    return [example for batch in _batches(examples, split, rows) for example in batch.numpy()]


def _batches(examples: types.Artifact, split: str, rows: int | None = None) -> Iterator[tf.Tensor]:
    """The serialised tf.Examples of a split, string `[at most 8192]` each, always in the same order."""
    folder = artifact_utils.get_split_uri([examples], split)
    files = sorted(tf.io.gfile.glob(f"{folder}/*"))
    if not files:
        raise FileNotFoundError(f"{folder}: no files of the split '{split}'")
    dataset = tf.data.TFRecordDataset(files, compression_type="GZIP")
    yield from (dataset if rows is None else dataset.take(rows)).batch(_BATCH).prefetch(1)


def _signature(name: str, folder: str) -> Any:
    """The model's `serving_default`; what it returns keeps the model alive."""
    try:
        return tf.saved_model.load(folder).signatures[EXAMPLES_SIGNATURE]
    except MODEL_ERRORS as error:
        raise ScoringError(name, f"cannot be loaded from {folder}: {reason(error)}") from error


def _call(name: str, call: Any, batch: tf.Tensor) -> np.ndarray:
    """Probabilities of a batch, float64 `[rows]`."""
    try:
        outputs = call(examples=batch)[OUTPUT].numpy()
    except MODEL_ERRORS as error:
        raise ScoringError(name, f"cannot be called: {reason(error)}") from error
    if outputs.size != len(batch):
        raise ScoringError(name, f"returns {outputs.shape} for {len(batch)} rows; must be one probability for each")
    return outputs.reshape(-1).astype(np.float64)


def _strings(values: tf.SparseTensor) -> np.ndarray:
    """A sparse string tensor `[rows, values]` as object (str) `[rows]`: each row's first value, or "(not set)"."""
    rows, positions = values.indices.numpy().T
    codes, distinct = pd.factorize(values.values.numpy()[positions == 0])
    column = np.full(values.dense_shape[0].numpy(), NOT_SET, object)
    column[rows[positions == 0]] = np.array([text.decode("utf-8", "replace") for text in distinct], object)[codes]
    return column
