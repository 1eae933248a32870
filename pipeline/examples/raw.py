"""Raw examples as transformed arrays, and the user of each row, which transformed examples no longer have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import tensorflow as tf

from models.features import FeatureSet
from models.training_data import TrainingData
from pipeline.examples import files
from pipeline.examples.list_columns import first_values

if TYPE_CHECKING:
    import tensorflow_transform as tft

UNIT = "unit"  # the feature that says whose row it is: a digest of the user, 32 hexadecimal digits


def read_raw_training_data(
    patterns: list[str], transform_output: tft.TFTransformOutput, features: FeatureSet, label: str
) -> tuple[TrainingData, np.ndarray]:
    """Reads the raw examples of a split and transforms them.

    Args:
        patterns: file patterns, as in `fn_args.train_files`, of Parquet files or TFRecords of tf.Examples.
        transform_output: the transform graph.
        features: the features, in the order wanted.
        label: the label's name.

    Returns:
        The rows as read_training_data returns them, and the unit of each, `S32` `[rows]`.

    Raises:
        LostExamplesError: there are no files, or one of them is damaged.
        KeyError: a Parquet file lacks a column.
        ValueError: there are no rows.
    """
    spec = {**transform_output.raw_feature_spec(), UNIT: tf.io.FixedLenFeature([], tf.string)}
    transform = transform_output.transform_features_layer()

    def transformed(raw: dict[str, tf.Tensor | tf.SparseTensor]) -> tuple[tf.Tensor, ...]:
        units = raw.pop(UNIT)
        outputs = transform(raw)
        columns = (
            _matrix([outputs[feature.name] for feature in chosen], tf.size(units), dtype)
            for chosen, dtype in ((features.numeric, tf.float32), (features.categorical, tf.int32))
        )
        return (*columns, tf.cast(outputs[label], tf.float32), units)

    batches = files.record_batches(files.matching(*patterns), list(spec))
    parts = [tuple(column.numpy() for column in transformed(_tensors(batch, spec))) for batch in batches]
    if not parts:
        raise ValueError("no raw examples to read")
    numbers, categories, labels, units = (np.concatenate(column) for column in zip(*parts, strict=True))
    return TrainingData(numbers, categories, labels), units.astype("S32")


def _tensors(batch: pa.RecordBatch, spec: Mapping[str, Any]) -> dict[str, tf.Tensor | tf.SparseTensor]:
    """What tf.io.parse_example would return for the batch's rows; lists have at most one value."""
    tensors = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values = first_values(column)
        known = tf.constant(values.drop_null().to_numpy(zero_copy_only=False), spec[name].dtype)
        if isinstance(spec[name], tf.io.VarLenFeature):
            rows = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
            places = np.stack([rows, np.zeros_like(rows)], axis=1)
            tensors[name] = tf.SparseTensor(places, known, [batch.num_rows, 1])
        else:
            tensors[name] = tf.reshape(known, [batch.num_rows, *spec[name].shape])
    return tensors


def _matrix(columns: list[tf.Tensor], rows: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Columns `[rows]` side by side, `[rows, columns]`; there may be none."""
    return tf.stack([tf.cast(column, dtype) for column in columns], axis=1) if columns else tf.zeros([rows, 0], dtype)
