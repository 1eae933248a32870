"""How a feature differs between two sets of rows: what to say first, and in which words. Pure functions."""

from __future__ import annotations

import dataclasses
import math

from pipeline.report import formats
from pipeline.report.scoring_data import FeatureSummary, Summaries

#: Standard deviations by which a feature must differ between two groups of customers to be named.
LEAST_DIFFERENCE = 0.1
LONGEST_VALUE = 40  # characters of a category that a page shows


@dataclasses.dataclass(frozen=True)
class Difference:
    """What differs most in a feature.

    Attributes:
        feature: its name.
        size: standardised difference: of means, or of a share; 0 for no difference.
        what: what is compared, such as `mean`.
        left: its value in the first set, as text.
        right: in the second.
    """

    feature: str
    size: float
    what: str
    left: str
    right: str

    def sentence(self) -> str:
        """Such as `carts_1_7: mean 2.4 against 0.1`."""
        return f"{self.feature}: {self.what} {self.left} against {self.right}"


def differences(left: Summaries, right: Summaries) -> list[Difference]:
    """The features that both have, the largest difference first."""
    found = [difference(name, left[name], right[name]) for name in left if name in right]
    return sorted(found, key=lambda one: (-abs(one.size), one.feature))


def difference(name: str, left: FeatureSummary, right: FeatureSummary) -> Difference:
    """The largest of a feature's differences: of its mean, of a value's share, or of the share of missing values."""
    candidates = [_share(name, "missing in", left.missing, right.missing)]
    if left.values is None or right.values is None:
        if left.present and right.present:
            spread = math.sqrt((left.deviation**2 + right.deviation**2) / 2)
            gap = left.mean - right.mean
            # Where neither set varies, any gap separates them fully.
            size = gap / spread if spread > 0 else math.copysign(math.inf, gap) if gap else 0.0
            candidates.insert(0, Difference(name, size, "mean", figure(left.mean), figure(right.mean)))
    elif left.rows and right.rows:
        shares = [
            _share(name, f"“{short(value)}” in", left.values[value] / left.rows, right.values[value] / right.rows)
            for value in left.values
            if value in right.values
        ]
        candidates = [*shares, *candidates]
    return max(candidates, key=lambda one: abs(one.size))


def typical(summary: FeatureSummary) -> str:
    """The mean, or the most frequent value with its share of the rows."""
    if summary.values is None:
        return figure(summary.mean) if summary.present else formats.NOTHING
    if not any(summary.values.values()):
        return formats.NOTHING
    value, rows = max(summary.values.items(), key=lambda item: item[1])
    return f"{short(value)} ({formats.percent(rows / summary.rows)})"


def figure(value: float) -> str:
    """A mean, with three digits that say something."""
    if not formats.is_number(value):
        return formats.NOTHING
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return formats.number(value, digits) if digits else formats.prose(f"{value:,.0f}")


def short(value: str) -> str:
    """A category's value, cut if it is long."""
    shown = value if value else "(empty)"
    return shown if len(shown) <= LONGEST_VALUE else f"{shown[: LONGEST_VALUE - 1]}…"


def _share(name: str, what: str, left: float, right: float) -> Difference:
    mean = (left + right) / 2
    spread = math.sqrt(mean * (1 - mean))
    size = (left - right) / spread if spread > 0 else 0.0
    return Difference(name, size, what, formats.percent(left), formats.percent(right))
