"""The Poisson bootstrap by unit: each replicate weights every unit's rows by a draw from Poisson(1).

It resamples units like the ordinary bootstrap, but independently of each other, so that replicates are matrix products
(Hanley and MacGibbon 2006, Computer Methods and Programs in Biomedicine 83:57). Units have weights, rows do not: the
rows of one user stay together, and a rank metric sorts the rows once for all replicates.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from pipeline.gate.metrics import METRICS
from pipeline.gate.weighted import WeightedMean, WeightedRanking

_MAX_CELLS = 4_000_000  # weights in memory at a time: 16 MB, and 32 MB for their random bits

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
        units: number of units that have weights; some may have no row here.

    Returns:
        The function. With integer weights its values equal the metric on rows repeated that many times.
    """
    entry = METRICS[metric]
    if entry.loss is not None:
        return WeightedMean.of(entry.loss(label, predicted), unit, units)
    return functools.partial(entry.ranked, WeightedRanking.of(label, predicted, unit, units))
