"""Reasons of the Keras family, which the SavedModel computes; see rescale_rule.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.families.contract import Attributions
from models.families.keras.batch_ensemble import embedding
from models.families.keras.rescale_rule import RescaleRule
from models.features import FeatureSet
from models.tensors import feature_order, matrices
from models.training_data import TrainingData

METHOD = (
    "DeepLIFT's Rescale rule (Shrikumar et al. 2017) on the embedded features, against their mean over training rows: "
    "an approximation of Shapley values that adds up to the log odds."
)
_REFERENCE_ROWS = 10_000


def load_contributions(folder: str, model: Any, features: FeatureSet) -> Callable[[dict[str, Any]], np.ndarray]:
    """As contract.AttributionModule; the SavedModel computes them."""
    return lambda transformed: model.contributions(transformed).numpy()


def attributions(network: keras.Model, training: TrainingData, features: FeatureSet) -> Attributions:
    """How a network's scores are explained; the reference is the mean of the embedded training rows."""
    embed, owners = embedding(network)
    sample = training.sample(_REFERENCE_ROWS)
    reference = embed([sample.numbers, sample.categories]).numpy().mean(axis=0, dtype=np.float64).astype(np.float32)
    rule = RescaleRule(network, reference)
    by_feature = np.eye(len(features.names), dtype=np.float32)[owners][:, feature_order(features)]

    def contributions(transformed: dict[str, tf.Tensor]) -> tf.Tensor:
        return rule(embed(list(matrices(transformed, features)))) @ tf.constant(by_feature)

    return Attributions(METHOD, rule.baseline, contributions)
