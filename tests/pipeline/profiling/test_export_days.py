import datetime

import pytest

from pipeline.profiling.export_days import export_days, missing_between
from pipeline.settings.dataset import EventSource
from pipeline.warehouse.interface import WarehouseError

SOURCE = EventSource(kind="ga4")
TODAY = datetime.date(2024, 3, 10)


def day(of_month):
    return datetime.date(2024, 3, of_month)


def test_tables_are_sorted_by_kind():
    names = ["20240303", "20240301", "intraday_20240303", "intraday_20240304", "fresh_20240302", "users", "2024"]
    days = export_days(names, SOURCE, TODAY, "shop")
    assert days.daily == (day(1), day(3))
    assert days.others == {"intraday": (day(4),), "fresh": (day(2),)}  # days without a daily table
    assert days.unknown == ("2024", "users")
    assert days.of_kind("fresh") == (day(1), day(2), day(3))
    assert missing_between(days.daily) == (day(2),) and missing_between([day(1)]) == ()


def test_no_table_and_names_that_are_none():
    with pytest.raises(WarehouseError, match=r"^shop: no daily table events_YYYYMMDD$"):
        export_days([], SOURCE, TODAY, "shop")
    with pytest.raises(WarehouseError, match=r"it holds events_2024_03, which are not named so"):
        export_days(["2024_03"], SOURCE, TODAY, "shop")


def test_a_table_of_a_day_to_come_is_refused():
    with pytest.raises(WarehouseError, match=r"events_20240312 is the table of a day to come .today is 2024-03-10"):
        export_days(["20240301", "20240312"], SOURCE, TODAY, "shop")
    export_days(["20240311"], SOURCE, TODAY, "shop")  # a property may be a day ahead of UTC
