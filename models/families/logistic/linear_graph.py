"""A logistic regression as TensorFlow operations."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from models.families.logistic.training import Regression


class LinearGraph(tf.Module):
    """Maps the matrices of TrainingData to probabilities as the regression does."""

    def __init__(self, regression: Regression) -> None:
        """Takes the weights apart: those of numbers, of missing numbers, and of each category's values."""
        super().__init__()
        design = regression.design
        ends = np.cumsum([design.numbers, len(design.indicators), *design.widths])
        numbers, indicators, *categories, _ = np.split(regression.model.coef_[0], ends)
        missing = np.zeros(design.numbers)
        missing[list(design.indicators)] = indicators
        self._numbers, self._missing = (tf.constant(weights, tf.float32) for weights in (numbers, missing))
        self._categories = [tf.constant(weights * design.scale, tf.float32) for weights in categories]
        self._intercept = tf.constant(regression.model.intercept_[0], tf.float32)

    def __call__(self, numbers: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        """Numbers float32 `[rows, numbers]` and categories int32 `[rows, categories]` to float32 `[rows]`."""
        log_odds = tf.where(tf.math.is_nan(numbers), self._missing, numbers * self._numbers)
        log_odds = self._intercept + tf.reduce_sum(log_odds, axis=1)
        for column, weights in enumerate(self._categories):
            log_odds += tf.gather(weights, tf.minimum(categories[:, column], weights.shape[0] - 1))
        return tf.sigmoid(log_odds)
