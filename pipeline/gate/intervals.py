"""By how much one model is better than another on the same rows, with bounds.

A positive difference means that the challenger is better, whether higher or lower values of the metric are better.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from pipeline.gate import bootstrap, delong
from pipeline.gate.confidence import ERROR, Z, quantile
from pipeline.gate.metrics import METRICS
from pipeline.gate.verdict import Difference

BOOTSTRAP, DELONG, RATIO = "bootstrap", "delong", "ratio"
#: Above this number of units, metrics with an analytic interval use it; all others are bootstrapped.
MAX_BOOTSTRAP_UNITS = 50_000
#: An interval needs at least this many units with a positive, and as many with a negative.
MIN_UNITS = 10


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two models to compare on some of the rows, or one to measure.

    Attributes:
        challenger: `[all rows]` float64, probabilities.
        champion: `[all rows]` float64, probabilities; None to measure the challenger alone. The "difference" is then
            the metric itself, negated if lower values are better.
        rows: numbers of the rows to compare them on; None for all.
    """

    challenger: np.ndarray
    champion: np.ndarray | None
    rows: np.ndarray | None = None


def method(metric: str, units: int) -> str:
    """How the intervals of a metric are computed for this number of units of the whole test split."""
    return (_analytic(metric) or BOOTSTRAP) if units > MAX_BOOTSTRAP_UNITS else BOOTSTRAP


def with_lower_error(difference: Difference, error: float) -> Difference:
    """The same with a lower bound that errs less often than ERROR, by the normal distribution.

    A bootstrap cannot estimate percentiles so far out. With ERROR itself the difference is returned unchanged.
    """
    if error >= ERROR:
        return difference
    return dataclasses.replace(difference, lower=difference.value - quantile(error) * difference.standard_error)


def differences(
    pairs: Mapping[Hashable, Pair],
    label: np.ndarray,
    unit: np.ndarray,
    *,
    metric: str,
    replicates: int,
    seed: int,
) -> dict[Hashable, Difference | None]:
    """The difference of each pair, by method().

    Args:
        pairs: what to compare.
        label: `[rows]`, 0 or 1.
        unit: `[rows]`, codes from 0 on; rows of one unit are drawn together.
        metric: one that can be compared.
        replicates: bootstrap replicates.
        seed: of the bootstrap.

    Returns:
        For each pair its difference; None if fewer than MIN_UNITS units have a positive, or a negative, among its rows.
    """
    units = int(unit.max()) + 1
    if method(metric, units) == BOOTSTRAP:
        weights = bootstrap.poisson_weights(units, replicates, seed)
        return bootstrap_differences(pairs, label, unit, metric=metric, weights=weights)
    return analytic_differences(pairs, label, unit, metric=metric)


def bootstrap_differences(
    pairs: Mapping[Hashable, Pair],
    label: np.ndarray,
    unit: np.ndarray,
    *,
    metric: str,
    weights: Iterable[np.ndarray],
) -> dict[Hashable, Difference | None]:
    """Like differences(), by the bootstrap; all pairs share the `weights`, chunks `[units, replicates]`."""
    units = int(unit.max()) + 1
    chosen = _chosen(pairs, label, unit)
    statistics = {name: rows.difference(metric, units) for name, rows in chosen.items()}
    once = np.ones((units, 1), np.float32)
    values = {name: float(statistic(once)[0]) for name, statistic in statistics.items()}
    chunks = [{name: statistic(chunk) for name, statistic in statistics.items()} for chunk in weights]
    found: dict[Hashable, Difference | None] = dict.fromkeys(pairs)
    for name, value in values.items():
        replicated = np.concatenate([chunk[name] for chunk in chunks])
        replicated = replicated[np.isfinite(replicated)]  # a replicate may lack one of the classes
        lower, upper = np.quantile(replicated, (ERROR, 1 - ERROR))
        found[name] = Difference(value, float(lower), float(upper), float(replicated.std(ddof=1)), BOOTSTRAP)
    return found


def analytic_differences(
    pairs: Mapping[Hashable, Pair], label: np.ndarray, unit: np.ndarray, *, metric: str
) -> dict[Hashable, Difference | None]:
    """Like differences(), by standard errors and the normal distribution; for metrics with an analytic interval."""
    found: dict[Hashable, Difference | None] = dict.fromkeys(pairs)
    entry = METRICS[metric]
    for name, rows in _chosen(pairs, label, unit).items():
        if entry.loss is not None:
            ours = entry.loss(rows.label, rows.challenger)
            theirs = np.zeros(len(ours)) if rows.champion is None else entry.loss(rows.label, rows.champion)
            value, error = delong.mean_difference(ours, theirs, rows.unit)
        else:
            theirs = np.zeros(len(rows.label)) if rows.champion is None else rows.champion
            value, error = delong.auc_difference(rows.label, rows.challenger, theirs, rows.unit)
            value += 0.5 if rows.champion is None else 0.0  # what a constant has
        value *= entry.sign
        found[name] = Difference(value, value - Z * error, value + Z * error, error, _analytic(metric))
    return found


def _analytic(metric: str) -> str | None:
    """The analytic method of a metric; None if only the bootstrap gives its intervals."""
    entry = METRICS[metric]
    return RATIO if entry.loss is not None else DELONG if entry.delong else None


@dataclasses.dataclass(frozen=True)
class _Chosen:
    """The columns of a pair, cut to its rows."""

    label: np.ndarray
    unit: np.ndarray
    challenger: np.ndarray
    champion: np.ndarray | None

    @property
    def enough_units(self) -> bool:
        return all(len(np.unique(self.unit[self.label == value])) >= MIN_UNITS for value in (0, 1))

    def difference(self, metric: str, units: int) -> bootstrap.Statistic:
        sign = METRICS[metric].sign
        ours = bootstrap.statistic(metric, self.label, self.challenger, self.unit, units)
        if self.champion is None:
            return lambda weights: sign * ours(weights)
        theirs = bootstrap.statistic(metric, self.label, self.champion, self.unit, units)
        return lambda weights: sign * (ours(weights) - theirs(weights))


def _chosen(pairs: Mapping[Hashable, Pair], label: np.ndarray, unit: np.ndarray) -> dict[Hashable, _Chosen]:
    """The pairs that have enough units."""
    found = {}
    for name, pair in pairs.items():
        rows = slice(None) if pair.rows is None else pair.rows
        champion = None if pair.champion is None else pair.champion[rows]
        found[name] = _Chosen(label[rows], unit[rows], pair.challenger[rows], champion)
    return {name: rows for name, rows in found.items() if rows.enough_units}
