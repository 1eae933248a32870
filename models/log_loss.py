"""The loss that every family's training and tuning compares on the eval split."""

from __future__ import annotations

import numpy as np

#: Training clips probabilities this far from 0 and 1 when it measures the eval log loss.
PROBABILITY_FLOOR = 1e-7


def log_loss(label: np.ndarray, probability: np.ndarray) -> float:
    """Mean negative log likelihood, in nats, of 0/1 labels `[rows]` under probabilities `[rows]`."""
    probability = np.clip(probability.astype(np.float64), PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return float(-np.mean(np.where(label > 0.5, np.log(probability), np.log1p(-probability))))
