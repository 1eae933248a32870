"""How often the gate's rules are wrong: verdicts on simulated models whose true quality is known.

    python -m benchmarks.gate_error_rates --draws 1000

Scores are binormal: the scores of positives are higher by `sqrt(2) * Phi^-1(AUC)`, so both models have exactly the ROC
AUC of the case. The scores of champion and challenger are correlated like those of two models of the same data. The
correlation determines the standard error of the difference, and with it how likely an equally good model passes. Each
line shows that standard error.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from collections.abc import Iterator, Mapping

import numpy as np

from pipeline.gate import bootstrap, checks, intervals, probability_checks, slices
from pipeline.gate.confidence import error_of_a_run
from pipeline.gate.metrics import log_losses
from pipeline.gate.verdict import Difference, SliceResult
from pipeline.settings.gate import GateSettings

USER_SHARE = 0.5  # of a score's variance that rows of one user have in common
SETTINGS = GateSettings()
VERDICTS = {"pass": "blessed", "undecided": "undecided", "fail": "refused"}
RUNS_PER_YEAR = 52

_DRAWS_PER_WEIGHTS = 50  # drawing weights takes longer than using them


@dataclasses.dataclass(frozen=True)
class Models:
    """Two models of one data set.

    Attributes:
        auc: the champion's ROC AUC.
        base_rate: of the rows.
        correlation: between the models' scores, given the label.
    """

    auc: float
    base_rate: float
    correlation: float


# The correlations give these standard errors: on the UCI sessions 0.0025 at 380 positives, as measured between model
# families; on the GA4 sample 0.0019 at 1,000 positives (0.0016 was measured between its Keras and its XGBoost model).
UCI = Models(auc=0.93, base_rate=0.1541, correlation=0.95)
SAMPLE = Models(auc=0.88, base_rate=0.0519, correlation=0.952)
POSITIVES = (380, 1000)


@dataclasses.dataclass(frozen=True)
class Case:
    """One simulated case.

    Attributes:
        positives: rows with label 1.
        difference: true ROC AUC of challenger minus champion.
        models: the champion, and how much the challenger resembles it.
        rows_per_user: 1 or 3. With 3, the first two rows of a buyer are positives.
        heed_users: whether the intervals draw the rows of a user together.
    """

    positives: int
    difference: float
    models: Models = UCI
    rows_per_user: int = 1
    heed_users: bool = True

    @property
    def rows(self) -> int:
        """How many rows."""
        return round(self.positives / self.models.base_rate)

    @property
    def label(self) -> np.ndarray:
        """`[rows]` int8."""
        number = np.arange(self.rows)
        if self.rows_per_user == 1:
            return (number < self.positives).astype(np.int8)
        return ((number < self.positives * 3 // 2) & (number % 3 < 2)).astype(np.int8)

    @property
    def user(self) -> np.ndarray:
        """`[rows]`: codes from 0 on."""
        return np.arange(self.rows) // self.rows_per_user


@dataclasses.dataclass(frozen=True)
class Rates:
    """Shares of draws by verdict, and the mean standard error of the difference."""

    blessed: float
    undecided: float
    refused: float
    standard_error: float


def main() -> None:
    """Prints a table for each rule."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="of each case")
    draws = parser.parse_args().draws
    _print_comparisons(draws)
    _print("rows a user | noise, sd of the log-odds | passes", _first_run_lines(draws))
    _print("slices | worse by the margin, any refused | no better, any refused", _slice_lines(max(1, draws // 5)))
    _print(
        "runs a year | positives | worse by the margin, blessed within the year | equal, blessed", _year_lines(draws)
    )


def _print_comparisons(draws: int) -> None:
    margin = SETTINGS.margin
    cases = [
        Case(positives, difference, models)
        for models in (UCI, SAMPLE)
        for positives in POSITIVES
        for difference in (-margin, 0.0, margin)
    ]
    cases += [Case(380, -margin, rows_per_user=3, heed_users=heed) for heed in (True, False)]
    lines = []
    for case in cases:
        rows = f"{case.rows_per_user}{'' if case.heed_users else ', ignored'}"
        for (method, rule), found in rates(case, draws, bootstrapped=case.models is UCI).items():
            shares = [f"{share:.1%}" for share in (found.blessed, found.undecided, found.refused)]
            error = f"{found.standard_error:.4f}"
            lines.append([str(case.positives), rows, error, f"{case.difference:+.3f}", method, rule, *shares])
    _print(
        "positives | rows a user | standard error | true difference | method | rule | blessed | undecided | refused",
        lines,
    )


def _first_run_lines(draws: int) -> Iterator[list[str]]:
    for rows_per_user in (1, 3):
        for noise in (0.01, 0.03, 0.1):
            found = noise_rate(noise, draws, rows_per_user=rows_per_user)
            yield [str(rows_per_user), f"{noise:g}", f"{found:.1%}"]


def _slice_lines(draws: int) -> Iterator[list[str]]:
    for number in (1, 10, 50):
        shares = [any_slice_refused(number, difference, draws) for difference in (-SETTINGS.slice_margin, 0.0)]
        yield [str(number), *(f"{share:.1%}" for share in shares)]


def _year_lines(draws: int) -> Iterator[list[str]]:
    for runs in (None, RUNS_PER_YEAR):
        for positives in (*POSITIVES, 4000):
            worse, equal = (
                blessed_rate(Case(positives, difference, SAMPLE), draws, runs) for difference in (-SETTINGS.margin, 0.0)
            )
            within_a_year = 1 - (1 - worse) ** RUNS_PER_YEAR
            yield [str(runs), str(positives), f"{within_a_year:.1%}", f"{equal:.1%}"]


def _print(head: str, lines: Iterator[list[str]] | list[list[str]]) -> None:
    print(f"\n| {head} |\n|{'---|' * (head.count('|') + 1)}")
    for cells in lines:
        print(f"| {' | '.join(cells)} |", flush=True)


def rates(
    case: Case, draws: int, seed: int = 0, *, analytic: bool = True, bootstrapped: bool = True
) -> dict[tuple[str, str], Rates]:
    """Verdicts by method (bootstrap, if `bootstrapped`; delong, if `analytic`) and rule (non_inferior, superior)."""
    found: dict[tuple[str, str], list[str]] = {}
    errors: dict[str, list[float]] = {}
    for drawn in differences(case, draws, seed, analytic=analytic, bootstrapped=bootstrapped):
        for method, difference in drawn.items():
            errors.setdefault(method, []).append(difference.standard_error)
            for rule in ("non_inferior", "superior"):
                check = checks.comparison("champion", difference, SETTINGS, rule=rule, positives=case.positives)
                found.setdefault((method, rule), []).append(VERDICTS[check.outcome])
    return {
        (method, rule): Rates(
            **{verdict: verdicts.count(verdict) / draws for verdict in VERDICTS.values()},
            standard_error=statistics.fmean(errors[method]),
        )
        for (method, rule), verdicts in found.items()
    }


def differences(
    case: Case, draws: int, seed: int, *, analytic: bool, bootstrapped: bool = True
) -> Iterator[Mapping[str, Difference]]:
    """For each draw, the difference by method."""
    random = np.random.default_rng(seed)
    label = case.label
    unit = case.user if case.heed_users else np.arange(len(label))
    for draw in range(draws):
        pairs = {"": intervals.Pair(*scores(case, random))}
        found = {}
        if bootstrapped:
            if draw % _DRAWS_PER_WEIGHTS == 0:
                weights = list(bootstrap.poisson_weights(unit.max() + 1, SETTINGS.replicates, seed + draw))
            drawn = intervals.bootstrap_differences(pairs, label, unit, metric="roc_auc", weights=weights)
            found[intervals.BOOTSTRAP] = drawn[""]
        if analytic:
            found[intervals.DELONG] = intervals.analytic_differences(pairs, label, unit, metric="roc_auc")[""]
        yield found


def noise_rate(noise: float, draws: int, *, rows_per_user: int = 1, seed: int = 0) -> float:
    """How often a model that knows nothing passes the log loss check of a first run.

    Args:
        noise: standard deviation of its log-odds around those of the true base rate.
        draws: number of such models; each has its own test rows.
        rows_per_user: all rows of a user have the same label.
        seed: of the draws.
    """
    random = np.random.default_rng(seed)
    users = round(380 / UCI.base_rate) // rows_per_user
    unit = np.repeat(np.arange(users), rows_per_user)
    passed = 0
    for _ in range(draws):
        label = (random.random(users) < UCI.base_rate)[unit].astype(np.int8)
        odds = UCI.base_rate / (1 - UCI.base_rate) * np.exp(noise * random.standard_normal(len(unit)))
        predicted = odds / (1 + odds)
        constant = intervals.Pair(predicted, np.full(len(unit), label.mean()))
        improvement = intervals.analytic_differences({"": constant}, label, unit, metric="log_loss")[""]
        value = float(log_losses(label, predicted).mean())
        passed += probability_checks.log_loss(value, label.mean(), improvement, first=True).outcome == "pass"
    return passed / draws


def any_slice_refused(number: int, difference: float, draws: int, *, seed: int = 0) -> float:
    """How often at least one of `number` slices refuses a model; all have the fewest positives that are judged.

    Args:
        number: slices, which share no rows.
        difference: true ROC AUC of challenger minus champion in each of them.
        draws: how many models.
        seed: of the draws.
    """
    case = Case(SETTINGS.slice_min_positives, difference, dataclasses.replace(UCI, correlation=0.5))
    drawn = differences(case, number * draws, seed, analytic=True, bootstrapped=False)
    refused = 0
    for _ in range(draws):
        results = [
            SliceResult("slice", str(value), case.rows, case.positives, {}, {}, next(drawn)[intervals.DELONG], "shown")
            for value in range(number)
        ]
        judged = slices.judged(results, margin=SETTINGS.slice_margin, min_positives=SETTINGS.slice_min_positives)
        refused += any(result.outcome == "fail" for result in judged)
    return refused / draws


def blessed_rate(case: Case, draws: int, runs_per_year: int | None, *, seed: int = 0) -> float:
    """How often one run blesses by DeLong's interval, if that many runs share the error."""
    settings = GateSettings(runs_per_year=runs_per_year)
    error = error_of_a_run(runs_per_year)
    blessed = 0
    for drawn in differences(case, draws, seed, analytic=True, bootstrapped=False):
        difference = intervals.with_lower_error(drawn[intervals.DELONG], error)
        check = checks.comparison("champion", difference, settings, rule="non_inferior", positives=case.positives)
        blessed += check.outcome == "pass"
    return blessed / draws


def scores(case: Case, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Challenger's and champion's scores, each `[rows]` float64."""
    user = case.user
    share = USER_SHARE if case.rows_per_user > 1 else 0.0
    noise = np.sqrt(share) * _correlated(user.max() + 1, case.models, random)[user]
    noise += np.sqrt(1 - share) * _correlated(len(user), case.models, random)
    aucs = np.array([case.models.auc + case.difference, case.models.auc])
    separation = np.sqrt(2) * np.array([statistics.NormalDist().inv_cdf(auc) for auc in aucs])
    challenger, champion = (case.label[:, None] * separation + noise).T
    return challenger, champion


def _correlated(rows: int, models: Models, random: np.random.Generator) -> np.ndarray:
    """`[rows, 2]`: standard normal pairs."""
    pairs = random.standard_normal((rows, 2))
    pairs[:, 1] = models.correlation * pairs[:, 0] + np.sqrt(1 - models.correlation**2) * pairs[:, 1]
    return pairs


if __name__ == "__main__":
    main()
