"""Figures by snapshot date and by feature value: the models' metrics, and the share of rows they select."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.gate.confidence import ERROR
from pipeline.gate.metrics import point_metrics
from pipeline.gate.rows import TestRows
from pipeline.gate.top_share import selected
from pipeline.gate.verdict import Difference, FairnessResult, Outcome, SliceResult, SnapshotResult

#: At most this many values of a feature are slices, most positives first. All other values share one slice.
MAX_VALUES = 50
OTHER = "(other)"
#: A fairness rate of fewer rows is reported, but not compared with others.
MIN_COMPARED = 30


@dataclasses.dataclass(frozen=True)
class Slice:
    """The rows, `[rows of the slice]` int64 row numbers, with one value of a feature."""

    feature: str
    value: str
    rows: np.ndarray


def slices_of(rows: TestRows) -> list[Slice]:
    """All slices, by feature, then by falling number of positives."""
    return [found for feature, values in rows.slices.items() for found in _slices(feature, values, rows.label)]


def slice_result(
    found: Slice,
    label: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    difference: Difference | None,
    *,
    operating_share: float,
) -> SliceResult:
    """Measures a slice. judged() judges it.

    Args:
        found: the slice.
        label: `[rows]`, 0 or 1.
        predictions: by model, challenger and maybe champion: `[rows]` float64.
        difference: between them on the slice; None if there is none.
        operating_share: the share of the slice's rows that precision and recall refer to.
    """
    own = label[found.rows]
    metrics = {
        model: point_metrics(own, predictions[model][found.rows], operating_share)
        for model in ("challenger", "champion")
        if model in predictions
    }
    return SliceResult(
        feature=found.feature,
        value=found.value,
        rows=len(own),
        positives=int(own.sum()),
        challenger=metrics["challenger"],
        champion=metrics.get("champion"),
        difference=difference,
        outcome="shown",
    )


def judged(results: Sequence[SliceResult], *, margin: float, min_positives: int) -> tuple[SliceResult, ...]:
    """Judges all slices together, so that their number does not raise the error.

    A slice fails if its true difference is at or below -margin beyond doubt. Holm's procedure (1979, Scandinavian
    Journal of Statistics 6:65) holds the chance that any slice fails wrongly at ERROR, for any number of slices. The
    p-values come from the normal distribution: a bootstrap cannot estimate percentiles so far out.

    Args:
        results: the slices.
        margin: by how much the challenger may be worse than the champion on each.
        min_positives: a slice with fewer positives is shown, but not judged.
    """
    judgeable = [
        number
        for number, result in enumerate(results)
        if result.difference is not None and result.positives >= min_positives
    ]
    p_values = {number: _p_value(results[number].difference, margin) for number in judgeable}
    outcomes: dict[int, Outcome] = dict.fromkeys(judgeable, "pass")
    for position, number in enumerate(sorted(judgeable, key=p_values.__getitem__)):
        if p_values[number] > ERROR / (len(judgeable) - position):
            break
        outcomes[number] = "fail"
    return tuple(
        dataclasses.replace(result, outcome=outcomes.get(number, "shown")) for number, result in enumerate(results)
    )


def _p_value(difference: Difference, margin: float) -> float:
    """The probability of a difference this low or lower, if the true one is -margin."""
    beyond = difference.value + margin
    if difference.standard_error == 0:
        return 0.0 if beyond <= 0 else 1.0
    return statistics.NormalDist().cdf(beyond / difference.standard_error)


def snapshot_results(
    rows: TestRows,
    challenger: np.ndarray,
    differences: Mapping[str, Difference | None],
    operating_share: float,
) -> tuple[SnapshotResult, ...]:
    """Each snapshot date's metrics and, if `differences` has it, the difference to the champion."""
    return tuple(
        SnapshotResult(
            date=date,
            rows=len(numbers),
            positives=int(rows.label[numbers].sum()),
            challenger=point_metrics(rows.label[numbers], challenger[numbers], operating_share),
            difference=differences.get(date),
        )
        for date, numbers in rows.by_date.items()
    )


def fairness(
    slices: Sequence[Slice], label: np.ndarray, predicted: np.ndarray, operating_share: float
) -> tuple[FairnessResult, ...]:
    """How often the top share of all rows selects rows of each slice.

    Args:
        slices: of any features.
        label: `[rows]`, 0 or 1.
        predicted: `[rows]` float64, the challenger's probabilities.
        operating_share: the share of all rows, highest predictions first, that you act on; one cut for all slices.
    """
    taken = selected(predicted, operating_share)
    results: list[FairnessResult] = []
    for feature in dict.fromkeys(found.feature for found in slices):
        results += _fairness_of([found for found in slices if found.feature == feature], label, taken)
    return tuple(results)


def _slices(feature: str, values: np.ndarray, label: np.ndarray) -> Iterator[Slice]:
    codes, names = pd.factorize(np.asarray(values, dtype=object), sort=True)
    by_positives = np.argsort(-np.bincount(codes, label, minlength=len(names)), kind="stable")
    for code in by_positives[:MAX_VALUES]:
        yield Slice(feature, str(names[code]), np.flatnonzero(codes == code))
    if len(names) > MAX_VALUES:
        yield Slice(feature, OTHER, np.flatnonzero(np.isin(codes, by_positives[MAX_VALUES:])))


def _fairness_of(slices: Sequence[Slice], label: np.ndarray, taken: np.ndarray) -> Iterator[FairnessResult]:
    """The results of one feature's slices; `taken` `[rows]` says by how much each row is selected."""
    every = [_rate(taken[found.rows]) for found in slices]
    positives = [_rate(taken[found.rows[label[found.rows] == 1]]) for found in slices]
    negatives = [_rate(taken[found.rows[label[found.rows] == 0]]) for found in slices]
    compared = [(rate.value, found.value) for rate, found in zip(every, slices, strict=True) if rate.compared]
    highest, highest_name = max(compared, default=(None, None))
    spreads = [spread for spread in (_spread(positives), _spread(negatives)) if spread is not None]
    for found, selection, true_positive, false_positive in zip(slices, every, positives, negatives, strict=True):
        yield FairnessResult(
            feature=found.feature,
            value=found.value,
            rows=len(found.rows),
            false_positive_rate=false_positive.value,
            false_negative_rate=None if true_positive.value is None else 1 - true_positive.value,
            selection_rate=selection.value,
            selection_rate_ratio=selection.value / highest if highest and selection.compared else None,
            highest_selection_rate=highest_name,
            equalised_odds_difference=max(spreads, default=None),
        )


@dataclasses.dataclass(frozen=True)
class _Rate:
    """The share of rows selected; None without rows."""

    value: float | None
    compared: bool


def _rate(taken: np.ndarray) -> _Rate:
    return _Rate(float(taken.mean()) if len(taken) else None, len(taken) >= MIN_COMPARED)


def _spread(rates: Sequence[_Rate]) -> float | None:
    values = [rate.value for rate in rates if rate.compared]
    return max(values) - min(values) if len(values) > 1 else None
