"""A logistic regression as TensorFlow operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from models.families.logistic.training import Regression


class LinearGraph(tf.Module):
    """Maps the matrices of TrainingData to probabilities as the regression does."""

    def __init__(self, regression: Regression) -> None:
        """Splits the weights into those of numbers, of missing numbers, and of each category's values."""
        super().__init__()
        design = regression.design
        ends = np.cumsum([design.numbers, len(design.indicators), *design.widths])
        numbers, indicators, *categories, _ = np.split(regression.model.coef_[0], ends)
        missing = np.zeros(design.numbers)
        missing[list(design.indicators)] = indicators
        self._numbers, self._missing = (tf.constant(weights, tf.float32) for weights in (numbers, missing))
        self._categories = [tf.constant(weights * design.scale, tf.float32) for weights in categories]
        self.intercept = float(regression.model.intercept_[0])
        self._intercept = tf.constant(self.intercept, tf.float32)

    def __call__(self, numbers: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        """Numbers float32 `[rows, numbers]` and categories int32 `[rows, categories]` to float32 `[rows]`."""
        of_numbers, of_categories = self._terms(numbers, categories)
        log_odds = self._intercept + tf.reduce_sum(of_numbers, axis=1)
        for term in of_categories:
            log_odds += term
        return tf.sigmoid(log_odds)

    def terms(self, numbers: tf.Tensor, categories: tf.Tensor) -> tf.Tensor:
        """What each column adds to the log odds: float32 `[rows, numbers + categories]`; arguments as in a call."""
        of_numbers, of_categories = self._terms(numbers, categories)
        return tf.concat([of_numbers, *(term[:, tf.newaxis] for term in of_categories)], axis=1)

    def _terms(self, numbers: tf.Tensor, categories: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        of_numbers = tf.where(tf.math.is_nan(numbers), self._missing, numbers * self._numbers)
        of_categories = [
            tf.gather(weights, tf.minimum(categories[:, column], weights.shape[0] - 1))
            for column, weights in enumerate(self._categories)
        ]
        return of_numbers, of_categories
