"""What the shared tuner_fn calls to tune the XGBoost family. A trial's score is a log loss cross-validated by user.

The training users are divided into folds. For each fold, a booster learns from the other folds, stops early on the
eval split as in the Trainer, and predicts the fold. The score therefore contains neither rows that the booster learnt
from nor rows that chose its number of rounds, and no user is on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras_tuner
import numpy as np

from models.families.contract import TuningRows
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.training import predict, train
from models.log_loss import log_loss
from models.training_data import TrainingData
from models.tuning import SearchSpace


def search_space(settings: Hyperparameters, rows: int) -> keras_tuner.HyperParameters:
    """The search space: ranges around the settings, the same for any number of rows.

    `max_rounds` is a limit, as in the Trainer: eval may stop training earlier.
    """
    space = SearchSpace()
    space.number("learning_rate", 0.01, 0.3, settings.learning_rate, log=True)
    space.integer("max_rounds", 100, settings.max_rounds, settings.max_rounds, log=True)
    space.integer("max_depth", 2, 10, settings.max_depth)
    space.number("min_child_weight", 0.3, 30.0, settings.min_child_weight, log=True)
    space.number("gamma", 0.0, 5.0, settings.gamma)
    space.number("reg_lambda", 0.1, 30.0, settings.reg_lambda, log=True)
    space.number("subsample", 0.5, 1.0, settings.subsample)
    space.number("colsample_bytree", 0.4, 1.0, settings.colsample_bytree)
    space.integer("max_cat_to_onehot", 4, 128, settings.max_cat_to_onehot, log=True)
    return space.hyperparameters


def trial_score(rows: TuningRows, settings: Hyperparameters, folds: int) -> Callable[[dict[str, Any]], float]:
    """A function that trains a booster for each fold with a trial's values and returns the log loss of all rows.

    Raises:
        ValueError: training has fewer users than folds.
    """
    training, features = rows.training, rows.inputs.features
    fold_of_row = deal_into_folds(rows.units, folds, settings.seed)

    def score(values: dict[str, Any]) -> float:
        chosen = settings.with_values(values)
        probability = np.empty(len(training), np.float32)
        for fold in range(folds):
            inside = fold_of_row == fold
            booster = train([_rows(training, ~inside)], [rows.evaluation], features, chosen)
            probability[inside] = predict(booster, _rows(training, inside), features)
        return log_loss(training.label, probability)

    return score


def deal_into_folds(units: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row, int64 `[rows]`, 0 to `folds` - 1.

    Rows of one unit share a fold. The numbers of units in the folds differ by one at most.

    Raises:
        ValueError: there are fewer units than folds.
    """
    distinct, unit_of_row = np.unique(units, return_inverse=True)
    if len(distinct) < folds:
        raise ValueError(
            f"{len(distinct)} training users cannot be divided into {folds} folds; lower training.tuning.folds in "
            "dataset.yaml"
        )
    fold_of_unit = np.random.default_rng(seed).permutation(len(distinct)) % folds
    return fold_of_unit[unit_of_row.reshape(-1)]


def _rows(data: TrainingData, mask: np.ndarray) -> TrainingData:
    """The rows where the mask, bool `[rows]`, is true."""
    return TrainingData(data.numbers[mask], data.categories[mask], data.label[mask])
