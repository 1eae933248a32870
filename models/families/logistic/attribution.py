"""Reasons of the logistic family: what a value adds to the log odds, less what it adds on average."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from models.families.contract import Attributions
from models.families.logistic.linear_graph import LinearGraph
from models.features import FeatureSet
from models.tensors import feature_order, matrices
from models.training_data import TrainingData

METHOD = (
    "Exact: the feature's weight times the difference between its value and the mean of the training rows; these are "
    "the Shapley values of the log odds."
)
_ROWS_PER_CALL = 8_192


def load_contributions(folder: str, model: Any, features: FeatureSet) -> Callable[[dict[str, Any]], np.ndarray]:
    """As contract.AttributionModule; the SavedModel computes them."""
    return lambda transformed: model.contributions(transformed).numpy()


def attributions(graph: LinearGraph, training: TrainingData, features: FeatureSet) -> Attributions:
    """How a regression's scores are explained; the means are those of the training rows."""
    total = np.zeros(len(features.names))
    for start in range(0, len(training), _ROWS_PER_CALL):
        rows = slice(start, start + _ROWS_PER_CALL)
        total += graph.terms(training.numbers[rows], training.categories[rows]).numpy().sum(axis=0, dtype=np.float64)
    means, order = total / len(training), feature_order(features)

    def contributions(transformed: dict[str, tf.Tensor]) -> tf.Tensor:
        terms = graph.terms(*matrices(transformed, features)) - tf.constant(means, tf.float32)
        return tf.gather(terms, order, axis=1)

    return Attributions(METHOD, graph.intercept + float(means.sum()), contributions)
