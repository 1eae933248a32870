"""Raw examples as arrays: what training_data.py reads from transformed ones, and whose row each is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from models.features import FeatureSet
from models.training_data import TrainingData

if TYPE_CHECKING:
    import tensorflow_transform as tft

UNIT = "unit"  # the feature of raw examples that says whose row it is: a user's digest, 32 hexadecimal digits

_ROWS_PER_BATCH = 8_192


def read_raw_training_data(
    patterns: list[str], transform_output: tft.TFTransformOutput, features: FeatureSet, label: str
) -> tuple[TrainingData, np.ndarray]:
    """Reads the raw examples of a split and transforms them. Only these say whose row it is.

    Args:
        patterns: file patterns of gzipped TFRecords of tf.Examples, as `fn_args.train_files` has them.
        transform_output: the transform graph's folder.
        features: the features, in the order wanted.
        label: the label's name.

    Returns:
        The rows as read_training_data has them, and the unit of each, `S32` `[rows]`.

    Raises:
        ValueError: there are no rows.
    """
    spec = {**transform_output.raw_feature_spec(), UNIT: tf.io.FixedLenFeature([], tf.string)}
    transform = transform_output.transform_features_layer()

    def parse_and_transform(examples: tf.Tensor) -> tuple[tf.Tensor, ...]:
        raw = tf.io.parse_example(examples, spec)
        units = raw.pop(UNIT)
        transformed = transform(raw)
        columns = (
            _matrix([transformed[feature.name] for feature in chosen], tf.size(units), dtype)
            for chosen, dtype in ((features.numeric, tf.float32), (features.categorical, tf.int32))
        )
        return (*columns, tf.cast(transformed[label], tf.float32), units)

    files = sorted(tf.io.gfile.glob(patterns))
    batches = tf.data.TFRecordDataset(files, "GZIP").batch(_ROWS_PER_BATCH).map(parse_and_transform, tf.data.AUTOTUNE)
    parts = list(batches.as_numpy_iterator())
    if not parts:
        raise ValueError("no raw examples to read")
    numbers, categories, labels, units = (np.concatenate(column) for column in zip(*parts, strict=True))
    return TrainingData(numbers, categories, labels), units.astype("S32")


def _matrix(columns: list[tf.Tensor], rows: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Columns `[rows]` side by side, `[rows, columns]`; there may be none."""
    return tf.stack([tf.cast(column, dtype) for column in columns], axis=1) if columns else tf.zeros([rows, 0], dtype)
