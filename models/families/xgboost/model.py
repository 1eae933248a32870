"""What the shared run_fn calls to train the XGBoost family; see models/families/contract.py."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf

from models.families.contract import Attributions, FittedModel, Inputs
from models.families.xgboost import attribution
from models.families.xgboost.booster_format import parse_booster
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.training import BOOSTER_FILE, column_names, predict, train
from models.families.xgboost.tree_graph import TreeGraph
from models.features import FeatureSet
from models.training_data import TrainingData

READS_REPEATEDLY = True


def fit(
    training: Iterable[TrainingData],
    evaluation: TrainingData,
    inputs: Inputs,
    settings: Hyperparameters,
    log_dir: str | None,
) -> FittedModel:
    """Trains the booster batch by batch; the arguments are those of contract.ModelModule.

    Raises:
        UnsupportedBoosterError: the booster cannot be written as TensorFlow operations.
    """
    features = inputs.features
    booster = train(training, [evaluation], features, settings, log_dir)
    trees = TreeGraph(parse_booster(booster))
    return FittedModel(
        predict=lambda data: predict(booster, data, features),
        score=lambda transformed: trees(booster_inputs(transformed, features)),
        variables=[trees],
        attributions=Attributions(attribution.METHOD, attribution.baseline(booster, features)),
        files={BOOSTER_FILE: bytes(booster.save_raw("ubj"))},
    )


def booster_inputs(transformed: dict[str, tf.Tensor], features: FeatureSet) -> tf.Tensor:
    """The booster's columns from transformed features: float32 `[batch, features]`."""
    return tf.stack([tf.cast(transformed[name], tf.float32) for name in column_names(features)], axis=1)
