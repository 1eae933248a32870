"""How many customers each arm needs, so that a holdout shows what acting on the others achieves."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from statistics import NormalDist

#: Chance to see a difference where there is none, two-sided.
ALPHA = 0.05
#: Chance to see the lift if it is there.
POWER = 0.8
#: Relative lifts of the table: a conversion rate of 2 % with a lift of 0.1 becomes 2.2 %.
LIFTS = (0.05, 0.1, 0.2, 0.5)


@dataclasses.dataclass(frozen=True)
class ArmSizes:
    """The customers needed to see a lift.

    Attributes:
        lift: relative, such as 0.1.
        treated: in the arm `treated`; None if no number is enough, since the rate would be above 1.
        holdout: in the arm `holdout`; None likewise.
    """

    lift: float
    treated: int | None
    holdout: int | None


def arm_sizes(base_rate: float, holdout_share: float, lifts: Sequence[float] = LIFTS) -> list[ArmSizes]:
    """The sizes of both arms with which a two-proportion z-test sees each lift with the chance POWER.

    With p0 the base rate, p1 = p0 * (1 + lift), h the holdout's share and p = h * p0 + (1 - h) * p1, the customers in
    both arms together are

        (z(1 - ALPHA/2) * sqrt(p * (1 - p) / (h * (1 - h)))
         + z(POWER) * sqrt(p1 * (1 - p1) / (1 - h) + p0 * (1 - p0) / h)) ** 2 / (p1 - p0) ** 2

    which is the normal approximation for arms of different sizes, without a correction for continuity: Fleiss, Levin
    and Paik, Statistical Methods for Rates and Proportions, 3rd edition (2003), chapter 4.

    Args:
        base_rate: the conversion rate of those whom you do not act on, between 0 and 1.
        holdout_share: the holdout's share of the customers, between 0 and 1: `scoring.holdout_percent` / 100.
        lifts: relative, above 0.

    Returns:
        The sizes for each lift, in their order.

    Raises:
        ValueError: a value is out of its range.
    """
    if not 0 < base_rate < 1:
        raise ValueError(f"the base rate must be between 0 and 1, not {base_rate:g}")
    if not 0 < holdout_share < 1:
        raise ValueError(f"the holdout's share must be between 0 and 1, not {holdout_share:g}")
    if any(lift <= 0 for lift in lifts):
        raise ValueError("a lift must be above 0")
    found = []
    for lift in lifts:
        customers = _customers(base_rate, base_rate * (1 + lift), holdout_share)
        if customers is None:
            found.append(ArmSizes(lift, None, None))
        else:
            treated = math.ceil(customers * (1 - holdout_share))
            found.append(ArmSizes(lift, treated, math.ceil(customers * holdout_share)))
    return found


def _customers(rate: float, lifted: float, share: float) -> float | None:
    if lifted > 1:
        return None
    mean = share * rate + (1 - share) * lifted
    normal = NormalDist()
    same = normal.inv_cdf(1 - ALPHA / 2) * math.sqrt(mean * (1 - mean) / (share * (1 - share)))
    other = normal.inv_cdf(POWER) * math.sqrt(lifted * (1 - lifted) / (1 - share) + rate * (1 - rate) / share)
    return ((same + other) / (lifted - rate)) ** 2
