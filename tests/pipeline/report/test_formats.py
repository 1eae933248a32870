import math

import pytest

from pipeline.report import formats


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf, "0.5", True])
def test_what_is_no_finite_number_is_a_dash(nothing):
    assert {formats.number(nothing), formats.signed(nothing), formats.percent(nothing), formats.count(nothing)} == {
        "\N{EN DASH}"
    }


def test_numbers_have_true_minus_signs_and_differences_a_sign():
    assert formats.number(-0.12345) == "\N{MINUS SIGN}0.1235"
    assert formats.signed(0.00123) == "+0.0012"
    assert formats.count(1234567) == "1,234,567"
    assert formats.percent(0.0519, 2) == "5.19\N{NO-BREAK SPACE}%"


def test_an_interval_may_be_open():
    assert formats.interval(-0.5, 0.25, 2, plus=True) == "\N{MINUS SIGN}0.50 to +0.25"
    assert formats.interval(-0.5, None, 2) == "at least \N{MINUS SIGN}0.50"
    assert formats.interval(None, 0.25, 2) == "at most 0.25"
    assert formats.interval(None, math.nan) == ""


def test_prose_keeps_dates_and_names():
    text = "2025-11-03: x-1 is -0.5, non-inferior at 95 %"
    assert formats.prose(text) == "2025-11-03: x-1 is \N{MINUS SIGN}0.5, non-inferior at 95\N{NO-BREAK SPACE}%"
