"""What the gate found, as plain data."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

Outcome = Literal["pass", "fail", "undecided", "shown"]  # shown: reported, but it decides nothing

OVERALL = "overall"


@dataclasses.dataclass(frozen=True)
class Difference:
    """By how much the challenger is better than another model; negative if it is worse.

    Attributes:
        value: in units of the metric, negated if lower values are better.
        lower: one-sided 95 % bound from below.
        upper: one-sided 95 % bound from above.
        standard_error: of the value.
        method: bootstrap, delong or ratio.
    """

    value: float
    lower: float
    upper: float
    standard_error: float
    method: str

    def to_json(self) -> dict[str, float]:
        """The value and its bounds."""
        return {"value": self.value, "lower": self.lower, "upper": self.upper}


@dataclasses.dataclass(frozen=True)
class Check:
    """The result of one check of the challenger.

    Attributes:
        name: log_loss, champion, ...
        outcome: pass, fail, undecided or shown.
        text: one sentence for a reader.
        slice: `overall`, or `<feature>=<value>`.
        metric: the metric that was measured; None if it is none.
        value: its value.
        lower: the interval's lower end; None without an interval.
        upper: its upper end.
        bound: the requirement, such as `> -0.005`.
    """

    name: str
    outcome: Outcome
    text: str
    slice: str = OVERALL
    metric: str | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    bound: str = ""


@dataclasses.dataclass(frozen=True)
class SnapshotResult:
    """The rows of one snapshot date; `difference` is to the champion, None without a champion or with too few rows."""

    date: str
    rows: int
    positives: int
    challenger: dict[str, float | None]
    difference: Difference | None


@dataclasses.dataclass(frozen=True)
class SliceResult:
    """The rows with one value of a feature.

    Attributes:
        feature: its name.
        value: its value; slices.OTHER holds the rare ones together.
        rows: number of rows.
        positives: number of positives among them.
        challenger: point metrics.
        champion: point metrics; None without a champion.
        difference: to the champion; None without a champion or with too few rows.
        outcome: pass or fail; shown if the slice was not judged.
    """

    feature: str
    value: str
    rows: int
    positives: int
    challenger: dict[str, float | None]
    champion: dict[str, float | None] | None
    difference: Difference | None
    outcome: Outcome

    @property
    def name(self) -> str:
        """`<feature>=<value>`."""
        return f"{self.feature}={self.value}"

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data; the key `champion` is absent without a champion."""
        found = {
            "feature": self.feature,
            "value": self.value,
            "rows": self.rows,
            "positives": self.positives,
            "base_rate": self.positives / self.rows,
            "challenger": self.challenger,
            "difference": _optional(self.difference),
            "outcome": self.outcome,
        }
        return found if self.champion is None else {**found, "champion": self.champion}


@dataclasses.dataclass(frozen=True)
class FairnessResult:
    """How the operating point treats the rows with one value of a feature; a rate without rows is None.

    Attributes:
        feature: its name.
        value: its value.
        rows: number of rows.
        false_positive_rate: share of the negatives that are selected.
        false_negative_rate: share of the positives that are not selected.
        selection_rate: share of the rows that are selected.
        selection_rate_ratio: selection rate over the highest one of the feature's values.
        highest_selection_rate: the value with the highest selection rate.
        equalised_odds_difference: of the feature: the greatest difference between two of its values in the true or in
            the false positive rate.
    """

    feature: str
    value: str
    rows: int
    false_positive_rate: float | None
    false_negative_rate: float | None
    selection_rate: float
    selection_rate_ratio: float | None
    highest_selection_rate: str | None
    equalised_odds_difference: float | None


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The verdict on a challenger and everything that led to it.

    Attributes:
        verdict: the decision.
        decided_by: the name of the check that decided.
        reason: one sentence with the figures.
        rule: the comparison: metric, rule, margin, confidence, replicates, seed, method.
        data: the test rows: rows, positives, users, base_rate, training_base_rate, snapshots, operating_share.
        checks: in the order of their precedence.
        metrics: point metrics by model.
        snapshots: by date; empty without a date.
        slices: by feature and value.
        fairness: by feature and value, of the challenger.
        curves: by model, challenger and champion: see curves.curves().
        anchor_replaced: whether the challenger becomes the anchor when it is pushed.
    """

    verdict: Literal["blessed", "refused", "undecided", "unchanged"]
    decided_by: str
    reason: str
    rule: dict[str, Any]
    data: dict[str, Any]
    checks: tuple[Check, ...]
    metrics: dict[str, dict[str, float | None]]
    snapshots: tuple[SnapshotResult, ...]
    slices: tuple[SliceResult, ...]
    fairness: tuple[FairnessResult, ...]
    curves: dict[str, dict[str, dict[str, list[float]]]]
    anchor_replaced: bool

    def to_json(self) -> dict[str, Any]:
        """JSON-ready data; NaN and infinities are null."""
        shallow = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return _plain(
            {
                **shallow,
                "checks": [dataclasses.asdict(check) for check in self.checks],
                "snapshots": [
                    {**vars(snapshot), "difference": _optional(snapshot.difference)} for snapshot in self.snapshots
                ],
                "slices": [result.to_json() for result in self.slices],
                "fairness": [dataclasses.asdict(result) for result in self.fairness],
            }
        )


def _optional(difference: Difference | None) -> dict[str, float] | None:
    return difference.to_json() if difference else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
