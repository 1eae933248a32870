"""Checks of a challenger's probabilities: are they better than the base rate, and do they match frequencies?"""

from __future__ import annotations

import math

from pipeline.gate.calibration import Estimate
from pipeline.gate.confidence import FIRST_RUN_ERROR, POWER, Z, positives_needed, quantile
from pipeline.gate.metrics import entropy
from pipeline.gate.texts import between, percent
from pipeline.gate.verdict import Check, Difference, Outcome
from pipeline.settings.gate import GateSettings


def log_loss(value: float, base_rate: float, improvement: Difference | None, *, first: bool) -> Check:
    """Checks whether the challenger's probabilities are better than the base rate.

    Args:
        value: the challenger's log loss.
        base_rate: of the test rows.
        improvement: over predicting the base rate for every row, by unit; None if there are too few units to tell.
        first: whether there is no champion to compare with. The challenger must then beat the base rate beyond doubt:
            no other check tells it from a model that knows nothing.
    """
    bound = entropy(base_rate)
    text = f"Log loss is {value:.4f}; predicting the base rate for every row gives {bound:.4f}"
    outcome: Outcome = "pass" if value < bound else "fail"
    if first and outcome == "pass":
        least = None if improvement is None else _bound(improvement, FIRST_RUN_ERROR)
        if least is None:
            text += ", but too few users have positives, or negatives, to tell whether that is chance"
        else:
            sure = percent(1 - FIRST_RUN_ERROR)
            text += f", which is {improvement.value:.2g} more (with {sure} confidence, at least {least:.2g})"
        outcome = "pass" if least is not None and least > 0 else "undecided"
        text += "" if outcome == "pass" else "; without a champion, that must be more than 0"
    return Check("log_loss", outcome, f"{text}.", metric="log_loss", value=value, bound=f"< {bound:.4f}")


def calibration_slope(estimate: Estimate | None, settings: GateSettings, *, positives: int) -> Check:
    """Checks that predictions are neither too extreme nor too cautious; `positives` counts those of the test rows."""
    if estimate is None:
        text = (
            "There is no calibration slope: all predictions are equal, or they separate the classes. If they do, look "
            "for a feature that knows the label."
        )
        return Check("calibration_slope", "fail", text, metric="calibration_slope", bound=between(settings.calibration))
    needed = positives_needed(positives, (estimate.upper - estimate.lower) / (2 * Z), 1 - settings.calibration_range[0])
    return _calibrated(
        "calibration_slope",
        "Calibration slope",
        estimate,
        settings.calibration,
        settings.calibration_range,
        positives=positives,
        needed=needed,
    )


def observed_over_expected(
    estimate: Estimate | None, settings: GateSettings, *, base_rate: float, training_base_rate: float, positives: int
) -> Check:
    """Checks whether there are as many positives as predicted, allowing for the change of the base rate."""
    moved = base_rate / training_base_rate
    low, high = settings.calibration
    bounds = min(low, moved), max(high, moved)
    name, title = "observed_over_expected", "Observed over expected positives"
    if estimate is None:
        text = f"{title} is not defined: there are no positives, or the predictions sum to 0."
        return Check(name, "fail", text, metric=name, bound=between(bounds))
    low, high = settings.calibration_range
    relative_error = math.log(estimate.upper / estimate.lower) / (2 * Z)
    return _calibrated(
        name,
        title,
        estimate,
        bounds,
        (low * min(1, moved), high * max(1, moved)),
        f" (the base rate is {moved:.3f} times that of training)",
        positives=positives,
        needed=positives_needed(positives, relative_error, min(-math.log(low), math.log(high))),
    )


def _calibrated(
    name: str,
    title: str,
    estimate: Estimate,
    bounds: tuple[float, float],
    widest: tuple[float, float],
    note: str = "",
    *,
    positives: int,
    needed: int,
) -> Check:
    """Fails if the whole interval lies beyond the bounds, and passes only if it is narrow enough to show something.

    Args:
        name: of the check.
        title: of the figure.
        estimate: with its 90 % interval.
        bounds: the accepted values; the interval must reach them.
        widest: to pass, the interval must lie within these, or within the bounds where they reach further.
        note: text to add to the bounds.
        positives: test positives.
        needed: the number of test positives with which a calibrated model passes with probability POWER.
    """
    widest = min(widest[0], bounds[0]), max(widest[1], bounds[1])
    text = f"{title} is {estimate.value:.3f}, 90 % interval {estimate.lower:.3f} to {estimate.upper:.3f}; "
    if estimate.upper < bounds[0] or estimate.lower > bounds[1]:
        outcome: Outcome = "fail"
        text += f"the whole interval lies outside {between(bounds)}{note}."
    elif widest[0] <= estimate.lower and estimate.upper <= widest[1]:
        outcome = "pass"
        text += f"the interval lies within {between(widest)} and reaches {between(bounds)}{note}."
    else:
        outcome = "undecided"
        text += f"the interval is not within {between(widest)}{note}"
        text += (
            f". With about {needed:,} test positives (now {positives:,}) a calibrated model would pass in "
            f"{100 * POWER:.0f} of 100 cases."
            if needed > positives
            else ", so it does not show that the model is calibrated."
        )
    return Check(
        name,
        outcome,
        text,
        metric=name,
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        bound=between(bounds),
    )


def _bound(difference: Difference, error: float) -> float:
    return difference.value - quantile(error) * difference.standard_error
