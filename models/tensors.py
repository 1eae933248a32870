"""Transformed features as the matrices of TrainingData, in a TensorFlow graph."""

from __future__ import annotations

import tensorflow as tf

from models.features import FeatureSet


def matrices(transformed: dict[str, tf.Tensor], features: FeatureSet) -> tuple[tf.Tensor, tf.Tensor]:
    """Columns in the order of the features, as models.training_data.TrainingData has them.

    Args:
        transformed: transformed features by name, each `[batch]`.
        features: the features.

    Returns:
        The numbers, float32 `[batch, numeric features]`, and the categories, int32 `[batch, categorical features]`.
        Either may have no columns.
    """
    rows = tf.shape(transformed[features.names[0]])[0]
    numbers, categories = (
        tf.stack([tf.cast(transformed[feature.name], dtype) for feature in chosen], axis=1)
        if chosen
        else tf.zeros([rows, 0], dtype)
        for chosen, dtype in ((features.numeric, tf.float32), (features.categorical, tf.int32))
    )
    return numbers, categories


def feature_order(features: FeatureSet) -> list[int]:
    """For each feature, its column when numbers come first and categories after them, as in `matrices`."""
    names = [feature.name for feature in (*features.numeric, *features.categorical)]
    return [names.index(name) for name in features.names]
