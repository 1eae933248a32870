"""How a feature's values differ between two sets of rows, beyond what chance explains.

A distance between whole distributions cannot show that a sparse feature broke: if a share p of the values is not zero,
the distance is at most about p. So this module compares three things separately: the share of missing values, the share
of zeros, and the size of the values that are not zero.

Each bound is widened by the sampling error, so that few rows raise no false alarm: a change counts only if a change of
exactly the bound would look this large with probability FALSE_ALARM at most.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from scipy import stats

from pipeline.data_gate.feature_values import FeatureValues

#: DataGate: chance that a comparison whose true change equals the bound raises an alarm. Far lower if nothing changed.
FALSE_ALARM = 1e-5
#: DataGate: with fewer non-zero values on either side, their size is not compared.
MIN_VALUES = 50

_Z = float(stats.norm.isf(FALSE_ALARM))
_MAX_SHIFT = 1.0  # standard deviations between two means of different sign
_SPREAD_ERROR = 2.0  # standard error of a log interdecile range times the root of n: 0.9 for a normal, 1.7 for a
# log-normal with deviation 1 (from the asymptotic variance of quantiles)


@dataclasses.dataclass(frozen=True)
class Bounds:
    """How much a feature may change.

    Attributes:
        distance: most absolute change of the share of missing values, and of zeros.
        share_factor: most times by which the share of rows with a value, or of values that are not 0, may rise or fall.
        value_factor: most times by which the mean of the non-zero values, or their spread, may rise or fall.
    """

    distance: float
    share_factor: float
    value_factor: float


def changes(before: FeatureValues, now: FeatureValues, bounds: Bounds) -> list[str]:
    """The changes that exceed the bounds.

    Args:
        before: the feature in the champion's training rows.
        now: the feature in this run's rows.
        bounds: how much may change.

    Returns:
        A sentence for each change; empty if there is none.
    """
    found = [*_missing(before, now, bounds), *_zeros(before, now, bounds)]
    if min(before.non_zero, now.non_zero) >= MIN_VALUES:
        found += _sizes(before, now, bounds)
    return found


def _missing(before: FeatureValues, now: FeatureValues, bounds: Bounds) -> Iterator[str]:
    if _share_changed((before.present, before.rows), (now.present, now.rows), bounds):
        yield (
            f"missing in {1 - _share(now.present, now.rows):.1%} of the rows, but in "
            f"{1 - _share(before.present, before.rows):.1%} of those that the champion was trained on"
        )


def _zeros(before: FeatureValues, now: FeatureValues, bounds: Bounds) -> Iterator[str]:
    if _share_changed((before.non_zero, before.present), (now.non_zero, now.present), bounds):
        yield (
            f"0 in {1 - _share(now.non_zero, now.present):.1%} of the values, but in "
            f"{1 - _share(before.non_zero, before.present):.1%} of those that the champion was trained on"
        )


def _sizes(before: FeatureValues, now: FeatureValues, bounds: Bounds) -> Iterator[str]:
    """Compares the values that are not zero."""
    if not all(map(math.isfinite, (before.mean, now.mean, before.deviation, now.deviation))):
        return
    against = f"{before.mean:.4g} in those that the champion was trained on"
    if before.mean * now.mean > 0:
        ratio = math.log(now.mean / before.mean)
        # The larger of both: the sample without an outlier underestimates the deviation.
        relative = max(before.deviation / abs(before.mean), now.deviation / abs(now.mean))
        if abs(ratio) > math.log(bounds.value_factor) + _Z * relative * _root(before.non_zero, now.non_zero):
            yield f"the mean of the values that are not 0 is {now.mean:.4g}, but {against}"
            return
    elif (scale := max(before.deviation, now.deviation)) > 0:
        shift = abs(now.mean - before.mean) / scale
        if shift > _MAX_SHIFT + _Z * _root(before.non_zero, now.non_zero):
            yield f"the mean of the values that are not 0 is {now.mean:.4g}, but {against}"
            return
    if _continuous(before) and _continuous(now):
        spreads = [values.deciles[-1] - values.deciles[0] for values in (now, before)]
        ratio = math.log(spreads[0] / spreads[1])
        if abs(ratio) > math.log(bounds.value_factor) + _Z * _SPREAD_ERROR * _root(before.present, now.present):
            yield (
                f"80 % of the values span {spreads[0]:.4g}, but {spreads[1]:.4g} in the rows "
                "that the champion was trained on"
            )


def _share_changed(before: tuple[int, int], now: tuple[int, int], bounds: Bounds) -> bool:
    """Whether a share, given as count and total, moved by more than the absolute bound or the factor allows."""
    (count, total), (count_now, total_now) = before, now
    if not total or not total_now:
        return False
    pooled = (count + count_now) / (total + total_now)
    error = math.sqrt(pooled * (1 - pooled)) * _root(total, total_now)
    if abs(count_now / total_now - count / total) > bounds.distance + _Z * error:
        return True
    return _fell(before, now, bounds.share_factor) or _fell(now, before, bounds.share_factor)


def _fell(high: tuple[int, int], low: tuple[int, int], factor: float) -> bool:
    """Whether `low` is a share of less than `high` divided by the factor.

    Given the sum of two Poisson counts, one of them is binomial (Przyborowski and Wilenski 1940, Biometrika 31:313);
    for shares that are not small this errs on the side of no alarm.
    """
    (count, total), (count_low, total_low) = high, low
    if count_low * total * factor >= count * total_low:
        return False
    expected = total_low / factor
    return bool(stats.binom.cdf(count_low, count + count_low, expected / (expected + total)) < FALSE_ALARM)


def _continuous(values: FeatureValues) -> bool:
    """Whether the deciles are all different and those of the non-zero values, so that their distance is smooth."""
    return (
        len(set(values.deciles)) == len(values.deciles) > 0
        and values.non_zero == values.present
        and all(map(math.isfinite, values.deciles))
    )


def _root(count: int, other: int) -> float:
    return math.sqrt(1 / count + 1 / other)


def _share(count: int, total: int) -> float:
    return count / total if total else 0.0
