"""What is said of a feature that differs."""

import math

import pytest

from pipeline.report.feature_differences import difference, differences, figure, typical
from pipeline.report.formats import NOTHING
from pipeline.report.scoring_data import FeatureSummary


def number(mean, deviation=1.0, rows=100, present=None):
    return FeatureSummary(rows, rows if present is None else present, mean, deviation)


def test_means_differ_by_standard_deviations():
    found = difference("carts_1_7", number(2.4, 2.0), number(0.1, 1.0))
    assert found.size == pytest.approx(2.3 / math.sqrt(2.5))
    assert found.sentence() == "carts_1_7: mean 2.40 against 0.100"


def test_a_number_that_is_missing_more_often_says_so():
    found = difference("age", number(30, 10, present=20), number(30.1, 10, present=95))
    assert found.sentence().replace("\N{NO-BREAK SPACE}", " ") == "age: missing in 80.0 % against 5.0 %"


def test_of_a_category_the_value_that_differs_most_is_named():
    left = FeatureSummary(100, 100, values={"ad": 60, "mail": 40})
    right = FeatureSummary(200, 200, values={"ad": 20, "mail": 90, "direct": 90})
    found = difference("source", left, right)
    assert found.sentence().replace("\N{NO-BREAK SPACE}", " ") == "source: “ad” in 60.0 % against 10.0 %"


def test_the_largest_difference_comes_first_and_features_of_one_side_are_left_out():
    left = {"a": number(1), "b": number(9), "c": number(1), "new": number(1)}
    right = {"a": number(1.5), "b": number(1), "c": number(1)}
    assert [one.feature for one in differences(left, right)] == ["b", "a", "c"]
    assert differences(left, right)[-1].size == 0


def test_numbers_that_do_not_vary_are_told_apart_fully_or_not_at_all():
    assert difference("x", number(2, 0), number(1, 0)).size == math.inf
    assert difference("x", number(1, 0), number(1, 0)).size == 0
    assert difference("x", FeatureSummary(5, 0), number(1, 0)).what == "missing in"
    assert difference("x", FeatureSummary(0, 0), FeatureSummary(0, 0)).size == 0


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (math.nan, NOTHING)]
)
def test_means_have_three_digits_that_say_something(value, text):
    assert figure(value) == text


def test_the_typical_value_of_a_category_has_its_share():
    assert typical(FeatureSummary(10, 9, values={"x" * 60: 4})).startswith("x" * 39 + "… (40.0")
    assert typical(FeatureSummary(10, 0, values={})) == NOTHING
    assert typical(FeatureSummary(10, 0)) == NOTHING


def test_merged_summaries_are_those_of_all_rows():
    merged = number(1.0, 0.0, 10).merged(number(3.0, 0.0, 30))
    assert (merged.rows, merged.mean) == (40, 2.5)
    assert merged.deviation == pytest.approx(math.sqrt(0.75))
    assert number(1, 0, 10).merged(FeatureSummary(10, 0)).missing == 0.5
