"""What the shared tuner_fn calls to tune the Keras family. A trial's score is the eval log loss of its network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import keras_tuner

from models.families.contract import TuningRows
from models.families.keras.hyperparameters import HIDDEN_UNITS, Hyperparameters
from models.families.keras.training import compile_predict, train
from models.log_loss import log_loss
from models.tuning import SearchSpace


def search_space(settings: Hyperparameters, rows: int) -> keras_tuner.HyperParameters:
    """The search space: ranges around the settings for this number of training rows."""
    settings = settings.for_rows(rows)
    space = SearchSpace()
    space.number("learning_rate", 5e-4, 2e-2, settings.learning_rate, log=True)
    space.integer(HIDDEN_UNITS, 32, 256, settings.hidden[0], log=True)
    space.number("dropout", 0.0, 0.4, settings.dropout)
    space.integer("embedding", 4, 16, settings.embedding, log=True)
    space.integer("bins", 4, 64, settings.bins, log=True)
    return space.hyperparameters


def trial_score(rows: TuningRows, settings: Hyperparameters, folds: int) -> Callable[[dict[str, Any]], float]:
    """A function that trains a network with a trial's values and returns its lowest eval log loss; ignores `folds`."""

    def score(values: dict[str, Any]) -> float:
        keras.utils.clear_session()  # the last trial's graphs
        chosen = settings.with_values(values)
        network = train(rows.training, rows.evaluation, rows.inputs.features, rows.inputs.vocabularies, chosen)
        return log_loss(rows.evaluation.label, compile_predict(network)(rows.evaluation))

    return score
