"""Contributions of a model's features to the log odds of its scores, from the model's folder alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from models.description import read_description
from models.families.contract import load_attribution_module
from models.features import FeatureSet

#: Largest difference between log odds and the sum of baseline and contributions, beyond the rounding of a probability.
TOLERANCE = 1e-4
_ROWS_PER_CALL = 2_048
_ROUNDINGS = 8  # of a float32 probability, by which the log odds of two computations may differ

Contributions = Callable[[dict[str, Any]], np.ndarray]


class AttributionMismatchError(RuntimeError):
    """Baseline and contributions do not add up to the log odds of the saved model."""


class ReasonsUnavailableError(ValueError):
    """A model's folder lacks what contributions need. The message says what to do."""


class Attributor:
    """Computes contributions.

    Attributes:
        features: the features, in the order of the contributions.
        method: one sentence on the method, for reports.
        baseline: the log odds that contributions start from.
    """

    def __init__(self, folder: str, model: Any) -> None:
        """Reads what the family needs from the folder of a loaded model. Raises ReasonsUnavailableError."""
        description = read_description(folder)
        if description is None:
            raise ReasonsUnavailableError(
                f"the model in {folder} cannot give reasons: an earlier version of this project exported it; "
                "train and push a new model, or set scoring.reasons to 0"
            )
        self.features: FeatureSet = description.features
        self.method, self.baseline = description.method, description.baseline
        module = load_attribution_module(description.family)
        self._contributions: Contributions = module.load_contributions(folder, model, description.features)

    def contributions(self, transformed: dict[str, Any]) -> np.ndarray:
        """Contributions of each feature to the log odds.

        Args:
            transformed: transformed features by name, each `[rows]`; see preprocessing.py.

        Returns:
            float32 `[rows, features]`. With the baseline, a row's contributions add up to its log odds.
        """
        return self._contributions(transformed)


def log_odds(probability: np.ndarray) -> np.ndarray:
    """Log odds of float32 probabilities: float64 of the same shape, finite even where one was rounded to 0 or 1."""
    chance = np.clip(probability.astype(np.float64), np.finfo(np.float32).tiny, 1 - 2.0**-25)
    return np.log(chance) - np.log1p(-chance)


def verify_attributions(directory: str, transformed: dict[str, np.ndarray]) -> None:
    """Loads an exported model and checks that contributions add up to its log odds. Deletes it if they do not.

    Args:
        directory: the model's folder, with all its files.
        transformed: transformed features by name, each `[rows]`.

    Raises:
        AttributionMismatchError: the sum differs by more than `TOLERANCE` and the rounding of the probability.
    """
    model = tf.saved_model.load(directory)
    attributor = Attributor(directory, model)
    rows, largest = len(next(iter(transformed.values()))), 0.0
    for start in range(0, rows, _ROWS_PER_CALL):
        batch = {name: values[start : start + _ROWS_PER_CALL] for name, values in transformed.items()}
        probability = model.score(batch).numpy()
        sums = attributor.baseline + attributor.contributions(batch).sum(axis=1, dtype=np.float64)
        excess = np.abs(sums - log_odds(probability)) - _ROUNDINGS * rounding(probability)
        largest = max(largest, excess.max())  # NaN stays
    if not largest <= TOLERANCE:
        tf.io.gfile.rmtree(directory)
        raise AttributionMismatchError(
            f"baseline and contributions differ from the saved model's log odds by up to {largest:.2g} on {rows:,} "
            f"eval rows; at most {TOLERANCE:.0e} is allowed. The saved model was deleted"
        )


def rounding(probability: np.ndarray) -> np.ndarray:
    """The step between neighbouring float32 probabilities, in log odds: float64 of the same shape."""
    chance = np.clip(probability.astype(np.float64), np.finfo(np.float32).tiny, 1 - 2.0**-25)
    return np.spacing(chance.astype(np.float32)) / (chance * (1 - chance))
