"""A SavedModel that scores batches of raw examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from models.signatures import OUTPUT, TENSORS_SIGNATURE
from pipeline.examples.batches import Batch
from pipeline.infra.served_model import reason

# What loading or calling a damaged SavedModel, or a folder without one, raises.
MODEL_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, tf.errors.OpError)


class ScoringError(RuntimeError):
    """A model cannot be loaded or called. `model` is its name; the message names it too."""

    def __init__(self, model: str, problem: str):
        """Builds the message from the model's name and what is wrong with it."""
        super().__init__(f"model '{model}' {problem}")
        self.model = model


class ScoringModel:
    """A SavedModel, called by the signature that takes the batches."""

    def __init__(self, name: str, folder: str):
        """Loads it. Raises ScoringError."""
        self.name = name
        self._folder = folder
        try:
            self._model = tf.saved_model.load(folder)
        except MODEL_ERRORS as error:
            raise ScoringError(name, f"cannot be loaded from {folder}: {reason(error)}") from error

    @property
    def inputs(self) -> set[str]:
        """The raw features that the model takes."""
        return {name for signature in self._model.signatures.values() for name in _inputs(signature)}

    @property
    def features(self) -> set[str]:
        """The raw features that the model needs. Raises ScoringError if the model cannot say."""
        if TENSORS_SIGNATURE not in self._model.signatures:
            raise ScoringError(self.name, f"cannot be used from {self._folder}: no signature {TENSORS_SIGNATURE}")
        return set(_inputs(self._model.signatures[TENSORS_SIGNATURE]))

    def predict(self, batch: Batch) -> np.ndarray:
        """Probabilities, float64 `[rows]`. Raises ScoringError."""
        try:
            signature = self._model.signatures[batch.signature]
        except MODEL_ERRORS as error:
            raise ScoringError(
                self.name, f"cannot be loaded from {self._folder}: no signature {batch.signature}"
            ) from error
        feeds = batch.feeds(_inputs(signature))
        try:
            outputs = signature(**feeds)[OUTPUT].numpy()
        except MODEL_ERRORS as error:
            raise ScoringError(self.name, f"cannot be called: {reason(error)}") from error
        rows = len(next(iter(feeds.values())))
        if outputs.size != rows:
            raise ScoringError(self.name, f"returns {outputs.shape} for {rows} rows; must be one probability for each")
        return outputs.reshape(-1).astype(np.float64)


def _inputs(signature: Any) -> dict[str, tf.TensorSpec]:
    return signature.structured_input_signature[1]
