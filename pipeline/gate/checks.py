"""The checks of a challenger. Each returns a Check: the figures, the outcome, and a sentence for a reader.

The checks of its probabilities are in probability_checks.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.gate.confidence import ERROR, POWER, error_of_a_run, positives_needed
from pipeline.gate.metrics import METRICS, bounded_value
from pipeline.gate.texts import compared, difference_format, percent
from pipeline.gate.verdict import Check, Difference, Outcome, SliceResult
from pipeline.settings.gate import Bound, GateSettings

MAX_UNCHANGED = 1e-6  #: Two models count as the same if their predictions differ by at most this on every test row.


def largest_difference(predictions: np.ndarray, others: np.ndarray) -> float:
    """The largest difference between two models' predictions `[rows]` for the same rows."""
    return float(np.abs(predictions - others).max())


def infrastructure(problems: Sequence[str]) -> Check:
    """Checks whether the model can be served; `problems` are InfraCheck's."""
    if not problems:
        return Check("infra", "pass", "The infrastructure check found that the model can be served.")
    return Check("infra", "fail", f"The model cannot be served: {'; '.join(problems).rstrip('.')}.")


def withdrawn(reason: str) -> Check:
    """Refuses a challenger that a rollback has withdrawn, and says why it was withdrawn."""
    text = f"A rollback withdrew this model ({reason}). It stays refused until training produces a different one."
    return Check("withdrawn", "fail", text)


def broken_bounds(metrics: Mapping[str, float | None], bounds: Mapping[str, Bound]) -> list[Check]:
    """Checks the challenger against the absolute bounds of the settings; only broken ones give a Check.

    Args:
        metrics: its point metrics on the whole test split.
        bounds: by metric. A bound on a metric that is not defined on these rows is not broken.
    """
    found = []
    for name, bound in sorted(bounds.items()):
        value = bounded_value(name, metrics)
        if value is None:
            continue
        if bound.lower is not None and value < bound.lower:
            text, asked = f"{name} is {value:.4f}, but must be at least {bound.lower:g}", f"≥ {bound.lower:g}"
        elif bound.upper is not None and value > bound.upper:
            text, asked = f"{name} is {value:.4f}, but must be at most {bound.upper:g}", f"≤ {bound.upper:g}"
        else:
            continue
        text = f"An absolute bound of the settings is broken: {text}."
        found.append(Check("bounds", "fail", text, metric=name, value=value, bound=asked))
    return found


def unchanged(largest: float, *, same_model: bool = False) -> Check:
    """Checks whether the challenger's predictions differ from the champion's.

    Args:
        largest: the largest difference between their predictions over all rows.
        same_model: whether both are known to be copies of one model.
    """
    bound = f"> {MAX_UNCHANGED:g}"
    if same_model:
        text = "The challenger is the champion: nothing has changed since it was trained, so there is no new model."
        return Check("unchanged", "shown", text, value=largest, bound=bound)
    if largest <= MAX_UNCHANGED:
        text = f"The challenger predicts the same as the champion, within {MAX_UNCHANGED:g} on all test rows."
        return Check("unchanged", "shown", text, value=largest, bound=bound)
    text = f"The challenger's predictions differ from the champion's by up to {largest:.2g}."
    return Check("unchanged", "pass", text, value=largest, bound=bound)


def positives(count: int, rows: int, needed: int) -> Check:
    """Checks whether there are enough rows of the rarer class, positives or negatives, for a verdict."""
    enough = min(count, rows - count) >= needed
    text = f"The {rows:,} test rows hold {count:,} positives; a verdict needs at least {needed:,}"
    text += "." if rows - count >= needed else f", and as many negatives (now {rows - count:,})."
    return Check("positives", "pass" if enough else "undecided", text, value=count, bound=f"≥ {needed}")


def slice_difference(result: SliceResult, settings: GateSettings, *, family: int) -> Check:
    """Checks that the challenger is not clearly worse than the champion on a slice that has a difference.

    Args:
        result: the slice, judged together with the others.
        settings: metric and margin.
        family: how many slices are judged together.
    """
    difference = result.difference
    number = difference_format(settings.slice_margin)
    together = f", among {family} slices judged together" if family > 1 else ""
    certain = "is certain" if result.outcome == "fail" else "is not certain"
    text = (
        f"On {result.name} ({result.rows:,} rows, {result.positives:,} positives) "
        f"{compared(settings, difference, number)}; with {percent(1 - ERROR)} confidence{together}, it {certain} that "
        f"the true difference is at or below {number(-settings.slice_margin)}."
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


def floor(level: Difference | None, settings: GateSettings) -> Check:
    """Checks whether the challenger is better than the worst value of the metric that the settings accept.

    Args:
        level: the metric itself, negated if lower values are better; None if there are too few users to tell.
        settings: metric and floor.
    """
    entry = METRICS[settings.metric]
    bound = f"{'>' if entry.sign > 0 else '<'} {settings.floor:g}"
    if level is None:
        text = f"Too few users have positives, or negatives, to tell whether {entry.in_sentence} meets the floor."
        return Check("floor", "undecided", text, metric=settings.metric, bound=bound)
    least = entry.sign * settings.floor
    outcome: Outcome = "pass" if level.lower > least else "fail" if level.upper <= least else "undecided"
    low, high = sorted(entry.sign * end for end in (level.lower, level.upper))
    value = entry.sign * level.value
    text = (
        f"{entry.title} is {value:.4f}, 90 % interval {low:.4f} to {high:.4f}; "
        f"the whole interval must lie {'above' if entry.sign > 0 else 'below'} {settings.floor:g}."
    )
    return Check("floor", outcome, text, metric=settings.metric, value=value, lower=low, upper=high, bound=bound)


def no_champion() -> Check:
    """The check in place of the comparison, if there is no champion."""
    return Check("champion", "pass", "There is no champion yet: the other checks alone decide.")


def comparison(name: str, difference: Difference | None, settings: GateSettings, *, rule: str, positives: int) -> Check:
    """Checks whether the challenger is as good as the champion or the anchor.

    Args:
        name: champion or anchor.
        difference: to that model, with the lower bound of error_of_a_run(); None if there are too few users to tell.
        settings: metric, margin and runs a year.
        rule: non_inferior or superior.
        positives: test positives.

    Returns:
        pass if the lower bound lies above the threshold, fail if the upper bound lies at or below it, else undecided.
    """
    threshold = -settings.margin if rule == "non_inferior" else 0.0
    bound = f"> {threshold:g}"
    if difference is None:
        text = f"Too few users have positives, or negatives, to compare the challenger with the {name}."
        return Check(name, "undecided", text, metric=settings.metric, bound=bound)
    number = difference_format(settings.margin)
    error = error_of_a_run(settings.runs_per_year)
    text = f"Against the {name}, {compared(settings, difference, number, error)}; "
    if difference.lower > threshold:
        outcome: Outcome = "pass"
        text += f"the lower bound lies above {number(threshold)}."
    elif difference.upper <= threshold:
        outcome = "fail"
        text += f"the upper bound does not lie above {number(threshold)}."
    else:
        outcome = "undecided"
        needed = positives_needed(positives, difference.standard_error, settings.margin, error)
        power = "0" if rule == "non_inferior" else "one margin"
        text += (
            f"{number(threshold)} lies between the bounds. With about {needed:,} test positives (now {positives:,}) a "
            f"true difference of {power} would pass in {100 * POWER:.0f} of 100 cases."
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
