"""The rule: from predictions on the test rows to a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from pipeline.gate import calibration, checks, probability_checks
from pipeline.gate.confidence import error_of_a_run
from pipeline.gate.curves import curves
from pipeline.gate.intervals import Pair, analytic_differences, differences, method, with_lower_error
from pipeline.gate.metrics import point_metrics
from pipeline.gate.rows import TestRows, checked_predictions
from pipeline.gate.slices import Slice, fairness, judged, slice_result, slices_of, snapshot_results
from pipeline.gate.verdict import Check, Difference, Judgement
from pipeline.settings.gate import Bound, GateSettings

_LEVEL = "level"  # of the challenger alone


def judge(
    rows: TestRows,
    predictions: Mapping[str, np.ndarray],
    settings: GateSettings,
    *,
    training_base_rate: float,
    operating_share: float,
    bounds: Mapping[str, Bound] | None = None,
    given: Sequence[Check] = (),
    same_model: bool = False,
) -> Judgement:
    """Judges a challenger.

    The checks decide in this order: unchanged, withdrawn, positives, bounds, floor, log loss, calibration slope,
    observed over expected, slices, champion, anchor. The first check that fails refuses the challenger. If no check
    fails, the first undecided one makes the verdict undecided.

    Args:
        rows: the test rows.
        predictions: probabilities `[rows]` float64 of `challenger` and, if they exist, `champion` and `anchor`. If
            there is a champion but no anchor, the champion is the anchor.
        settings: metric, margins and bounds.
        training_base_rate: share of positives of the training rows, in (0, 1].
        operating_share: share of rows, highest predictions first, that you act on.
        bounds: absolute bounds on the challenger's point metrics, by name.
        given: checks made earlier: of the infrastructure, or a withdrawal.
        same_model: whether challenger and champion are copies of one Model artifact.

    Returns:
        The verdict and all figures.

    Raises:
        ValueError: a model's predictions are not probabilities for these rows, or an argument is out of range.
    """
    if not 0 < training_base_rate <= 1:
        raise ValueError(f"training_base_rate must lie in (0, 1], found {training_base_rate}")
    if not 0 < operating_share < 1:
        raise ValueError(f"operating_share must lie in (0, 1), found {operating_share}")
    predictions = checked_predictions(predictions, rows)
    slices = slices_of(rows)
    champion = predictions.get("champion")
    largest = None if champion is None else checks.largest_difference(predictions["challenger"], champion)
    compared = _differences(rows, predictions, slices, settings)
    results = judged(
        [
            slice_result(
                found, rows.label, predictions, compared.get(_slice_key(found)), operating_share=operating_share
            )
            for found in slices
        ],
        margin=settings.slice_margin,
        min_positives=settings.slice_min_positives,
    )
    metrics = {name: point_metrics(rows.label, predicted, operating_share) for name, predicted in predictions.items()}
    family = [result for result in results if result.outcome != "shown"]
    found = [
        *given,
        checks.positives(rows.positives, rows.rows, settings.min_positives),
        *checks.broken_bounds(metrics["challenger"], bounds or {}),
        *_level_checks(compared, settings),
        *_calibration_checks(rows, predictions, metrics["challenger"], settings, training_base_rate),
        *(checks.slice_difference(result, settings, family=len(family)) for result in family),
        *_comparison_checks(rows, predictions, compared, settings),
    ]
    if largest is not None:
        found.insert(0, checks.unchanged(largest, same_model=same_model))
    verdict, deciding = _decide(found)
    if verdict == "unchanged" or deciding.name in ("withdrawn", "positives"):
        found = [check if check is deciding else dataclasses.replace(check, outcome="shown") for check in found]
        results = tuple(dataclasses.replace(result, outcome="shown") for result in results)
    return Judgement(
        verdict=verdict,
        decided_by=deciding.name,
        reason=_reason(verdict, deciding, found),
        rule=_rule(settings, rows),
        data=_data(rows, training_base_rate, operating_share),
        checks=tuple(found),
        metrics=metrics,
        snapshots=snapshot_results(
            rows,
            predictions["challenger"],
            {date: compared.get(_date_key(date)) for date in rows.by_date},
            operating_share,
        ),
        slices=results,
        fairness=fairness(slices, rows.label, predictions["challenger"], operating_share),
        curves={
            name: curves(rows.label, predictions[name])
            for name in ("challenger", "champion")
            if name in predictions and 0 < rows.positives < rows.rows
        },
        anchor_replaced=verdict == "blessed" and _replaces_anchor(compared, champion),
    )


def refused_by_infra_check(problems: Sequence[str], settings: GateSettings) -> Judgement:
    """The judgement of a model that cannot be served: it is not measured, and the test rows stay unread."""
    check = checks.infrastructure(problems)
    return Judgement(
        verdict="refused",
        decided_by=check.name,
        reason=check.text,
        rule=_rule(settings),
        data={},
        checks=(check,),
        metrics={},
        snapshots=(),
        slices=(),
        fairness=(),
        curves={},
        anchor_replaced=False,
    )


def _differences(
    rows: TestRows, predictions: Mapping[str, np.ndarray], slices: Sequence[Slice], settings: GateSettings
) -> dict[Hashable, Difference | None]:
    """The challenger's differences to champion and anchor, and to the champion by slice and snapshot; and its level."""
    challenger, champion = predictions["challenger"], predictions.get("champion")
    pairs: dict[Hashable, Pair] = {
        name: Pair(challenger, predictions[name]) for name in ("champion", "anchor") if name in predictions
    }
    if settings.floor is not None:
        pairs[_LEVEL] = Pair(challenger, None)
    if champion is not None:
        pairs |= {_slice_key(found): Pair(challenger, champion, found.rows) for found in slices}
        pairs |= {_date_key(date): Pair(challenger, champion, numbers) for date, numbers in rows.by_date.items()}
    found = differences(
        pairs,
        rows.label,
        rows.unit_codes,
        metric=settings.metric,
        replicates=settings.replicates,
        seed=settings.seed,
    )
    error = error_of_a_run(settings.runs_per_year)
    for name in ("champion", "anchor"):
        if found.get(name):
            found[name] = with_lower_error(found[name], error)
    return found


def _level_checks(compared: Mapping[Hashable, Difference | None], settings: GateSettings) -> list[Check]:
    return [] if settings.floor is None else [checks.floor(compared[_LEVEL], settings)]


def _calibration_checks(
    rows: TestRows,
    predictions: Mapping[str, np.ndarray],
    metrics: Mapping[str, float | None],
    settings: GateSettings,
    training_base_rate: float,
) -> list[Check]:
    if not 0 < rows.positives < rows.rows:
        return []
    predicted = predictions["challenger"]
    columns = (rows.label, predicted, rows.unit_codes)
    constant = Pair(predicted, np.full(rows.rows, rows.base_rate))
    improvement = analytic_differences({"": constant}, rows.label, rows.unit_codes, metric="log_loss")[""]
    return [
        probability_checks.log_loss(
            metrics["log_loss"], rows.base_rate, improvement, first="champion" not in predictions
        ),
        probability_checks.calibration_slope(calibration.slope_interval(*columns), settings, positives=rows.positives),
        probability_checks.observed_over_expected(
            calibration.observed_over_expected_interval(*columns),
            settings,
            base_rate=rows.base_rate,
            training_base_rate=training_base_rate,
            positives=rows.positives,
        ),
    ]


def _comparison_checks(
    rows: TestRows,
    predictions: Mapping[str, np.ndarray],
    compared: Mapping[Hashable, Difference | None],
    settings: GateSettings,
) -> list[Check]:
    if "champion" not in predictions:
        return [checks.no_champion()]
    # The anchor only stops a slow decline. A blessed model need not beat it, even if the rule is `superior`.
    rules = {"champion": settings.rule, "anchor": "non_inferior"}
    return [
        checks.comparison(name, compared[name], settings, rule=rule, positives=rows.positives)
        for name, rule in rules.items()
        if name in predictions
    ]


def _decide(found: Sequence[Check]) -> tuple[str, Check]:
    """The verdict and the check that decided it."""
    by_name = {check.name: check for check in found}
    if "unchanged" in by_name and by_name["unchanged"].outcome == "shown":
        return "unchanged", by_name["unchanged"]
    if "withdrawn" in by_name:
        return "refused", by_name["withdrawn"]
    if by_name["positives"].outcome == "undecided":
        return "undecided", by_name["positives"]
    for outcome, verdict in (("fail", "refused"), ("undecided", "undecided")):
        for check in found:
            if check.outcome == outcome:
                return verdict, check
    return "blessed", by_name["champion"]


def _reason(verdict: str, deciding: Check, found: Sequence[Check]) -> str:
    others = [check for check in found if check.outcome == deciding.outcome and check is not deciding]
    if verdict != "refused" or not others:
        return deciding.text
    names = ", ".join(check.slice if check.name == "slice" else check.name.replace("_", " ") for check in others)
    return f"{deciding.text[:-1]} (also failed: {names})."


def _replaces_anchor(compared: Mapping[Hashable, Difference | None], champion: np.ndarray | None) -> bool:
    """The first model becomes the anchor; after that, only a model that is better than the anchor beyond doubt."""
    if champion is None:
        return True
    difference = compared.get("anchor", compared["champion"])
    return difference is not None and difference.lower > 0


def _slice_key(found: Slice) -> tuple[str, str, str]:
    return ("slice", found.feature, found.value)


def _date_key(date: str) -> tuple[str, str]:
    return ("date", date)


def _rule(settings: GateSettings, rows: TestRows | None = None) -> dict[str, object]:
    return {
        **{
            name: getattr(settings, name)
            for name in ("metric", "rule", "margin", "replicates", "seed", "floor", "runs_per_year")
        },
        "confidence": 1 - error_of_a_run(settings.runs_per_year),
        "method": method(settings.metric, rows.units) if rows else None,
    }


def _data(rows: TestRows, training_base_rate: float, operating_share: float) -> dict[str, object]:
    return {
        "rows": rows.rows,
        "positives": rows.positives,
        "users": rows.units,
        "base_rate": rows.base_rate,
        "training_base_rate": training_base_rate,
        "snapshots": list(rows.by_date),
        "operating_share": operating_share,
    }
