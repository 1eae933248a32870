"""Figures as a verdict's sentences show them."""

from __future__ import annotations

import math
from collections.abc import Callable

from pipeline.gate.confidence import ERROR
from pipeline.gate.metrics import METRICS
from pipeline.gate.verdict import Difference
from pipeline.settings.gate import GateSettings


def between(bounds: tuple[float, float]) -> str:
    """`0.9 to 1.1`."""
    return f"{bounds[0]:.3g} to {bounds[1]:.3g}"


def compared(
    settings: GateSettings, difference: Difference, number: Callable[[float], str], error: float = ERROR
) -> str:
    """By how much the challenger is better or worse, with its bounds.

    Args:
        settings: the metric.
        difference: its lower bound has this `error`.
        number: formats a difference.
        error: of the lower bound.
    """
    bounds = f"one-sided {percent(1 - ERROR)} bounds"
    if error < ERROR:
        bounds = f"one-sided bounds of {percent(1 - error)} and {percent(1 - ERROR)}"
    title = METRICS[settings.metric].in_sentence
    better = "better" if difference.value >= 0 else "worse"
    return (
        f"the challenger's {title} is {better} by {number(abs(difference.value)).lstrip('+')} "
        f"({bounds} {number(difference.lower)} and {number(difference.upper)}, positive is better)"
    )


def difference_format(margin: float) -> Callable[[float], str]:
    """Writes a difference with as many decimals as the margin needs."""
    decimals = max(4, 1 - math.floor(math.log10(margin)))
    return lambda value: f"{value:+.{decimals}f}"


def percent(share: float) -> str:
    """`99.9 %`."""
    return f"{100 * share:.4g} %"
