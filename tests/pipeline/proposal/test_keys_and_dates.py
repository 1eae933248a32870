"""The key and the date of a row, from hand-made facts and counts."""

import datetime

import pytest

from pipeline.profiling.forms import Form
from pipeline.profiling.profile import Association
from pipeline.proposal.conversion import Readings
from pipeline.proposal.dates import age_name, date_candidates
from pipeline.proposal.facts import Shared
from pipeline.proposal.keys import choose_key
from pipeline.proposal.wishes import Wishes
from tests.pipeline.proposal.profiles import column, dates, numbers, table

ROWS = 3000
D = datetime.date
FIRST, LAST = D(2024, 1, 1), D(2024, 12, 31)


def key_of(*columns, shared=None, days=(), **wishes):
    """The key; `shared` says for tuples of SQL how many rows share it (none by default)."""
    counts = shared or {}
    found = choose_key(
        table(*columns, rows=ROWS),
        Wishes(**wishes),
        days,
        lambda *sql: Shared(counts.get(sql, 0), counts.get(sql, 0) // 2),
    )
    return (found.column.name if found.column else None, found.date.name if found.date else None)


def ids(name, distinct=ROWS, **more):
    return numbers(name, 10**6, 10**8, distinct=distinct, rows=ROWS, **more)


@pytest.mark.parametrize("name", ["id", "CustomerId", "user_id", "customerID", "account", "Kundennummer", "고객번호"])
def test_a_unique_identifier_is_the_key(name):
    assert key_of(numbers("age", 18, 90, distinct=60, rows=ROWS), ids(name)) == (name, None)


@pytest.mark.parametrize("name", ["amount", "Unnamed: 0", "row", "index", "phone"])
def test_other_unique_columns_are_no_key(name):
    assert key_of(ids(name)) == (None, None)


def test_the_owner_comes_before_other_identifiers():
    assert key_of(ids("session_id"), ids("user_id")) == ("user_id", None)


def test_a_key_for_each_date():
    day = dates("day", D(2025, 1, 1), D(2025, 6, 1), distinct=6, rows=ROWS)
    shared = {("CAST(t.user_id AS STRING)",): ROWS}
    found = key_of(ids("user_id", 500), day, shared=shared, days=[(day, "t.day")])
    assert found == ("user_id", "day")


def test_an_identifier_that_repeats_without_a_date_leaves_the_key_to_another():
    shared = {("CAST(t.user_id AS STRING)",): ROWS}
    assert key_of(ids("user_id", 500), shared=shared) == (None, None)
    assert key_of(ids("user_id", 500), ids("session_id"), shared=shared) == ("session_id", None)


def test_an_approximate_count_is_not_enough():
    assert key_of(ids("user_id", 2990), shared={("CAST(t.user_id AS STRING)",): 4}) == (None, None)


def test_text_keys_are_not_cast():
    found = choose_key(
        table(column("uid", {}, filled=ROWS, distinct=ROWS, form=Form.UUID), rows=ROWS),
        Wishes(),
        (),
        lambda *sql: Shared(0, 0),
    )
    assert found.column.name == "uid"


def candidates(*columns, associations=None):
    profile = table(*columns, rows=ROWS, is_text=False)
    return [found.name for found in date_candidates(profile, Readings(profile), associations or {}, 0.3)]


def day(name, first=FIRST, last=LAST, **more):
    return dates(name, first, last, distinct=300, rows=ROWS, **more)


def test_the_date_of_a_row_comes_first():
    found = candidates(day("signup_date"), day("joined"), day("trial_ended"), day("anything"))
    assert found[0] == "trial_ended"
    assert found[-1] == "anything"


@pytest.mark.parametrize(
    "name", ["birth_date", "last_login", "churn_date", "cancelled_at", "expiry_date", "updated_at", "생년월일", "dob"]
)
def test_dates_of_other_things_are_not_proposed(name):
    assert candidates(day(name)) == []


@pytest.mark.parametrize(
    "name", ["date", "day", "snapshot_date", "order_date", "created_at", "가입일", "session_start"]
)
def test_dates_that_are_proposed(name):
    assert candidates(day(name)) == [name]


def test_dates_that_cannot_be_a_row_s_own():
    assert candidates(day("when", D(1940, 1, 1), D(2005, 1, 1))) == [], "birthdays by another name"
    assert candidates(day("visit", filled=2500)) == [], "often missing"
    assert candidates(day("visit"), associations={"visit": Association(0.99, 1, 1)}) == [], "it leaks"


@pytest.mark.parametrize(
    ("name", "age"),
    [("signup_date", "days_since_signup"), ("created_at", "days_since_created"), ("joined", "days_since_joined")],
)
def test_names_of_ages(name, age):
    assert age_name(name) == age
