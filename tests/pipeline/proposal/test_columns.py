"""What each column becomes, from hand-made facts."""

import dataclasses
import datetime

import pytest

from models.features import Missing
from pipeline.profiling.forms import Form
from pipeline.profiling.profile import Association
from pipeline.proposal.choices import Use
from pipeline.proposal.columns import Surroundings, decide, needs_count_of_values
from pipeline.proposal.conversion import Readings
from pipeline.proposal.names import Names
from tests.pipeline.proposal.profiles import column, dates, numbers, table

ROWS = 3000
D = datetime.date


def decided(made, *others, is_text=True, **around):
    profile = table(made, *others, rows=ROWS, is_text=is_text)
    surroundings = dataclasses.replace(Surroundings(profile, Readings(profile), 0.3), **around)
    return decide(made, 1, Names(), surroundings)


def text_number(name, form, *also, distinct=900, filled=ROWS, **more):
    """A column of a text file that reads as a number in this form, and in others too."""
    fits = dict.fromkeys((form, *also), filled)
    return numbers(
        name, 0, 500, distinct=distinct, filled=filled, type="STRING", whole=False, form=form, forms=fits, **more
    )


@pytest.mark.parametrize(
    ("made", "sql"),
    [
        (numbers("age", 18, 80, distinct=60, rows=ROWS), "t.age"),
        (numbers("amount", 0, 80, distinct=600, rows=ROWS, type="NUMERIC", whole=False), "CAST(t.amount AS FLOAT64)"),
        (text_number("amount", Form.NUMBER), "t.amount"),
        (text_number("amount", Form.DECIMAL_COMMA), "CAST(REPLACE(t.amount, ',', '.') AS FLOAT64)"),
        (text_number("share", Form.PERCENT), "CAST(REPLACE(t.share, '%', '') AS FLOAT64)"),
        (text_number("Betrag (€)", Form.DECIMAL_COMMA), "CAST(REPLACE(t.`Betrag (€)`, ',', '.') AS FLOAT64)"),
    ],
)
def test_numbers(made, sql):
    choice = decided(made)
    assert (choice.use, choice.sql, choice.is_left_out) == (Use.NUMBER, sql, False)


@pytest.mark.parametrize("name", ["OperatingSystems", "Browser", "region", "store_id", "plan_code", "지역코드"])
def test_whole_numbers_that_are_named_like_a_code_are_categories(name):
    choice = decided(numbers(name, 1, 12, distinct=12, rows=ROWS))
    assert choice.use is Use.CATEGORY
    assert choice.vocabulary == 20
    assert choice.sql.startswith("CAST(t.")
    assert "stand for things" in choice.reason


@pytest.mark.parametrize(
    "name", ["ProductRelated", "num_products", "tenure_months", "age", "visits", "number_of_stores"]
)
def test_other_whole_numbers_are_numbers(name):
    assert decided(numbers(name, 1, 12, distinct=12, rows=ROWS)).use is Use.NUMBER


def test_a_code_of_many_values_is_bounded_by_those_that_are_frequent():
    made = numbers("zip", 1000, 9999, distinct=140, rows=ROWS)
    profile = table(made, rows=ROWS, is_text=False)
    around = Surroundings(profile, Readings(profile), 0.3)
    assert needs_count_of_values(made, around)
    choice = decided(made, frequent={"zip": 30}, is_text=False)
    assert (choice.use, choice.vocabulary) == (Use.CATEGORY, 30)
    assert choice.reason.startswith("140 values; the 30 most frequent are kept, since 30 are in 20 rows or more")


@pytest.mark.parametrize(
    "made",
    [
        numbers("session_id", 10**6, 10**7, distinct=2990, rows=ROWS),
        numbers("user_id", 10**6, 10**7, distinct=900, rows=ROWS),
        numbers("Unnamed: 0", 0, 2999, distinct=ROWS, rows=ROWS),
        numbers("rank", 1, 3000, distinct=ROWS, rows=ROWS),
        column("cookie", {"a1": 1}, filled=ROWS, distinct=2980, form=Form.UUID),
        column("hash", {"a1f": 1, "b7": 1}, filled=ROWS, distinct=2980),
        column("email", {"a@b.de": 1}, filled=ROWS, distinct=1500),
        column("comment", {"I like it": 1, "too slow for me": 1}, filled=ROWS, distinct=2900, length=70),
    ],
)
def test_what_does_not_repeat_is_not_used(made):
    choice = decided(made)
    assert choice.use is Use.UNUSED
    assert "values in 3,000 rows" in choice.reason


def test_whole_numbers_that_hardly_repeat_are_no_identifiers():
    assert decided(numbers("balance", -5000, 90_000, distinct=2950, rows=ROWS, negative=100)).use is Use.NUMBER


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (column("empty", {}, filled=0), "empty"),
        (column("country", {"DE": ROWS}), "constant: it has the same value in all rows"),
        (column("note", {"x": 7, "y": 2}), "almost empty: only 9 of 3,000 rows have a value"),
        (column("tags", {}, filled=ROWS, distinct=9, type="ARRAY"), "ARRAY is not read; ARRAY_LENGTH(t.tags) would be"),
    ],
)
def test_nothing_to_learn(made, reason):
    choice = decided(made)
    assert choice.use is Use.UNUSED
    assert choice.reason.startswith(reason)


def test_a_leak_is_left_out_by_one_word():
    choice = decided(
        numbers("refund", 0, 80, distinct=60, rows=ROWS), associations={"refund": Association(0.991, 1.0, 1.0)}
    )
    assert choice.is_feature
    assert choice.is_left_out
    assert choice.reason == "leaks: alone it ranks the label with a ROC AUC of 0.991, so it may know the future"
    assert "delete refund from features.leave_out" in choice.attention


def test_a_column_that_is_filled_for_one_label_only_leaks():
    reason = column("reason", {"price": 200, "service": 160}, filled=360)
    choice = decided(reason, associations={"reason": Association(0.7, 0.4, 0.0)})
    assert choice.is_left_out
    assert "filled only where the label is 1, in 40.0% of those rows" in choice.reason


def test_few_rows_with_a_value_are_luck():
    few = column("extra", {"a": 20, "b": 10}, filled=30)
    assert not decided(few, associations={"extra": Association(0.51, 0.0, 0.014)}).is_left_out


def test_a_copy_is_left_out_and_names_its_twin():
    choice = decided(numbers("age2", 18, 80, distinct=60, rows=ROWS), copies={"age2": "age"})
    assert choice.is_left_out
    assert choice.reason == "a copy of age"


def test_a_category_that_renames_another_is_left_out():
    made = column("plan_code", {"B": 1500, "P": 1500})
    choice = decided(made, renamings={"plan_code": "plan"})
    assert choice.is_left_out
    assert choice.reason == "it tells the same as plan, under other values"
    longitude = numbers("longitude", -87, -86, distinct=80, rows=ROWS, whole=False)
    assert not decided(longitude, renamings={"longitude": "latitude"}).is_left_out


def test_large_codes_would_lose_their_digits_as_float32():
    made = numbers("census_tract", 17_031_010_100, 17_031_980_100, distinct=60, rows=ROWS)
    assert decided(made).use is Use.CATEGORY


def test_missing_counts_without_zeros_are_zero():
    made = numbers("n_orders", 1, 9, distinct=9, rows=ROWS, filled=2000)
    choice = decided(made)
    assert choice.missing is Missing.ZERO
    assert choice.reason == "whole numbers from 1 to 9; missing in 33.3% of the rows and never 0, so missing means none"


@pytest.mark.parametrize(
    "made",
    [
        numbers("n_orders", 0, 9, distinct=9, rows=ROWS, filled=2000, zero=50),
        numbers("n_orders", 1, 9, distinct=9, rows=ROWS, filled=2990),
        numbers("age", 18, 90, distinct=60, rows=ROWS, filled=2000),
        numbers("age", 18, 90, distinct=60, rows=ROWS),
    ],
)
def test_other_missing_values_are_unknown(made):
    assert decided(made).missing is Missing.INDICATOR


@pytest.mark.parametrize(("distinct", "vocabulary"), [(1, 2), (2, 2), (3, 3), (4, 5), (8, 10), (13, 20), (50, 50)])
def test_the_vocabulary_of_a_category_leaves_room(distinct, vocabulary):
    values = {f"v{number}": ROWS // distinct - 1 for number in range(distinct)}
    assert decided(column("plan", values)).vocabulary == vocabulary


def test_a_category_without_frequent_values_is_not_used():
    made = column("query", {"shoes": 12, "hats": 3}, filled=ROWS, distinct=1400)
    assert decided(made, frequent={"query": 0}).use is Use.UNUSED


def test_codes_with_leading_zeros_stay_text():
    values = {f"{number:03}": 100 for number in range(30)}
    choice = decided(column("branch", values, form=Form.LEADING_ZEROS, forms={Form.LEADING_ZEROS: ROWS}))
    assert (choice.use, choice.sql, choice.vocabulary) == (Use.CATEGORY, "t.branch", 50)


def test_booleans_are_categories():
    assert decided(column("Weekend", {"TRUE": 900, "FALSE": 2100}, form=Form.BOOLEAN)).sql == "t.Weekend"
    choice = decided(column("weekend", {"true": 900, "false": 2100}, type="BOOL"), is_text=False)
    assert (choice.use, choice.sql, choice.vocabulary) == (Use.CATEGORY, "CAST(t.weekend AS STRING)", 2)


def test_dates_are_ages_on_the_row_s_date():
    made = dates("signup_date", D(2020, 1, 1), D(2025, 1, 1), distinct=900, rows=ROWS)
    choice = decided(made, row_date="t.snapshot")
    assert (choice.name, choice.sql) == ("days_since_signup", "DATE_DIFF(t.snapshot, t.signup_date, DAY)")
    later = decided(made, row_date="t.snapshot", later={"signup_date": 300})
    assert later.is_left_out
    assert "in 10.0% of the rows it lies after the row's date" in later.reason


def test_dates_without_a_row_s_date():
    made = dates("signup", D(2020, 1, 1), D(2025, 1, 1), distinct=900, rows=ROWS)
    assert decided(made).is_left_out
    born = decided(dates("birth_date", D(1940, 1, 1), D(2005, 1, 1), distinct=900, rows=ROWS))
    assert (born.sql, born.is_left_out) == ("UNIX_DATE(t.birth_date)", False)


def test_dates_in_text_are_converted():
    made = dates(
        "signup", D(2020, 1, 1), D(2025, 1, 1), distinct=900, rows=ROWS, type="STRING",
        form=Form.DATE_DMY_DOTS, forms={Form.DATE_DMY_DOTS: ROWS},
    )  # fmt: skip
    assert decided(made, row_date="t.day").sql == "DATE_DIFF(t.day, PARSE_DATE('%d.%m.%Y', t.signup), DAY)"


def test_two_readings_are_a_question():
    made = text_number("amount", Form.THOUSANDS_COMMA, Form.DECIMAL_COMMA, distinct=25)
    choice = decided(made)
    assert choice.is_left_out
    assert "all its values read as 1,234.5 and as 1234,5" in choice.attention
    assert choice.other_sql != choice.sql


def test_commas_before_three_digits_or_none_stand_between_thousands():
    choice = decided(text_number("amount", Form.THOUSANDS_COMMA, Form.DECIMAL_COMMA, distinct=900))
    assert not choice.is_left_out
    assert "REGEXP_REPLACE" in choice.sql


def test_months_and_weekdays_have_as_many_values_as_the_calendar():
    assert decided(column("Month", {f"m{number}": 300 for number in range(10)})).vocabulary == 12
    assert decided(numbers("weekday", 0, 6, distinct=7, rows=ROWS)).vocabulary == 7


def test_another_column_settles_two_readings():
    made = text_number("amount", Form.THOUSANDS_COMMA, Form.DECIMAL_COMMA)
    choice = decided(made, text_number("price", Form.DECIMAL_COMMA))
    assert not choice.is_left_out
    assert choice.sql == "CAST(REPLACE(t.amount, ',', '.') AS FLOAT64)"
    other = decided(made, text_number("price", Form.NUMBER))
    assert not other.is_left_out
    assert other.sql != choice.sql


def test_a_few_odd_rows_are_named():
    made = column("amount", {"1.5": 9}, filled=ROWS, distinct=900, forms={Form.NUMBER: 2990}, odd_row=17)
    choice = decided(made)
    assert choice.is_left_out
    assert choice.sql == "SAFE_CAST(t.amount AS FLOAT64)"
    assert "10 of its 3,000 values (the first is row 17) do not read as number" in choice.attention


def test_texts_for_missing_values_of_a_table_that_is_no_text_file():
    made = text_number("amount", Form.NUMBER, filled=2900, missing_like={"-": 40})
    choice = decided(made, is_text=False)
    assert choice.sql == "CAST(NULLIF(NULLIF(t.amount, ''), '-') AS FLOAT64)"


def test_names_that_are_no_identifiers():
    assert decided(column("plan type", {"a": 1500, "b": 1500})).name == "plan_type"
    assert decided(column("등급", {"a": 1500, "b": 1500})).name == "column_1"
    assert decided(column("class", {"a": 1500, "b": 1500})).name == "class_2"
    choice = decided(column("split", {"a": 1500, "b": 1500}))
    assert (choice.name, choice.sql) == ("split_2", "t.split")
