"""How often the gate's rule is wrong: verdicts on drawn models whose true difference is known.

    python -m benchmarks.gate_error_rates --draws 1000

Scores are binormal: a positive's lie higher by `sqrt(2) * Phi^-1(AUC)`, so that both models have exactly the ROC AUC
asked for. Champion and challenger are correlated as two good models of the same data are: at 380 positives the standard
error of their difference is 0.0025, as was measured between model families on the UCI sessions.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.gate import bootstrap, checks, intervals
from pipeline.gate.verdict import Difference
from pipeline.settings.gate import GateSettings

CHAMPION_AUC = 0.93
CORRELATION = 0.95  # between the models' scores, given the label
USER_SHARE = 0.5  # of a score's variance that rows of one user have in common
ROWS = {380: 2466, 1000: 6490}  # positives: rows, at the base rate of the UCI sessions
SETTINGS = GateSettings()
VERDICTS = {"pass": "blessed", "undecided": "undecided", "fail": "refused"}

_DRAWS_PER_WEIGHTS = 50  # drawing weights takes longer than using them


@dataclasses.dataclass(frozen=True)
class Case:
    """What is drawn.

    Attributes:
        positives: rows with label 1, one of ROWS.
        difference: true ROC AUC of challenger minus champion.
        rows_per_user: 1, or 3, of which a buyer's first two are positives.
        heed_users: whether the intervals know whose rows they are.
    """

    positives: int
    difference: float
    rows_per_user: int = 1
    heed_users: bool = True

    @property
    def label(self) -> np.ndarray:
        """`[rows]` int8."""
        rows = ROWS[self.positives]
        number = np.arange(rows)
        if self.rows_per_user == 1:
            return (number < self.positives).astype(np.int8)
        return ((number < self.positives * 3 // 2) & (number % 3 < 2)).astype(np.int8)

    @property
    def user(self) -> np.ndarray:
        """`[rows]`: codes from 0 on."""
        return np.arange(ROWS[self.positives]) // self.rows_per_user


@dataclasses.dataclass(frozen=True)
class Rates:
    """Shares of draws by verdict, and the mean width of the interval."""

    blessed: float
    undecided: float
    refused: float
    width: float


def main() -> None:
    """Prints a line for each case, method and rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="of each case")
    draws = parser.parse_args().draws
    margin = SETTINGS.margin
    cases = [Case(positives, difference) for positives in ROWS for difference in (-margin, 0.0, margin)]
    cases += [Case(380, -margin, rows_per_user=3, heed_users=heed) for heed in (True, False)]
    print("| positives | rows a user | true difference | method | rule | blessed | undecided | refused | width |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case in cases:
        rows = f"{case.rows_per_user}{'' if case.heed_users else ', ignored'}"
        for (method, rule), found in rates(case, draws).items():
            shares = [f"{share:.1%}" for share in (found.blessed, found.undecided, found.refused)]
            cells = [str(case.positives), rows, f"{case.difference:+.3f}", method, rule, *shares, f"{found.width:.4f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


def rates(case: Case, draws: int, seed: int = 0, *, analytic: bool = True) -> dict[tuple[str, str], Rates]:
    """Verdicts by method (bootstrap; delong, if `analytic`) and rule (non_inferior, superior)."""
    found: dict[tuple[str, str], list[str]] = {}
    widths: dict[str, list[float]] = {}
    for drawn in differences(case, draws, seed, analytic=analytic):
        for method, difference in drawn.items():
            widths.setdefault(method, []).append(difference.upper - difference.lower)
            for rule in ("non_inferior", "superior"):
                check = checks.comparison("champion", difference, SETTINGS, rule=rule, positives=case.positives)
                found.setdefault((method, rule), []).append(VERDICTS[check.outcome])
    return {
        (method, rule): Rates(
            **{verdict: verdicts.count(verdict) / draws for verdict in VERDICTS.values()},
            width=statistics.fmean(widths[method]),
        )
        for (method, rule), verdicts in found.items()
    }


def differences(case: Case, draws: int, seed: int, *, analytic: bool) -> Iterator[Mapping[str, Difference]]:
    """For each draw, the difference by method."""
    random = np.random.default_rng(seed)
    label = case.label
    unit = case.user if case.heed_users else np.arange(len(label))
    for draw in range(draws):
        if draw % _DRAWS_PER_WEIGHTS == 0:
            weights = list(bootstrap.poisson_weights(unit.max() + 1, SETTINGS.replicates, seed + draw))
        pairs = {"": intervals.Pair(*scores(case, random))}
        drawn = intervals.bootstrap_differences(pairs, label, unit, metric="roc_auc", weights=weights)
        found = {intervals.BOOTSTRAP: drawn[""]}
        if analytic:
            found[intervals.DELONG] = intervals.analytic_differences(pairs, label, unit, metric="roc_auc")[""]
        yield found


def scores(case: Case, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Challenger's and champion's scores, each `[rows]` float64."""
    user = case.user
    share = USER_SHARE if case.rows_per_user > 1 else 0.0
    noise = np.sqrt(share) * _correlated(user.max() + 1, random)[user] + np.sqrt(1 - share) * _correlated(
        len(user), random
    )
    aucs = np.array([CHAMPION_AUC + case.difference, CHAMPION_AUC])
    separation = np.sqrt(2) * np.array([statistics.NormalDist().inv_cdf(auc) for auc in aucs])
    challenger, champion = (case.label[:, None] * separation + noise).T
    return challenger, champion


def _correlated(rows: int, random: np.random.Generator) -> np.ndarray:
    """`[rows, 2]`: standard normal pairs."""
    pairs = random.standard_normal((rows, 2))
    pairs[:, 1] = CORRELATION * pairs[:, 0] + np.sqrt(1 - CORRELATION**2) * pairs[:, 1]
    return pairs


if __name__ == "__main__":
    main()
