"""Trains the logistic family: one regression for each L2 strength, from strong to weak, judged on eval."""

from __future__ import annotations

import copy
import dataclasses
import logging

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from models.families.contract import Inputs
from models.families.logistic.design import Design, learn_design
from models.families.logistic.hyperparameters import Hyperparameters
from models.log_loss import log_loss
from models.training_data import TrainingData

#: L2 strengths that the logistic family tries, strongest first, unless `training.logistic.l2` names one.
STRENGTHS = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
#: Largest slope of the mean log loss at which the solver of the logistic family stops.
_TOLERANCE = 1e-6
_PROGRESS = logging.getLogger("propensity.progress")


@dataclasses.dataclass(frozen=True)
class Regression:
    """A fitted regression and its columns."""

    design: Design
    model: LogisticRegression

    def predict(self, data: TrainingData) -> np.ndarray:
        """Probabilities, float32 `[rows]`."""
        return self.model.predict_proba(self.design.matrix(data))[:, 1].astype(np.float32)


def train(
    training: TrainingData,
    evaluation: TrainingData,
    inputs: Inputs,
    settings: Hyperparameters,
    log_dir: str | None = None,
) -> Regression:
    """Fits the regression for each strength and keeps the one with the lowest eval log loss.

    Each fit starts from the weights of the last. Two calls give the same regression.

    Args:
        training: rows to learn from.
        evaluation: rows that choose the strength.
        inputs: what the columns are.
        settings: hyperparameters.
        log_dir: folder for TensorBoard's curves, if they are wanted.

    Raises:
        ValueError: the training labels are all the same.
    """
    if training.label.min() == training.label.max():
        raise ValueError(f"all {len(training):,} training rows have the label {training.label[0]:g}; both are needed")
    design = learn_design(training, inputs, settings)
    columns, eval_columns = design.matrix(training), design.matrix(evaluation)
    strengths = (settings.l2,) if settings.l2 else STRENGTHS
    model = LogisticRegression(tol=_TOLERANCE, max_iter=settings.max_iterations, warm_start=True)
    curves = tf.summary.create_file_writer(log_dir) if log_dir else tf.summary.create_noop_writer()
    best, best_loss, since_best = model, np.inf, 0
    for step, strength in enumerate(strengths, start=1):
        model.set_params(C=1 / strength).fit(columns, training.label)
        train_loss, eval_loss = (
            log_loss(data.label, model.predict_proba(matrix)[:, 1])
            for data, matrix in ((training, columns), (evaluation, eval_columns))
        )
        with curves.as_default(step):
            tf.summary.scalar("train/log_loss", train_loss)
            tf.summary.scalar("eval/log_loss", eval_loss)
        _PROGRESS.info("L2 strength %g, eval log loss %.4f", strength, eval_loss)
        since_best += 1
        if eval_loss < best_loss:
            best, best_loss, since_best = copy.deepcopy(model), eval_loss, 0
        if since_best >= settings.patience:
            break
    curves.close()
    _PROGRESS.info("L2 strength %g kept, eval log loss %.4f", 1 / best.C, best_loss)
    return Regression(design, best)
