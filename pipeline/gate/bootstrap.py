"""The Poisson bootstrap by unit: each replicate weights every unit's rows by a draw from Poisson(1).

Like the ordinary bootstrap it resamples units, but independently of each other, so replicates are matrix products
(Hanley and MacGibbon 2006, Computer Methods and Programs in Biomedicine 83:57). A weight belongs to a unit, not to a
row: rows of one user stay together, and a rank metric needs the rows sorted once for all replicates.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np
from scipy import sparse, stats

from pipeline.gate.metrics import METRICS

_MAX_CELLS = 4_000_000  # of weights held at a time: 16 MB, and twice as much for the draws they are made of

Statistic = Callable[[np.ndarray], np.ndarray]  # weights [units, replicates] -> values [replicates]; NaN: not defined


def poisson_weights(units: int, replicates: int, seed: int) -> Iterator[np.ndarray]:
    """Weights in chunks `[units, up to replicates]` float32, `replicates` columns in all.

    Each weight takes 16 random bits and an eighth of the time of NumPy's Poisson. Probabilities are exact to 2^-17.
    """
    random, weights = np.random.default_rng(seed), _quantised_poisson()
    columns = max(1, _MAX_CELLS // units)
    for start in range(0, replicates, columns):
        drawn = random.integers(0, len(weights), (units, min(columns, replicates - start)), np.uint16)
        yield weights.take(drawn)


def _quantised_poisson() -> np.ndarray:
    """The values of Poisson(1) that 65,536 equally likely numbers stand for: float32 `[65536]`."""
    values = np.arange(9)  # 9 would have less than a tenth of one of them
    ends = np.round(stats.poisson.cdf(values, 1.0) * 65_536).astype(np.int64)
    return np.searchsorted(ends, np.arange(65_536), side="right").astype(np.float32)


def statistic(metric: str, label: np.ndarray, predicted: np.ndarray, unit: np.ndarray, units: int) -> Statistic:
    """A metric as a function of the units' weights.

    Args:
        metric: one that can be compared.
        label: `[rows]`, 0 or 1.
        predicted: `[rows]` float64, probabilities.
        unit: `[rows]`, codes in [0, units).
        units: how many units the weights are of; some may have no row here.

    Returns:
        The function; with integer weights its values are those of the metric on rows repeated so many times.
    """
    entry = METRICS[metric]
    if entry.loss is not None:
        return WeightedMean.of(entry.loss(label, predicted), unit, units)
    return functools.partial(entry.ranked, WeightedRanking.of(label, predicted, unit, units))


@dataclasses.dataclass(frozen=True)
class WeightedRanking:
    """Rank metrics of one model under weights.

    Only the distinct predictions of positives matter, highest first; these are the levels. The sparse matrices sum the
    weights of units by level. In those of the negatives, the last line holds what lies below all levels.

    Attributes:
        positives: `[levels, units]`: positives at each level.
        negatives: `[levels + 1, units]`: negatives that lie at or above a level for the first time here.
        negatives_midrank: the same, but half of a negative tied with a level counts here and half at the next.
    """

    positives: sparse.csr_matrix
    negatives: sparse.csr_matrix
    negatives_midrank: sparse.csr_matrix

    @classmethod
    def of(cls, label: np.ndarray, predicted: np.ndarray, unit: np.ndarray, units: int) -> WeightedRanking:
        """Ranks rows; for the arguments see statistic()."""
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
        """The weighted share of pairs in which the positive is higher, ties counting one half: `[replicates]`."""
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
        sums: `[2, units]` float64: the value's sum over each unit's rows, and how many rows it has.
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
