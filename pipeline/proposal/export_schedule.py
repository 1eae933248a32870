"""Decides windows and snapshots from the days of an export and the positives of its conversion. Pure functions."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Sequence

from pipeline.profiling.export_profile import HORIZONS
from pipeline.proposal.export_choices import Conversion, Tables
from pipeline.settings.dataset import Dataset
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.snapshots import SnapshotPlan, plan_snapshots

#: Test positives that are asked for, as a multiple of gate.min_positives: snapshots differ.
SPARE = 1.25
#: Positives that train, for which more than the usual number of snapshots are taken.
TRAIN_POSITIVES = 1000
#: The usual number of snapshots that train.
TRAIN = 6
#: The most training snapshots that are proposed.
MOST_TRAIN = 26
#: Numbers of test snapshots that are proposed, the usual one first.
TESTS = (2, 3, 4)
#: Lookbacks in days that are proposed, the first that the days allow.
LOOKBACKS = (30, 14, 7)
#: Days between two snapshots that are proposed, the first that the days allow.
GRIDS = (7, 1)
_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Windows and snapshots.

    Attributes:
        dataset: the settings with them.
        plan: what a run reads today; None if there are too few days.
        test_positives: expected test positives.
        reasons: by key of dataset.yaml.
        attention: what a person should know first; may be empty.
    """

    dataset: Dataset
    plan: SnapshotPlan | None
    test_positives: int
    reasons: dict[str, str]
    attention: str = ""


def choose_lookback(names: Sequence[str], dataset: Dataset, today: datetime.date) -> Dataset:
    """The longest lookback, and the grid, that the days allow; the usual ones if there are too few days for any."""
    for least, lookback, every in itertools.product((2, 1), LOOKBACKS, GRIDS):
        tried = with_schedule(dataset, lookback_days=lookback, every_days=every, train=least, test=1)
        if plan_if_enough(names, tried, today):
            return tried
    return with_schedule(dataset, train=2, test=1)


def days_needed(dataset: Dataset, today: datetime.date) -> int:
    """The days in a row with which a run of this schedule would begin to work."""
    newest = today - _DAY
    for count in itertools.count(dataset.windows.lookback_days):
        names = [f"{newest - back * _DAY:%Y%m%d}" for back in range(count)]
        if plan_if_enough(names, dataset, today):
            return count
    raise AssertionError("unreachable")


def choose_schedule(names: Sequence[str], dataset: Dataset, today: datetime.date, conversion: Conversion) -> Schedule:
    """The shortest horizon and the fewest test snapshots that give enough test positives; else those with the most.

    There are at least as many training snapshots as test snapshots.

    Args:
        names: of the export's tables, after the prefix.
        dataset: with the lookback and the grid (choose_lookback).
        today: the date.
        conversion: what to predict.
    """
    wanted = round(SPARE * dataset.gate.min_positives)
    least_train = dataset.snapshots.train
    found: list[tuple[int, int, int]] = []  # test positives, horizon, test snapshots
    for horizon, test in (*itertools.product(HORIZONS, TESTS), *itertools.product(HORIZONS, (1,))):
        outcome = conversion.outcome(horizon)
        tried = with_schedule(dataset, horizon_days=horizon, test=test, train=max(least_train, test))
        if outcome and plan_if_enough(names, tried, today):
            found.append((test * outcome[1], horizon, test))
            if test * outcome[1] >= wanted:
                break
    if not found:
        return Schedule(dataset, None, 0, _reasons(dataset, 0, 0, "the history is too short"))
    enough = found[-1][0] >= wanted
    positives, horizon, test = found[-1] if enough else max(found, key=lambda item: (item[0], -item[1], -item[2]))
    chosen = with_schedule(dataset, horizon_days=horizon, test=test, train=least_train)
    rows, of_one = conversion.outcome(horizon) or (0, 0)
    train = least_train
    for more in range(least_train + 1, MOST_TRAIN + 1):
        if more > TRAIN and train * of_one >= TRAIN_POSITIVES:
            break
        if not plan_if_enough(names, with_schedule(chosen, train=more), today):
            break
        train = more
    chosen = with_schedule(chosen, train=train)
    why = f"about {positives:,} test positives; the gate needs {dataset.gate.min_positives}"
    attention = ""
    if not positives:
        attention = "no user has it in the label window, so make run will stop. Name another event with LABEL="
    elif of_one == rows:
        attention = "every user has it in the label window, so make run will stop. Name another event with LABEL="
    elif positives < dataset.gate.min_positives:
        attention = (
            f"about {positives} test positives are fewer than gate.min_positives ({dataset.gate.min_positives}): the "
            f"verdict will be undecided until a test split has about {dataset.gate.min_positives} of them"
        )
    reasons = _reasons(chosen, rows, of_one, why)
    return Schedule(chosen, plan_if_enough(names, chosen, today), positives, reasons, attention)


def with_schedule(dataset: Dataset, **changes: int) -> Dataset:
    """The settings with other values of `windows` and `snapshots`."""
    windows = {key: value for key, value in changes.items() if key in type(dataset.windows).model_fields}
    snapshots = {key: value for key, value in changes.items() if key not in windows}
    return dataset.model_copy(
        update={
            "windows": dataset.windows.model_copy(update=windows),
            "snapshots": dataset.snapshots.model_copy(update=snapshots),
        }
    )


def missing_in_use(tables: Tables, plan: SnapshotPlan | None, dataset: Dataset) -> tuple[datetime.date, ...]:
    """The missing days that a run needs now or later."""
    if plan is None:
        return tables.missing
    first = plan.snapshot_dates[0] - dataset.windows.lookback_days * _DAY
    return tuple(day for day in tables.missing if day >= first)


def _reasons(dataset: Dataset, rows: int, positives: int, why: str) -> dict[str, str]:
    windows, snapshots = dataset.windows, dataset.snapshots
    rate = f"; base rate {positives / rows:.2%}" if rows else ""
    shorter = f"the days that there are allow no longer one than {windows.lookback_days}"
    close = "the days that there are allow no weekly ones"
    return {
        "lookback_days": "what ga4's features look back" if windows.lookback_days == LOOKBACKS[0] else shorter,
        "gap_days": "as long as a table takes to settle",
        "horizon_days": f"{why}{rate}",
        "settle_days": "late events arrive for three days",
        "every_days": "one a week" if snapshots.every_days == GRIDS[0] else close,
        "train": _times(snapshots.train, positives, "rows that train and stop early"),
        "test": _times(snapshots.test, positives, "test rows"),
    }


def _times(snapshots: int, positives: int, what: str) -> str:
    return f"{snapshots} x {positives:,} positives among the {what}" if positives else what


def plan_if_enough(names: Sequence[str], dataset: Dataset, today: datetime.date) -> SnapshotPlan | None:
    """The plan of a run, or None if there are too few days."""
    try:
        return plan_snapshots(names, dataset, today)
    except WarehouseError:
        return None
