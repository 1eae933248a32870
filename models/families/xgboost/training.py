"""Trains the booster of the XGBoost family: quantised batches, early stopping on the eval log loss."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import xgboost as xgb

from models.families.xgboost.hyperparameters import Hyperparameters
from models.features import FeatureSet
from models.training_data import TrainingData, concatenate

BOOSTER_FILE = "assets.extra/booster.ubj"  # in the SavedModel's folder, for XGBoost's own tools and for reasons
_PROGRESS = logging.getLogger("propensity.progress")
_TRAIN, _EVAL, _METRIC = "train", "eval", "logloss"  # XGBoost's names in its evaluation log
_ROUNDS_PER_POINT = 10  # of the training loss, and lines of progress
# With fewer cells per thread, another thread gains little; on busy cores, threads mostly wait for each other.
_CELLS_PER_THREAD = 1_500_000


def train(
    training: Iterable[TrainingData],
    evaluation: Iterable[TrainingData],
    features: FeatureSet,
    settings: Hyperparameters,
    log_dir: str | None = None,
) -> xgb.Booster:
    """Trains until the eval log loss stops falling or the rounds are used up. Two calls give the same booster.

    Classes are not weighted, so that the outputs stay probabilities. XGBoost starts the first tree from the share of
    positive training labels.

    Args:
        training: batches of rows to learn from. XGBoost 3.2 to 3.4 iterates over them 4 times and keeps only quantised
            values.
        evaluation: batches of rows that decide when training stops and which rounds are kept.
        features: the features.
        settings: hyperparameters.
        log_dir: folder for TensorBoard's curves; None if they are not wanted.

    Returns:
        The booster up to the round with the lowest eval log loss. All its trees count.
    """
    quantised = xgb.QuantileDMatrix(
        _Batches(training, features), max_bin=settings.max_bin, nthread=settings.threads, enable_categorical=True
    )
    # Not quantised like the training rows: a category that they lack would count as their last one.
    exact = _exact_matrix(concatenate(list(evaluation)), features, settings.threads)
    curves = tf.summary.create_file_writer(log_dir) if log_dir else tf.summary.create_noop_writer()
    stop = xgb.callback.EarlyStopping(rounds=settings.patience, metric_name=_METRIC, data_name=_EVAL, save_best=True)
    booster = xgb.train(
        {
            **settings.model_dump(exclude={"max_rounds", "patience", "threads"}),
            "objective": "binary:logistic",
            "eval_metric": _METRIC,
            "tree_method": "hist",
            "nthread": settings.threads or _worthwhile_threads(quantised.num_row() * quantised.num_col()),
        },
        quantised,
        settings.max_rounds,
        evals=[(exact, _EVAL)],
        callbacks=[stop, _Progress(quantised, settings.max_rounds, curves)],
        verbose_eval=False,
    )
    curves.close()
    return booster


def predict(booster: xgb.Booster, data: TrainingData, features: FeatureSet) -> np.ndarray:
    """The booster's probabilities, float32 `[rows]`, from its rounds up to the best one."""
    best = booster.attr("best_iteration")
    rounds = (0, int(best) + 1) if best else (0, 0)  # XGBoost uses all rounds by default; so does (0, 0)
    return booster.predict(_exact_matrix(data, features), iteration_range=rounds)


def columns(data: TrainingData) -> np.ndarray:
    """The rows in the booster's form: float32 `[rows, features]`, numbers first, then the categories' ranks."""
    matrix = np.empty((len(data), data.numbers.shape[1] + data.categories.shape[1]), np.float32)
    matrix[:, : data.numbers.shape[1]] = data.numbers
    matrix[:, data.numbers.shape[1] :] = data.categories
    return matrix


def column_names(features: FeatureSet) -> list[str]:
    """The features in the order of the booster's columns."""
    return [feature.name for feature in (*features.numeric, *features.categorical)]


def column_types(features: FeatureSet) -> list[str]:
    """XGBoost's types of these columns: `q` for a number, `c` for a category."""
    return ["q"] * len(features.numeric) + ["c"] * len(features.categorical)


def _exact_matrix(data: TrainingData, features: FeatureSet, threads: int = 0) -> xgb.DMatrix:
    return xgb.DMatrix(
        columns(data),
        label=data.label,
        feature_names=column_names(features),
        feature_types=column_types(features),
        nthread=threads,
        enable_categorical=True,
    )


def _worthwhile_threads(cells: int) -> int:
    return max(1, min(os.cpu_count() or 1, cells // _CELLS_PER_THREAD))


class _Batches(xgb.DataIter):
    """Passes batches to XGBoost one at a time, as often as it asks for them."""

    def __init__(self, batches: Iterable[TrainingData], features: FeatureSet) -> None:
        self._batches, self._features = batches, features
        self._waiting: Iterator[TrainingData] = iter(())
        super().__init__(release_data=True)
        self.reset()

    def reset(self) -> None:
        """Starts again with the first batch."""
        self._waiting = iter(self._batches)

    def next(self, input_data: Any) -> bool:
        """Passes the next batch to `input_data`; returns whether there was one."""
        batch = next(self._waiting, None)
        if batch is not None:
            input_data(
                data=columns(batch),
                label=batch.label,
                feature_names=column_names(self._features),
                feature_types=column_types(self._features),
            )
        return batch is not None


class _Progress(xgb.callback.TrainingCallback):
    """Writes TensorBoard's curves and logs progress.

    The eval loss, which decides when training stops, has a point for every round. The training loss takes as long as a
    tenth of a round, so it has a point for every tenth round.
    """

    def __init__(self, training: xgb.DMatrix, max_rounds: int, curves: tf.summary.SummaryWriter) -> None:
        super().__init__()
        self._training, self._max_rounds, self._curves = training, max_rounds, curves

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: dict[str, dict[str, list[float]]]) -> bool:
        """XGBoost calls this after each round; False lets training continue."""
        loss = evals_log[_EVAL][_METRIC][-1]
        with self._curves.as_default(epoch + 1):
            tf.summary.scalar("eval/log_loss", loss)
            if epoch % _ROUNDS_PER_POINT == 0:
                found = model.eval(self._training, _TRAIN, epoch)  # such as "[10]\ttrain-logloss:0.25"
                tf.summary.scalar("train/log_loss", float(found.rpartition(":")[2]))
                _PROGRESS.info("round %d of at most %d, eval log loss %.4f", epoch + 1, self._max_rounds, loss)
        return False

    def after_training(self, model: xgb.Booster) -> xgb.Booster:
        """XGBoost calls this at the end."""
        _PROGRESS.info("%d rounds kept, eval log loss %.4f", model.best_iteration + 1, model.best_score)
        return model
