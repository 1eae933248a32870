"""The split, from counts of rows and positives."""

import datetime

import pytest

from pipeline.profiling.profile import Day
from pipeline.proposal.split import choose_split, operating_share, too_little

START = datetime.date(2025, 1, 1)


def days(rows, positives):
    """A day for each pair of counts."""
    return [
        Day(START + datetime.timedelta(days=place), count, rarer)
        for place, (count, rarer) in enumerate(zip(rows, positives, strict=True))
    ]


@pytest.mark.parametrize(
    ("rows", "positives", "percent"),
    [(12_330, 1_908, 20), (3_000, 1_300, 24), (3_000, 900, 30), (3_000, 800, 30), (3_000, 650, 37), (3_000, 300, 20)],
)
def test_test_is_as_large_as_a_verdict_needs(rows, positives, percent):
    split = choose_split(rows, positives, None)
    assert (split.test_percent, split.test_from) == (percent, None)


@pytest.mark.parametrize(("positives", "percent"), [(1_908, 10), (800, 15), (100, 20)])
def test_eval_is_as_large_as_the_choice_of_the_family_needs(positives, percent):
    assert choose_split(20_000, positives, None).eval_percent == percent


def test_the_rarer_class_counts():
    assert choose_split(3_000, 2_100, None).test_percent == choose_split(3_000, 900, None).test_percent


def test_the_newest_fifth_is_test():
    split = choose_split(20_000, 8_000, days([200] * 100, [80] * 100))
    assert split.test_from == START + datetime.timedelta(days=80)
    assert split.test_percent is None
    assert split.test_positives == 1_600


def test_more_days_are_test_where_positives_are_rare():
    split = choose_split(10_000, 700, days([100] * 100, [7] * 100))
    assert START + datetime.timedelta(days=68) < split.test_from < START + datetime.timedelta(days=72)
    assert too_little(10_000, 700, split) == []


def test_the_newest_month_of_six_is_test():
    assert choose_split(3_600, 1_800, days([600] * 6, [300] * 6)).test_from == START + datetime.timedelta(days=5)


def test_two_dates_are_train_and_test():
    assert choose_split(4_000, 1_000, days([2_000] * 2, [500] * 2)).test_from == START + datetime.timedelta(days=1)


def test_one_date_divides_nothing():
    split = choose_split(4_000, 1_000, days([4_000], [1_000]))
    assert split.test_percent == 30
    assert "too few dates" in split.attention[0]


def test_labels_that_come_later_are_told():
    split = choose_split(10_000, 2_700, days([100] * 100, [30] * 90 + [0] * 10))
    assert "the base rate is 0.0% from 2025-04-01 on and 30.0% before" in split.attention[0]
    assert choose_split(10_000, 3_000, days([100] * 100, [30] * 100)).attention == ()


def test_what_a_verdict_needs_is_told_in_numbers():
    [told] = too_little(5_000, 100, choose_split(5_000, 100, None))
    assert told.startswith("100 positives in 5,000 rows give about 20 in test, and a verdict needs 200")
    assert "1,000 positives, which are 50,000 rows at this base rate" in told
    [told] = too_little(5_000, 5_000, choose_split(5_000, 5_000, None))
    assert told.startswith("all 5,000 labels are 1")


@pytest.mark.parametrize(("rate", "share"), [(0.155, 0.15), (0.0002, 0.01), (0.9, 0.5)])
def test_the_operating_share_is_about_the_base_rate(rate, share):
    assert operating_share(rate) == pytest.approx(share, abs=0.006)
