"""Metrics under bootstrap weights of units: from weights `[units, replicates]` to values `[replicates]`."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse


@dataclasses.dataclass(frozen=True)
class WeightedRanking:
    """Rank metrics of one model under weights.

    The levels are the distinct predictions of positives, highest first; no other thresholds matter. The sparse matrices
    sum the weights of units by level. The last row of the negatives' matrices holds the negatives below all levels.

    Attributes:
        positives: `[levels, units]`: positives at each level.
        negatives: `[levels + 1, units]`: negatives, each at the highest level that it reaches.
        negatives_midrank: the same, but a negative tied with a level counts one half there and one half at the next.
    """

    positives: sparse.csr_matrix
    negatives: sparse.csr_matrix
    negatives_midrank: sparse.csr_matrix

    @classmethod
    def of(cls, label: np.ndarray, predicted: np.ndarray, unit: np.ndarray, units: int) -> WeightedRanking:
        """Ranks rows.

        Args:
            label: `[rows]`, 0 or 1.
            predicted: `[rows]` float64, probabilities.
            unit: `[rows]`, codes in [0, units).
            units: number of units that have weights; some may have no row here.
        """
        positive = label == 1
        values, level = np.unique(predicted[positive], return_inverse=True)  # ascending
        levels = len(values)
        at_or_below = levels - np.searchsorted(values, predicted[~positive], side="right")  # first level not above it
        below = levels - np.searchsorted(values, predicted[~positive], side="left")  # first level below it
        unit_of_negative = unit[~positive]

        def sums(level: np.ndarray, unit: np.ndarray, levels: int, weight: float = 1.0) -> sparse.csr_matrix:
            return sparse.csr_matrix((np.full(len(level), weight, np.float32), (level, unit)), shape=(levels, units))

        return cls(
            positives=sums(levels - 1 - level.reshape(-1), unit[positive], levels),
            negatives=sums(at_or_below, unit_of_negative, levels + 1),
            negatives_midrank=sums(
                np.concatenate([at_or_below, below]), np.tile(unit_of_negative, 2), levels + 1, weight=0.5
            ),
        )

    def roc_auc(self, weights: np.ndarray) -> np.ndarray:
        """The weighted share of pairs whose positive is higher; ties count one half: `[replicates]`."""
        positives = self.positives @ weights
        above = np.cumsum(self.negatives_midrank @ weights, axis=0, dtype=np.float64)
        wrong = np.einsum("lr,lr->r", positives, above[:-1])
        with np.errstate(invalid="ignore"):  # a replicate without one of the classes: NaN
            return 1 - wrong / (positives.sum(axis=0, dtype=np.float64) * above[-1])

    def pr_auc(self, weights: np.ndarray) -> np.ndarray:
        """Average precision, as scikit-learn defines it: `[replicates]`."""
        positives = self.positives @ weights
        true = np.cumsum(positives, axis=0, dtype=np.float64)
        false = np.cumsum(self.negatives @ weights, axis=0, dtype=np.float64)[:-1]
        with np.errstate(invalid="ignore"):
            precision = np.where(true > 0, true / (true + false), 0)
            return np.einsum("lr,lr->r", positives, precision) / true[-1]


@dataclasses.dataclass(frozen=True)
class WeightedMean:
    """The mean of a value over rows under weights.

    Attributes:
        sums: `[2, units]` float64: the sum of the values of each unit's rows, and its number of rows.
    """

    sums: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, unit: np.ndarray, units: int) -> WeightedMean:
        """Sums rows' values `[rows]` by unit."""
        return cls(np.stack([np.bincount(unit, values, minlength=units), np.bincount(unit, minlength=units)]))

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The weighted mean: `[replicates]`."""
        total, rows = self.sums @ weights
        with np.errstate(invalid="ignore"):
            return total / rows
