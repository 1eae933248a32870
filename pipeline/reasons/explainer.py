"""What moved a score: contributions of raw features to its log odds, from a pushed model's folder alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from models.attributions import Attributor, ReasonsUnavailableError, log_odds
from models.signatures import OUTPUT, TENSORS_SIGNATURE

__all__ = ["Explainer", "ReasonsUnavailableError", "load_explainer"]

LOADED_BY_NAME = ("models.families.*.attribution",)

_ROWS_PER_CALL = 8_192


class Explainer:
    """Explains the scores of one model.

    Attributes:
        features: names of the raw features, in the order of the contributions.
        method: one sentence on the method, for reports.
        baseline: the log odds that contributions start from: those of an average row.
    """

    def __init__(self, folder: str) -> None:
        """Loads a model; see load_explainer."""
        self._model = tf.saved_model.load(folder)
        self._attributor = Attributor(folder, self._model)
        self.features: tuple[str, ...] = self._attributor.features.names
        self.method: str = self._attributor.method
        self.baseline: float = self._attributor.baseline

    def contributions(self, raw: dict[str, np.ndarray]) -> np.ndarray:
        """Contributions of each raw feature to the log odds; with the baseline, a row's add up to its log odds.

        Args:
            raw: a column for each feature by name, as the signature `predict` takes them: a number as float32, NaN if
                missing; a category as bytes or text (dtype object), empty if missing. Each `[rows]`. Other columns are
                ignored.

        Returns:
            float32 `[rows, features]`.

        Raises:
            KeyError: a feature has no column.
        """
        parts = [self._attributor.contributions(self._model.transform_tensors(batch)) for batch in self._batches(raw)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.features)), np.float32)

    def margins(self, raw: dict[str, np.ndarray]) -> np.ndarray:
        """Log odds by the model itself, float64 `[rows]`; arguments and errors as those of `contributions`.

        They come from float32 probabilities. Near a probability of 1 the steps between these are coarse: at 0.999, the
        log odds are exact to 6e-5.
        """
        signature = self._model.signatures[TENSORS_SIGNATURE]
        parts = [signature(**batch)[OUTPUT].numpy()[:, 0] for batch in self._batches(raw)]
        return log_odds(np.concatenate(parts)) if parts else np.empty(0)

    def _batches(self, raw: dict[str, np.ndarray]) -> Iterator[dict[str, tf.Tensor]]:
        columns = {name: raw[name] for name in self.features}
        for start in range(0, len(columns[self.features[0]]), _ROWS_PER_CALL):
            yield {name: tf.constant(values[start : start + _ROWS_PER_CALL]) for name, values in columns.items()}


def load_explainer(model_folder: str) -> Explainer:
    """Loads what explains a model's scores.

    Args:
        model_folder: the SavedModel's folder, as the Trainer wrote it or the Pusher pushed it.

    Raises:
        ReasonsUnavailableError: an earlier version of this project exported the model.
    """
    return Explainer(model_folder)
