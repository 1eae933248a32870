"""The data of a scoring run's page. Plain data, without any key's value: nothing here imports TensorFlow."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.scores.day_changes import DayChanges
from pipeline.scores.table import ScoredDay
from pipeline.settings.scoring import ScoringSettings


@dataclasses.dataclass(frozen=True)
class FeatureSummary:
    """One feature in one set of rows.

    Attributes:
        rows: number of rows.
        present: rows with a value; NaN is not a value.
        mean: of the values that are present; NaN without any, and for a category.
        deviation: their standard deviation; NaN in the same cases.
        values: for a category, rows by value, the most frequent values; None for a number.
    """

    rows: int
    present: int
    mean: float = math.nan
    deviation: float = math.nan
    values: Mapping[str, int] | None = None

    @property
    def missing(self) -> float:
        """The share of the rows without a value, 0 to 1."""
        return 1 - self.present / self.rows if self.rows else 0.0

    def merged(self, other: FeatureSummary) -> FeatureSummary:
        """The summary of both sets of rows together."""
        rows, present = self.rows + other.rows, self.present + other.present
        if self.values is not None:
            values = {
                value: self.values.get(value, 0) + (other.values or {}).get(value, 0)
                for value in {**self.values, **(other.values or {})}
            }
            ordered = sorted(values.items(), key=lambda item: (-item[1], item[0]))
            return FeatureSummary(rows, present, values=dict(ordered))
        parts = [part for part in (self, other) if part.present]
        if not parts:
            return FeatureSummary(rows, 0)
        mean = sum(part.present * part.mean for part in parts) / present
        squares = sum(part.present * (part.deviation**2 + (part.mean - mean) ** 2) for part in parts)
        return FeatureSummary(rows, present, mean, math.sqrt(squares / present))


Summaries = Mapping[str, FeatureSummary]  # by feature


@dataclasses.dataclass(frozen=True)
class Distance:
    """How far a feature's distribution is from that of the training rows.

    Attributes:
        kind: the measure's name in words.
        value: the distance, 0 to 1.
        bound: above this, the data gate reports the feature.
    """

    kind: str
    value: float
    bound: float


@dataclasses.dataclass(frozen=True)
class FirstReason:
    """How often a feature is the first reason of a score: upwards, downwards."""

    up: int
    down: int


@dataclasses.dataclass(frozen=True)
class Change:
    """The newest date against the date that was scored before it.

    Attributes:
        before: the earlier day.
        figures: both days side by side.
        followed: whether customers have a key by which they can be found on both days.
    """

    before: ScoredDay
    figures: DayChanges
    followed: bool


@dataclasses.dataclass(frozen=True)
class ScoringData:
    """A scoring run.

    Attributes:
        title: the data set's name.
        scores: `scores.json`.
        written: `written.json`.
        settings: the section `scoring`.
        warnings: what is far off, in sentences.
        anomalies: by feature, the differences from the training rows that the data gate reported, as text.
        distances: by feature.
        trained: the features of the champion's training rows.
        scored: the features of all rows of the run.
        newest: the features of the newest date's rows.
        earlier: the date that was scored before it, as text, and the features of its rows; None if they are not known.
        top: the features of the newest date's decile 1.
        rest: those of its other deciles.
        test: `test_scores.json`; None if the champion has none.
        first_reasons: of the newest date, by feature; empty without reasons.
        change: None if no earlier date has scores.
        made_at: date and time of the report, as text.
    """

    title: str
    scores: Mapping[str, Any]
    written: Mapping[str, Any]
    settings: ScoringSettings
    warnings: Sequence[str]
    anomalies: Mapping[str, str]
    distances: Mapping[str, Distance]
    trained: Summaries
    scored: Summaries
    newest: Summaries
    earlier: tuple[str, Summaries] | None
    top: Summaries
    rest: Summaries
    test: Mapping[str, Any] | None
    first_reasons: Mapping[str, FirstReason]
    change: Change | None
    made_at: str = ""

    @property
    def day(self) -> Mapping[str, Any]:
        """The figures of the newest date, from `scores.json`."""
        return self.scores["dates"][-1]

    @property
    def date(self) -> datetime.date:
        """The newest date."""
        return datetime.date.fromisoformat(self.day["date"])
