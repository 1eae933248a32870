"""The profile of small tables, through DuckDB: each fact against a value by hand."""

import datetime

import pytest

from pipeline.profiling.forms import Form
from pipeline.profiling.profile import Dates, Day, Frequency, Lengths
from pipeline.profiling.table_profiler import TableProfiler
from pipeline.settings.dataset import TableSource
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse

SETTINGS = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)


@pytest.fixture
def profiler(tmp_path):
    """Opens a profiler over a file of this text."""
    opened = []

    def open_text(text, name="rows.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        opened.append(DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows")))
        return TableProfiler(opened[-1], str(path), "rows", is_text=True)

    yield open_text
    for warehouse in opened:
        warehouse.close()


def column(profiler, *cells):
    """The profile of a column of these cells."""
    lines = [f'{number},"{cell}"' for number, cell in enumerate(cells)]
    return profiler("\n".join(["n,x", *lines, ""])).profile().column("x")


def test_counts_and_lengths(profiler):
    found = column(profiler, "a", "bb", "bb", "", "NULL", "dddd")
    assert (found.type, found.filled, found.distinct) == ("STRING", 4, 3)
    assert found.lengths == Lengths(shortest=1, mean=2.25, longest=4)
    assert found.forms == {} and found.form is None


def test_values_are_the_most_frequent_first(profiler):
    found = column(profiler, "b", "a", "c", "c", "a", "c", "b", "b", "b")
    assert found.values == (Frequency("b", 4), Frequency("c", 3), Frequency("a", 2))


def test_two_readings_of_a_date_are_both_seen(profiler):
    found = column(profiler, "1/2/2025", "3/4/2025", "5/6/2025", "5/6/2025")
    assert found.form is Form.DATE_DMY_SLASHES
    assert found.forms == {Form.DATE_DMY_SLASHES: 4, Form.DATE_MDY_SLASHES: 4}
    assert found.dates == Dates(datetime.date(2025, 2, 1), datetime.date(2025, 6, 5), 3)


def test_days(profiler):
    text = "d,y\n2025-01-02,yes\n2025-01-01,no\n2025-01-02,no\n,yes\n"
    day = datetime.date(2025, 1, 1)
    assert profiler(text).days("CAST(t.d AS DATE)", "t.y = 'yes'") == [
        Day(day, 1, 0),
        Day(day + datetime.timedelta(1), 2, 1),
    ]
