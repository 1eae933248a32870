"""What the shared tuner_fn calls to tune the logistic family. A trial's score is its eval log loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras_tuner

from models.families.contract import TuningRows
from models.families.logistic.hyperparameters import Hyperparameters
from models.families.logistic.training import train
from models.log_loss import log_loss
from models.tuning import SearchSpace


def search_space(settings: Hyperparameters, rows: int) -> keras_tuner.HyperParameters:
    """The search space: how categories become columns.

    Each trial chooses its L2 strength on eval, unless the settings give one.
    """
    space = SearchSpace()
    space.integer("one_hot", 10, 1000, settings.one_hot, log=True)
    space.number("category_scale", 0.1, 3.0, settings.category_scale, log=True)
    return space.hyperparameters


def trial_score(rows: TuningRows, settings: Hyperparameters, folds: int) -> Callable[[dict[str, Any]], float]:
    """A function that trains a regression with a trial's values and returns its eval log loss; ignores `folds`."""

    def score(values: dict[str, Any]) -> float:
        regression = train(rows.training, rows.evaluation, rows.inputs, settings.with_values(values))
        return log_loss(rows.evaluation.label, regression.predict(rows.evaluation))

    return score
