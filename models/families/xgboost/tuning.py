"""Tunes the XGBoost family: TFX's Tuner calls `tuner_fn`. A trial's score is a log loss cross-validated by user.

The training users are dealt into folds. For each fold a booster learns from the other folds and stops by the eval
split, just as the Trainer's does, and predicts the rows of the fold. So neither the rows that it learnt from nor those
that chose its number of rounds are in the score, and no user is on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras_tuner
import numpy as np
import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from models.families.keras.training import log_loss
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.training import predict, train
from models.features import FeatureSet
from models.trainer_arguments import hyperparameters_of
from models.training_data import TrainingData
from models.tuned import with_values
from models.tuning import ScoreTuner, SearchSpace, choose_oracle
from pipeline.examples.raw import read_raw_training_data

if TYPE_CHECKING:
    from tfx.v1.components import FnArgs


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares the search on raw examples.

    Args:
        fn_args: the Tuner's; `custom_config` holds `features` (FeatureSet.to_config()), `label`, `hyperparameters` (the
            family's settings, which the first trial has) and `tuning` (with `search`, `trials` and `folds`).

    Raises:
        SettingsError: the features or hyperparameters are not valid.
        ValueError: a split has no rows, or training has fewer users than folds.
    """
    config = fn_args.custom_config
    features, label = FeatureSet.from_config(config["features"]), config["label"]
    settings = hyperparameters_of(fn_args, Hyperparameters)
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    (training, units), (evaluation, _) = (
        read_raw_training_data(files, transform_output, features, label)
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    tuning = config["tuning"]
    oracle = choose_oracle(tuning["search"], search_space(settings), tuning["trials"], settings.seed)
    folds = deal_into_folds(units, tuning["folds"], settings.seed)
    score = _cross_validated_log_loss(training, folds, evaluation, features, settings)
    return TunerFnResult(ScoreTuner(score, oracle, fn_args.working_dir), fit_kwargs={})


def search_space(settings: Hyperparameters) -> keras_tuner.HyperParameters:
    """What is searched, around the settings. `max_rounds` is a limit, as in the Trainer: eval may stop before."""
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


def deal_into_folds(units: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row, int64 `[rows]`, 0 to `folds` - 1: the same for all rows of a unit; as many units in each.

    Raises:
        ValueError: there are fewer units than folds.
    """
    distinct, unit_of_row = np.unique(units, return_inverse=True)
    if len(distinct) < folds:
        raise ValueError(f"{len(distinct)} training users can't be dealt into {folds} folds; set training.tuning.folds")
    fold_of_unit = np.random.default_rng(seed).permutation(len(distinct)) % folds
    return fold_of_unit[unit_of_row.reshape(-1)]


def _cross_validated_log_loss(
    training: TrainingData, folds: np.ndarray, evaluation: TrainingData, features: FeatureSet, settings: Hyperparameters
) -> Callable[[dict[str, Any]], float]:
    """A function that trains a booster for each fold by a trial's values, and returns the log loss of all rows."""

    def score(values: dict[str, Any]) -> float:
        chosen = with_values(values, settings)
        probability = np.empty(len(training), np.float32)
        for fold in range(folds.max() + 1):
            inside = folds == fold
            booster = train([_rows(training, ~inside)], [evaluation], features, chosen)
            probability[inside] = predict(booster, _rows(training, inside), features)
        return log_loss(training.label, probability)

    return score


def _rows(data: TrainingData, mask: np.ndarray) -> TrainingData:
    """The rows where the mask, bool `[rows]`, is true."""
    return TrainingData(data.numbers[mask], data.categories[mask], data.label[mask])
