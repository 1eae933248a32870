import datetime

import pytest

import schema
from models.config import load_settings
from pipeline.profiling.export_profile import EventProfile, Outcome
from pipeline.proposal.export_choices import Conversion, Tables
from pipeline.proposal.export_schedule import (
    choose_lookback,
    choose_schedule,
    days_needed,
    missing_in_use,
    with_schedule,
)
from pipeline.settings.dataset import Dataset
from pipeline.warehouse.snapshots import plan_snapshots

DAY = datetime.timedelta(days=1)
TODAY = datetime.date(2024, 5, 1)
GA4 = load_settings(schema.ROOT / "ga4" / "dataset.yaml", Dataset)


def days(count, newest=TODAY - DAY):
    return [f"{newest - back * DAY:%Y%m%d}" for back in range(count)]


def conversion(eligibility="all", **positives):
    """An event with these positives of a snapshot by horizon (`of_7=...`), among 10,000 rows."""
    outcomes = {
        int(horizon.removeprefix("of_")): Outcome(10_000, count, 9_000, count // 2)
        for horizon, count in positives.items()
    }
    return Conversion(EventProfile("purchase", 1, 1, 0, outcomes), "", eligibility, "")


def chosen(count, what):
    lookback = choose_lookback(days(count), GA4, TODAY)
    schedule = choose_schedule(days(count), lookback, TODAY, what)
    windows, snapshots = schedule.dataset.windows, schedule.dataset.snapshots
    return schedule, (
        windows.lookback_days,
        windows.horizon_days,
        snapshots.every_days,
        snapshots.train,
        snapshots.test,
    )


@pytest.mark.parametrize(
    ("count", "what", "expected"),
    [
        (200, conversion(of_7=551, of_14=817, of_30=1041), (30, 7, 7, 6, 2)),  # ga4's
        (200, conversion(of_7=100, of_14=150, of_30=200), (30, 7, 7, 10, 3)),  # three test snapshots; more that train
        (400, conversion(of_7=100, of_14=150, of_30=200), (30, 7, 7, 10, 3)),
        (200, conversion(of_7=40, of_14=130, of_30=200), (30, 14, 7, 8, 2)),  # a longer horizon
        (200, conversion("never_converted", of_7=300, of_14=400, of_30=600), (30, 7, 7, 7, 2)),
        (70, conversion(of_7=500), (30, 7, 7, 2, 1)),
        (60, conversion(of_7=500), (30, 7, 1, 5, 2)),  # no weekly snapshots
        (45, conversion(of_7=500), (14, 7, 1, 6, 2)),
        (34, conversion(of_7=500), (7, 7, 1, 2, 2)),
    ],
)
def test_windows_and_snapshots_follow_positives_and_days(count, what, expected):
    schedule, found = chosen(count, what)
    assert found == expected
    assert schedule.plan == plan_snapshots(days(count), schedule.dataset, TODAY)  # which a run finds too


def test_too_few_positives_are_said():
    schedule, found = chosen(300, conversion(of_7=5, of_14=8, of_30=10))
    assert found[1] == 30 and schedule.test_positives == 40
    assert "about 40 test positives are fewer than gate.min_positives (200)" in schedule.attention
    none, _ = chosen(300, conversion(of_7=0, of_14=0, of_30=0))
    assert "make run will stop" in none.attention
    enough, _ = chosen(300, conversion(of_7=551, of_14=817, of_30=1041))
    assert enough.attention == ""


def test_too_few_days_have_no_plan():
    schedule, found = chosen(20, conversion())
    assert schedule.plan is None and found == (30, 7, 7, 2, 1)


def test_days_needed_is_the_fewest_days_that_have_a_plan():
    for lookback, every in ((30, 7), (30, 1), (7, 1)):
        dataset = with_schedule(GA4, lookback_days=lookback, every_days=every, train=2, test=1)
        need = days_needed(dataset, TODAY)
        assert plan_snapshots(days(need), dataset, TODAY)
        with pytest.raises(RuntimeError, match="not enough days"):
            plan_snapshots(days(need - 1), dataset, TODAY)


def test_missing_days_before_the_first_that_a_run_needs_are_not_listed():
    schedule, _ = chosen(200, conversion(of_7=551))
    first = schedule.plan.snapshot_dates[0] - 30 * DAY
    missing = (first - DAY, first, TODAY - 5 * DAY)
    tables = Tables("daily", "", missing, first - 50 * DAY, TODAY)
    assert missing_in_use(tables, schedule.plan, schedule.dataset) == missing[1:]
    assert missing_in_use(tables, None, schedule.dataset) == missing
