import datetime

import pytest

from models.config import SettingsError
from pipeline.settings.dataset import Dataset
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.scoring_days import plan_scoring

DAY = datetime.timedelta(days=1)
NEWEST = datetime.date(2024, 4, 30)
TODAY = datetime.date(2024, 5, 1)
SETTLED = datetime.date(2024, 4, 28)


def dataset(**source):
    return Dataset(
        source={"kind": "ga4", **source},
        columns={"label": "converted", "key": "user_pseudo_id", "date": "snapshot_date"},
    )


def days(count, newest=NEWEST):
    return [f"{newest - back * DAY:%Y%m%d}" for back in range(count)]


def test_the_snapshot_is_the_day_after_the_newest_settled_day_and_no_later_day_is_read():
    plan = plan_scoring(days(100), dataset(), TODAY)
    assert plan.as_of == SETTLED and plan.snapshot_dates == (SETTLED + DAY,)
    assert plan.last_suffix == "20240428" and plan.first_suffix == "20240330"
    assert len(plan.table_suffixes) == 30


def test_a_back_fill_takes_every_date_of_the_grid_in_one_plan():
    plan = plan_scoring(days(100), dataset(), TODAY, datetime.date(2024, 4, 1), datetime.date(2024, 4, 20))
    assert [str(date) for date in plan.snapshot_dates] == ["2024-04-01", "2024-04-08", "2024-04-15"]
    assert plan.first_suffix == "20240302" and plan.last_suffix == "20240414"


def test_a_day_that_is_not_settled_is_refused():
    with pytest.raises(
        SettingsError, match=r"TO=2024-04-30 is not settled yet: .* the last snapshot can be 2024-04-29"
    ):
        plan_scoring(days(100), dataset(), TODAY, datetime.date(2024, 4, 1), datetime.date(2024, 4, 30))
    later = dataset().model_copy(update={"snapshots": dataset().snapshots.model_copy(update={"as_of": NEWEST})})
    with pytest.raises(SettingsError, match="the newest settled day is 2024-04-28"):
        plan_scoring(days(100), later, TODAY)


def test_a_period_without_a_date_of_the_grid_names_those_around_it():
    with pytest.raises(SettingsError, match=r"holds no snapshot date: .* are 2024-04-08 and 2024-04-15"):
        plan_scoring(days(100), dataset(), TODAY, datetime.date(2024, 4, 9), datetime.date(2024, 4, 11))


def test_a_history_that_is_too_short_names_the_first_snapshot_possible():
    with pytest.raises(WarehouseError, match="the first snapshot possible is 2024-04-11"):
        plan_scoring(days(50), dataset(), TODAY, datetime.date(2024, 4, 8), datetime.date(2024, 4, 15))


def test_a_missing_day_is_named_and_may_be_listed():
    tables = [day for day in days(100) if day != "20240405"]
    with pytest.raises(WarehouseError, match=r"no events table for 2024-04-05: .* list days that have no table"):
        plan_scoring(tables, dataset(), TODAY)
    plan = plan_scoring(tables, dataset(missing_days=[datetime.date(2024, 4, 5)]), TODAY)
    assert "20240405" not in plan.table_suffixes
