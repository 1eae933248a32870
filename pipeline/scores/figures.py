"""What a report says about the scores of a date, summed up block by block."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.scores.layout import HOLDOUT, TREATED

#: Bins of the score distribution, of equal width from 0 to 1.
HISTOGRAM_BINS = 50
DECILES = 10


@dataclasses.dataclass(frozen=True)
class DecileFigures:
    """The rows of a decile.

    Attributes:
        decile: 1 (highest) to 10.
        rows: their number, at least 1.
        mean: of their probabilities.
        lowest: of their probabilities.
        highest: of their probabilities.
        expected: conversions to expect, the sum of their probabilities.
    """

    decile: int
    rows: int
    mean: float
    lowest: float
    highest: float
    expected: float


@dataclasses.dataclass(frozen=True)
class DayFigures:
    """The scores of a date.

    Attributes:
        date: the snapshot date.
        rows: their number.
        mean: of the probabilities.
        counts: rows in each of HISTOGRAM_BINS bins of the probability. A bin holds its lower edge; the last one holds 1
            too.
        deciles: those that have rows; with less than ten rows, some have none.
        arms: rows by arm.
    """

    date: datetime.date
    rows: int
    mean: float
    counts: Sequence[int]
    deciles: Sequence[DecileFigures]
    arms: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        """An item of `dates` in scores.json."""
        edges = [index / HISTOGRAM_BINS for index in range(HISTOGRAM_BINS + 1)]
        return {
            "date": self.date.isoformat(),
            "rows": self.rows,
            "mean": self.mean,
            "histogram": {"edges": edges, "counts": list(self.counts)},
            "deciles": [dataclasses.asdict(decile) for decile in self.deciles],
            "arms": dict(self.arms),
        }


class FigureSums:
    """Sums over the rows of a date, from which its figures follow."""

    def __init__(self) -> None:
        """Begins with no rows."""
        self._counts = np.zeros(HISTOGRAM_BINS, np.int64)
        self._rows = np.zeros(DECILES, np.int64)
        self._sums = np.zeros(DECILES)
        self._lowest = np.full(DECILES, np.inf)
        self._highest = np.full(DECILES, -np.inf)
        self._held = 0

    def add(self, probability: np.ndarray, decile: np.ndarray, held: np.ndarray) -> None:
        """Adds rows.

        Args:
            probability: float64 `[rows]`, 0 to 1.
            decile: int64 `[rows]`, 1 to 10.
            held: bool `[rows]`, whether a row is in the arm `holdout`.
        """
        bins = np.minimum((probability * HISTOGRAM_BINS).astype(np.int64), HISTOGRAM_BINS - 1)
        self._counts += np.bincount(bins, minlength=HISTOGRAM_BINS)
        index = decile - 1
        self._rows += np.bincount(index, minlength=DECILES)
        self._sums += np.bincount(index, weights=probability, minlength=DECILES)
        for found in np.unique(index):
            chosen = probability[index == found]
            self._lowest[found] = min(self._lowest[found], chosen.min())
            self._highest[found] = max(self._highest[found], chosen.max())
        self._held += int(np.count_nonzero(held))

    def figures(self, date: datetime.date) -> DayFigures:
        """The figures of all rows that were added, at least one."""
        rows = int(self._rows.sum())
        deciles = [
            DecileFigures(
                decile=index + 1,
                rows=int(count),
                mean=float(self._sums[index] / count),
                lowest=float(self._lowest[index]),
                highest=float(self._highest[index]),
                expected=float(self._sums[index]),
            )
            for index, count in enumerate(self._rows)
            if count
        ]
        return DayFigures(
            date=date,
            rows=rows,
            mean=float(self._sums.sum() / rows),
            counts=[int(count) for count in self._counts],
            deciles=deciles,
            arms={TREATED: rows - self._held, HOLDOUT: self._held},
        )
