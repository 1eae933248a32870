"""What all three programs share of the two models: network, loss, optimizer, XGBoost's parameters.

Our own trainers use those in models/. The trainers of the stock pipeline and of the floor use this module.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.families.keras.batch_ensemble import build_network, learn_columns
from models.families.keras.hyperparameters import Hyperparameters
from models.families.xgboost.hyperparameters import Hyperparameters as XGBoostHyperparameters
from models.features import FeatureSet, Kind, Missing

_LEAST_PRIOR = 1e-3


def untrained_network(
    numbers: np.ndarray,
    label: np.ndarray,
    vocabularies: tuple[int, ...],
    features: FeatureSet,
    settings: Hyperparameters,
) -> keras.Model:
    """The Keras family's network.

    Args:
        numbers: float32 `[rows, numbers]`, a sample of the transformed training rows, from which bins are learnt.
        label: their labels, `[rows]`.
        vocabularies: for each category, how many values its vocabulary has.
        features: the features, for what missing means.
        settings: hyperparameters.
    """
    told = tuple(feature.missing is Missing.INDICATOR for feature in features.numeric)
    columns = learn_columns(numbers, vocabularies, told, settings.bins)
    prior = float(np.clip(label.mean(), _LEAST_PRIOR, 1 - _LEAST_PRIOR))
    return build_network(columns, settings, prior)


def compile_network(network: keras.Model, settings: Hyperparameters, **options: Any) -> None:
    """Compiles it for `fit` with the family's optimizer and loss; `options` are passed to Keras's `compile`."""
    optimizer = keras.optimizers.Adam(settings.learning_rate, use_ema=True, ema_momentum=settings.averaging)
    network.compile(optimizer, loss=members_log_loss, **options)


def members_log_loss(label: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean of the members' cross-entropies, float32 `[batch]`, for labels `[batch]` and logits `[batch, members]`."""
    target = tf.repeat(tf.reshape(label, [-1, 1]), logits.shape[1], axis=1)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(target, logits), axis=1)


def xgboost_parameters(settings: XGBoostHyperparameters) -> dict[str, Any]:
    """XGBoost's parameters for the family's hyperparameters; all cores by default."""
    return {
        **settings.model_dump(exclude={"max_rounds", "patience", "threads"}),
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "tree_method": "hist",
        "nthread": settings.threads or os.cpu_count(),
    }


def column_types(features: FeatureSet) -> list[str]:
    """XGBoost's type of each feature: `q` for a number, `c` for a category."""
    return ["c" if feature.kind is Kind.CATEGORICAL else "q" for feature in features.features]
