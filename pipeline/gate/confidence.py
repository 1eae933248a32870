"""How sure the gate is: the error rates of its bounds, each named once."""

from __future__ import annotations

import math
import statistics

ERROR = 0.05  #: Error of each one-sided bound of the gate: two of them make a 90 % interval.
FIRST_RUN_ERROR = 0.01  #: Without a champion, error of the bound that log loss must beat the base rate by.
POWER = 0.8  #: How likely a verdict passes with the number of positives that the gate says it needs.


def quantile(error: float) -> float:
    """The distance from a value to its one-sided bound with this error, in standard errors."""
    return statistics.NormalDist().inv_cdf(1 - error)


Z = quantile(ERROR)


def error_of_a_run(runs_per_year: int | None) -> float:
    """The error of each run that holds the error of a whole year's runs at ERROR (Bonferroni).

    Args:
        runs_per_year: how many runs share the error; None gives ERROR to each run.
    """
    return ERROR / (runs_per_year or 1)


def positives_needed(positives: int, standard_error: float, distance: float, error: float = ERROR) -> int:
    """The number of positives with which a value at this distance within its bound passes with probability POWER.

    Args:
        positives: how many there are now.
        standard_error: of the value now; it falls with the root of the positives.
        distance: from the true value to the bound, in the same units.
        error: of the bound.
    """
    return math.ceil(positives * ((quantile(error) + quantile(1 - POWER)) * standard_error / distance) ** 2)
