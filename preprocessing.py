"""The transform graph: raw features to model inputs, the same for every model family and for serving.

Outputs keep the raw names. A number becomes its place among the training rows, as a standard normal (NaN where it is
missing). The map is monotone, so trees lose nothing by it, and heavy tails or a mass of zeros, which defeat z-scores,
do no harm. A category becomes its rank in the vocabulary, most frequent first. One bucket after the last rank holds
all values that the vocabulary lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.features import CLIP, DEFAULT_QUANTILES, NOT_SET, Feature, FeatureSet, Missing

#: Error of the approximate quantiles, as a share of one quantile's width.
_QUANTILE_ERROR = 0.1
# Weight of the row of zeros that stands in for a column without any value; too small to move a quantile.
_PADDING_WEIGHT = 1e-9
# A vocabulary file has one value a line, and TFT leaves out values with line breaks. Unicode has a symbol for each.
_LINE_BREAKS = {"\n": "\u240a", "\r": "\u240d"}

Tensors = dict[str, Any]  # tf.Tensor or tf.SparseTensor by feature name


def preprocessing_fn(inputs: Tensors, custom_config: dict[str, Any]) -> dict[str, tf.Tensor]:
    """Builds the transform graph; TFX's Transform component calls it.

    Args:
        inputs: raw features, each dense `[batch]` or `[batch, 1]`, or sparse with at most one value per row.
        custom_config: `features` (FeatureSet.to_config()), `label` (its name) and, optionally, `quantiles` (the number
            of parts into which the training values of a number are divided).

    Returns:
        For each number float32 `[batch]`, for each category int64 `[batch]`, for the label int64 `[batch]`.

    Raises:
        SettingsError: the features in `custom_config` are not valid.
        KeyError: an input or a key of `custom_config` is missing.
    """
    features = FeatureSet.from_config(custom_config["features"])
    label = custom_config["label"]
    quantiles = int(custom_config.get("quantiles", DEFAULT_QUANTILES))

    outputs = {label: tf.cast(_dense(inputs[label], default=0), tf.int64)}
    if features.numeric:
        # One matrix: one analyzer and one search for all numbers, instead of one for each.
        values = _numbers(inputs, features.numeric)
        normal = tf.unstack(to_normal(values, _boundaries(values, quantiles)), axis=1)
        outputs |= {feature.name: column for feature, column in zip(features.numeric, normal, strict=True)}
    outputs |= {feature.name: _vocabulary_rank(inputs[feature.name], feature) for feature in features.categorical}
    return outputs


def to_normal(values: tf.Tensor, boundaries: tf.Tensor) -> tf.Tensor:
    """Maps each column's values to a standard normal by the column's quantiles.

    A value between two boundaries is interpolated. A value that equals several boundaries gets the middle of their
    ranks, so a mass at zero lies where its middle lies. A value outside, infinity included, is clipped. A constant
    column is 0 everywhere.

    No output is a denormal number, for which TreeGraph and XGBoost could disagree: next to the median, where the
    normal is 0, ranks are multiples of 2^-54, so other outputs are at least 1e-16 in size.

    Args:
        values: float32 `[batch, columns]`; NaN is missing.
        boundaries: float32 `[columns, n + 1]`, ascending: the minimum, n - 1 quantiles, the maximum.

    Returns:
        float32 `[batch, columns]` in [-CLIP, CLIP], NaN where `values` is NaN.
    """
    by_column = tf.transpose(values)
    known = tf.where(tf.math.is_nan(by_column), boundaries[:, :1], by_column)
    last = tf.shape(boundaries)[1] - 1
    below = tf.searchsorted(boundaries, known, side="left")  # how many boundaries are smaller
    up_to = tf.searchsorted(boundaries, known, side="right")  # how many are smaller or equal

    left = tf.clip_by_value(below - 1, 0, last)
    right = tf.clip_by_value(below, 0, last)
    low = tf.cast(tf.gather(boundaries, left, batch_dims=1), tf.float64)
    high = tf.cast(tf.gather(boundaries, right, batch_dims=1), tf.float64)
    between = tf.cast(left, tf.float64) + tf.math.divide_no_nan(tf.cast(known, tf.float64) - low, high - low)
    on_boundary = tf.cast(below + up_to - 1, tf.float64) / 2
    rank = tf.where(up_to > below, on_boundary, between) / tf.cast(last, tf.float64)

    constant = boundaries[:, :1] == boundaries[:, -1:]
    rank = tf.where(constant, tf.constant(0.5, tf.float64), rank)
    normal = tf.clip_by_value(tf.math.ndtri(rank), -CLIP, CLIP)
    normal = tf.where(tf.math.is_nan(by_column), tf.constant(float("nan"), tf.float64), normal)
    return tf.transpose(tf.cast(normal, tf.float32))


def _boundaries(values: tf.Tensor, quantiles: int) -> tf.Tensor:
    """Minimum, quantiles and maximum of each column over the training rows: float32 `[columns, quantiles + 1]`."""
    columns = values.shape[1]
    present = tf.logical_not(tf.math.is_nan(values))
    extremes = tft.max(
        tf.concat([tf.where(present, values, values.dtype.min), tf.where(present, -values, values.dtype.min)], axis=1),
        reduce_instance_dims=False,
    )
    highest, lowest = extremes[:columns], -extremes[columns:]
    # The analyzer ignores NaN, but fails on a column of NaN alone.
    padded = tf.concat([values, tf.zeros([1, columns])], axis=0)
    weights = tf.concat([tf.ones([tf.shape(values)[0]]), [_PADDING_WEIGHT]], axis=0)
    inner = tft.quantiles(
        padded, quantiles, epsilon=_QUANTILE_ERROR / quantiles, weights=weights, reduce_instance_dims=False
    )
    # Approximate quantiles may not reach the ends of the range, and the padding may push them out of it.
    empty = highest < lowest
    lowest, highest = tf.where(empty, 0.0, lowest), tf.where(empty, 0.0, highest)
    inner = tf.clip_by_value(inner, lowest[:, tf.newaxis], highest[:, tf.newaxis])
    return tf.concat([lowest[:, tf.newaxis], inner, highest[:, tf.newaxis]], axis=1)


def _numbers(inputs: Tensors, features: Sequence[Feature]) -> tf.Tensor:
    """Raw numbers as float32 `[batch, columns]`: a missing one is NaN, or 0 if the feature's policy says so."""
    columns = [tf.cast(inputs[feature.name], tf.float32) for feature in features]
    is_sparse = [isinstance(column, tf.SparseTensor) for column in columns]
    sparse, dense = np.flatnonzero(is_sparse), np.flatnonzero(np.logical_not(is_sparse))
    parts = []
    if sparse.size:
        parts.append(_side_by_side([columns[index] for index in sparse]))
    if dense.size:
        parts.append(tf.stack([tf.reshape(columns[index], [-1]) for index in dense], axis=1))
    numbers = parts[0]
    if len(parts) > 1:
        numbers = tf.gather(tf.concat(parts, axis=1), np.argsort(np.concatenate([sparse, dense])), axis=1)
    zero = [feature.missing is Missing.ZERO for feature in features]
    return tf.where(tf.math.is_nan(numbers) & zero, 0.0, numbers) if any(zero) else numbers


def _side_by_side(columns: Sequence[tf.SparseTensor]) -> tf.Tensor:
    """Sparse columns of at most one value a row as float32 `[batch, columns]`, NaN where a row has none.

    All columns take a few operations together, since a graph with some for each of many columns is slow to build.
    """
    places = tf.concat([column.indices for column in columns], axis=0)[:, 1]
    one_value = tf.debugging.assert_less(places, tf.constant(1, tf.int64), "a number has several values in one row")
    with tf.control_dependencies([one_value]):
        shape = tf.stack([columns[0].dense_shape[0], 1])
    together = tf.sparse.concat(1, [tf.SparseTensor(each.indices, each.values, shape) for each in columns])
    return tf.ensure_shape(tf.sparse.to_dense(together, default_value=float("nan")), [None, len(columns)])


def _vocabulary_rank(values: tf.Tensor | tf.SparseTensor, feature: Feature) -> tf.Tensor:
    """A raw category as int64 `[batch]`: its rank in the vocabulary, or the vocabulary's size if it is not in there."""
    category = _dense(values, default="")
    for line_break, symbol in _LINE_BREAKS.items():
        category = tf.strings.regex_replace(category, line_break, symbol)
    return tft.compute_and_apply_vocabulary(
        tf.where(category == "", NOT_SET, category),
        top_k=feature.vocabulary,
        num_oov_buckets=1,
        vocab_filename=feature.name,
    )


def _dense(values: tf.Tensor | tf.SparseTensor, default: Any) -> tf.Tensor:
    """One value per row, `[batch]`; `default` where a sparse tensor has none."""
    if isinstance(values, tf.SparseTensor):
        values = tft.sparse_tensor_to_dense_with_shape(values, [None, 1], default_value=default)
    return tf.reshape(values, [-1])
