"""The page of a profile."""

import dataclasses
import datetime

import pytest

from pipeline.profiling.forms import Form
from pipeline.profiling.profile import Association, ColumnProfile, Dates, Day, Frequency, Numbers, TableProfile
from pipeline.report.profile_page import (
    LEFT_OUT,
    SHOWN_PERIODS,
    ColumnNote,
    Decision,
    ProfilePage,
    render_profile,
)
from tests.pipeline.report.pages import Page

FIRST = datetime.date(2025, 1, 1)
COLUMNS = (
    ColumnProfile("customer", "STRING", 1000, 1000),
    ColumnProfile(
        "date", "STRING", 1000, 90, form=Form.DATE_DMY_DOTS, dates=Dates(FIRST, datetime.date(2025, 3, 31), 90)
    ),
    ColumnProfile(
        "amount €",
        "STRING",
        900,
        700,
        form=Form.DECIMAL_COMMA,
        numbers=Numbers((-3.25, 0, 1, 5, 10, 20, 100, 500, 12345.678), 20.0, 3, 10, 0),
    ),
    ColumnProfile("<b>plan</b>", "STRING", 1000, 6, values=tuple(Frequency(f"p{n}", 500 - 100 * n) for n in range(5))),
    ColumnProfile(
        "browser",
        "INT64",
        1000,
        3,
        values=(Frequency("2", 700), Frequency("1", 200), Frequency("13", 100)),
        numbers=Numbers((1, 1, 1, 2, 2, 2, 13, 13, 13), 3.0, 0, 0, 1000),
    ),
    ColumnProfile("empty", "STRING", 0, 0),
    ColumnProfile("constant", "INT64", 1000, 1, numbers=Numbers((7,) * 9, 7, 0, 0, 1000)),
    ColumnProfile("bought", "STRING", 1000, 2, values=(Frequency("no", 950), Frequency("yes", 50))),
)
PAGE = ProfilePage(
    dataset="shop",
    profile=TableProfile("data/shop.csv", "shop", True, 1000, COLUMNS, None),
    notes={
        "customer": ColumnNote("key", "no two rows share a value"),
        "date": ColumnNote("date", "all values are dates"),
        "amount €": ColumnNote("number", "", "amount"),
        "<b>plan</b>": ColumnNote("category", "6 values", "b_plan_b"),
        "browser": ColumnNote("category", "3 values: numbers that stand for things"),
        "empty": ColumnNote(LEFT_OUT, "no row has a value"),
        "constant": ColumnNote(LEFT_OUT, "all rows have one value"),
        "bought": ColumnNote("label"),
    },
    decisions=[
        Decision("Label", "bought: yes counts as 1", "It is the only column of two values."),
        Decision("Test rows", "from 2025-03-10", "They are the newest 20 % of the rows."),
    ],
    next_command="make run DATASET=shop DATA=data/shop.csv",
    attention=["50 positives are too few for a verdict: the gate needs 200 on the test rows."],
    associations={"amount €": Association(0.8123, 0.9, 0.9), "<b>plan</b>": Association(None, 1, 1)},
    positives=50,
    days=[Day(FIRST + datetime.timedelta(days=n), 20 + n % 3, n % 2) for n in range(90)],
    made_at="2025-04-01 10:00 UTC",
)


def test_the_page_shows_facts_and_decisions():
    page = Page(render_profile(PAGE))
    for text in (
        "shop: profile of data/shop.csv",
        "1,000 rows, 8 columns",
        "50 positives are too few for a verdict",
        "make run DATASET=shop DATA=data/shop.csv",
        "bought: yes counts as 1",
        "5.00 %",
        "as amount",
        "-3.25 to 12,346, median 10",
        "2025-01-01 to 2025-03-31",
        "p0 50 %, p1 40 %, p2 30 %, p3 20 %, and 2 more",
        "2 70 %, 1 20 %, 13 10 %",
        "0.812",
        "no row has a value",
        "d.m.yyyy",
    ):
        assert text in page.text, text


def test_what_is_left_out_stands_apart():
    html = render_profile(PAGE)
    kept, left_out = html.split('id="left-out"')
    assert "empty" in left_out and "constant" in left_out
    assert "constant" not in kept and "bought" not in left_out


def test_names_and_values_of_the_data_are_escaped():
    html = render_profile(PAGE)
    assert "&lt;b&gt;plan&lt;/b&gt;" in html and "<b>plan</b>" not in html


def test_the_page_needs_nothing_beside_it_and_is_the_same_twice():
    html = render_profile(PAGE)
    page = Page(html)
    assert not page.tags & {"script", "link", "img", "iframe"}
    assert not [value for name, value in page.attributes if name in ("src", "href") and not value.startswith("#")]
    assert html == render_profile(PAGE)


def test_days_become_periods_that_hold_every_row():
    html = render_profile(PAGE)
    table = html.split('id="time"')[1].split('id="columns"')[0]
    rows = [int(cell.split("<")[0].replace(",", "")) for cell in table.split('<td class="n">')[1::3]]
    assert len(rows) <= SHOWN_PERIODS
    assert sum(rows) == sum(day.rows for day in PAGE.days)
    assert "<svg" in table


@pytest.mark.parametrize("days", [(), PAGE.days[:1]])
def test_without_a_label_or_dates_the_page_has_its_columns(days):
    page = dataclasses.replace(PAGE, positives=None, associations={}, days=days, attention=())
    text = Page(render_profile(page)).text
    assert "Nothing needs your decision" in text and "customer" in text
    assert ("Over time" in text) == bool(days)
    assert "Base rate by" not in text


def test_a_table_without_rows_has_a_page():
    empty = TableProfile("t.csv", "t", True, 0, tuple(ColumnProfile(c.name, c.type, 0, 0) for c in COLUMNS))
    assert "0 rows" in Page(render_profile(dataclasses.replace(PAGE, profile=empty, positives=0, days=()))).text
