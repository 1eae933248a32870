"""The questions put to a challenger. Each gives a Check: the figures, the outcome, and a sentence for a reader."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from pipeline.gate import metrics
from pipeline.gate.calibration import Estimate
from pipeline.gate.metrics import METRICS
from pipeline.gate.verdict import Check, Difference, Outcome, SliceResult
from pipeline.settings.gate import GateSettings

#: Largest difference between the predictions of two models that count as the same model (verdict `unchanged`).
MAX_UNCHANGED = 1e-6
#: Sum of the normal quantiles of 0.95 and 0.80 (one-sided error of 5 %, power of 80 %): how many positives are needed.
_POWER_FACTOR = 2.49


def largest_difference(predictions: np.ndarray, others: np.ndarray) -> float:
    """Between two models' predictions `[rows]` on the same rows."""
    return float(np.abs(predictions - others).max())


def infrastructure(problems: Sequence[str]) -> Check:
    """Whether the model can be served; `problems` are InfraCheck's."""
    if not problems:
        return Check("infra", "pass", "The infrastructure check found that the model can be served.")
    return Check("infra", "fail", f"The model cannot be served: {'; '.join(problems).rstrip('.')}.")


def withdrawn(reason: str) -> Check:
    """That the challenger is a model which a rollback withdrew, and why."""
    text = f"This very model was withdrawn by a rollback ({reason}); training must give another one first."
    return Check("withdrawn", "fail", text)


def broken_bound(text: str) -> Check:
    """That the challenger breaks an absolute bound of the settings; `text` says which."""
    return Check("bounds", "fail", f"An absolute bound of the settings is broken: {text}.")


def unchanged(largest: float, *, same_model: bool = False) -> Check:
    """Whether the challenger predicts anything else than the champion.

    Args:
        largest: difference between their predictions over all rows.
        same_model: whether they are known to be one model.
    """
    bound = f"> {MAX_UNCHANGED:g}"
    if same_model:
        text = "The challenger is the champion: the same trained model, and nothing that it was trained on has changed."
        return Check("unchanged", "shown", text, value=largest, bound=bound)
    if largest <= MAX_UNCHANGED:
        text = f"The challenger predicts the same as the champion: on all test rows within {MAX_UNCHANGED:g}."
        return Check("unchanged", "shown", text, value=largest, bound=bound)
    text = f"The challenger's predictions differ from the champion's, by up to {largest:.2g}."
    return Check("unchanged", "pass", text, value=largest, bound=bound)


def positives(count: int, rows: int, needed: int) -> Check:
    """Whether there are enough positives to judge by (and, where they are the rarer class, enough negatives)."""
    enough = min(count, rows - count) >= needed
    text = f"The {rows:,} test rows hold {count:,} positives; a verdict needs at least {needed:,}"
    text += "." if rows - count >= needed else f", and as many negatives, of which there are {rows - count}."
    return Check("positives", "pass" if enough else "undecided", text, value=count, bound=f"≥ {needed}")


def log_loss(value: float, base_rate: float) -> Check:
    """Whether the challenger says more than the base rate does."""
    entropy = metrics.entropy(base_rate)
    outcome: Outcome = "pass" if value < entropy else "fail"
    text = f"Log loss is {value:.4f}; predicting the base rate for every row gives {entropy:.4f}."
    return Check("log_loss", outcome, text, metric="log_loss", value=value, bound=f"< {entropy:.4f}")


def calibration_slope(estimate: Estimate | None, bounds: tuple[float, float]) -> Check:
    """Whether predictions are as far apart as the truth."""
    if estimate is None:
        text = "There is no calibration slope: the predictions do not vary, or they separate the classes (a leak?)."
        return Check("calibration_slope", "fail", text, metric="calibration_slope", bound=_between(bounds))
    return _within("calibration_slope", "Calibration slope", estimate, bounds)


def observed_over_expected(
    estimate: Estimate | None, bounds: tuple[float, float], *, base_rate: float, training_base_rate: float
) -> Check:
    """Whether there are as many positives as predicted, give or take what the base rate itself moved."""
    moved = base_rate / training_base_rate
    bounds = min(bounds[0], moved), max(bounds[1], moved)
    name, title = "observed_over_expected", "Observed over expected positives"
    if estimate is None:
        text = f"{title} cannot be told: there are no positives, or none is expected."
        return Check(name, "fail", text, metric=name, bound=_between(bounds))
    return _within(name, title, estimate, bounds, f" (the base rate is {moved:.3f} times that of training)")


def slice_difference(result: SliceResult, settings: GateSettings) -> Check:
    """Whether a slice with a difference is not clearly worse than the champion's."""
    difference = result.difference
    number = _number(settings.slice_margin)
    text = (
        f"On {result.name} ({result.rows:,} rows, {result.positives:,} positives) "
        f"{_better(settings, difference, number)}; the interval must not lie wholly at or below "
        f"{number(-settings.slice_margin)}."
    )
    return Check(
        "slice",
        result.outcome,
        text,
        slice=result.name,
        metric=settings.metric,
        value=difference.value,
        lower=difference.lower,
        upper=difference.upper,
        bound=f"upper > {-settings.slice_margin:g}",
    )


def no_champion() -> Check:
    """What stands for the comparison when there is nothing to compare with."""
    return Check("champion", "pass", "There is no champion yet: the other checks alone decide.")


def comparison(name: str, difference: Difference | None, settings: GateSettings, *, rule: str, positives: int) -> Check:
    """Whether the challenger holds its own against the champion, or against the anchor.

    Args:
        name: champion or anchor.
        difference: to that model; None if there are too few users to tell.
        settings: metric and margin.
        rule: non_inferior or superior.
        positives: test positives.

    Returns:
        pass if the lower bound lies above the threshold, fail if the upper bound lies at or below it, else undecided.
    """
    threshold = -settings.margin if rule == "non_inferior" else 0.0
    bound = f"> {threshold:g}"
    if difference is None:
        text = f"Too few users have a positive, or a negative, to compare the challenger with the {name}."
        return Check(name, "undecided", text, metric=settings.metric, bound=bound)
    number = _number(settings.margin)
    text = f"Against the {name}, {_better(settings, difference, number)}; "
    if difference.lower > threshold:
        outcome: Outcome = "pass"
        text += f"the lower bound lies above {number(threshold)}."
    elif difference.upper <= threshold:
        outcome = "fail"
        text += f"the upper bound does not lie above {number(threshold)}."
    else:
        outcome = "undecided"
        needed = positives_needed(positives, difference.standard_error, settings.margin)
        power = "0" if rule == "non_inferior" else "one margin"
        text += (
            f"{number(threshold)} lies between the bounds. With about {needed:,} test positives (now {positives:,}) a "
            f"true difference of {power} would pass in 80 of 100 cases."
        )
    return Check(
        name,
        outcome,
        text,
        metric=settings.metric,
        value=difference.value,
        lower=difference.lower,
        upper=difference.upper,
        bound=bound,
    )


def positives_needed(positives: int, standard_error: float, margin: float) -> int:
    """Positives at which a true difference one margin above the threshold passes with 80 % power."""
    return math.ceil(positives * (_POWER_FACTOR * standard_error / margin) ** 2)


def _within(name: str, title: str, estimate: Estimate, bounds: tuple[float, float], note: str = "") -> Check:
    """Fails only if the whole interval lies beyond a bound."""
    broken = estimate.upper < bounds[0] or estimate.lower > bounds[1]
    text = (
        f"{title} is {estimate.value:.3f}, 90 % interval {estimate.lower:.3f} to {estimate.upper:.3f}; allowed are "
        f"{_between(bounds)}{note}, and the interval {'lies wholly beyond' if broken else 'reaches into that'}."
    )
    return Check(
        name,
        "fail" if broken else "pass",
        text,
        metric=name,
        value=estimate.value,
        lower=estimate.lower,
        upper=estimate.upper,
        bound=_between(bounds),
    )


def _between(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.3g} to {bounds[1]:.3g}"


def _better(settings: GateSettings, difference: Difference, number: Callable[[float], str]) -> str:
    title = METRICS[settings.metric].title
    better = "better" if difference.value >= 0 else "worse"
    return (
        f"the challenger's {title} is {better} by {number(abs(difference.value)).lstrip('+')} "
        f"(one-sided 95 % bounds {number(difference.lower)} and {number(difference.upper)}, positive is better)"
    )


def _number(margin: float) -> Callable[[float], str]:
    """Writes a difference with as many decimals as the margin needs."""
    decimals = max(4, 1 - math.floor(math.log10(margin)))
    return lambda value: f"{value:+.{decimals}f}"
