import numpy as np
import pyarrow as pa
import pytest

from models.features import FeatureSet
from pipeline.reasons.words import LONGEST_VALUE, reasons

FEATURES = FeatureSet.from_config(
    [
        {"name": "carts_1_7", "kind": "numeric", "missing": "zero"},
        {"name": "country", "kind": "categorical"},
        {"name": "days_since_cart", "kind": "numeric"},
    ]
)
NAN = np.nan


def words(contributions, carts=(), country=(), days=(), top=3):
    rows = len(contributions)
    raw = {
        "carts_1_7": np.float32([*carts, *[0] * (rows - len(carts))]),
        "country": np.array([*country, *[b""] * (rows - len(country))], object),
        "days_since_cart": np.float32([*days, *[NAN] * (rows - len(days))]),
    }
    return reasons(np.float32(contributions).reshape(rows, 3), raw, FEATURES, top)


def test_the_largest_contributions_come_first_with_value_and_direction():
    found = words([[0.1, -0.5, 0.2], [0.3, 0.1, -0.2]], carts=[4, 0.25], country=[b"Chile", b"Peru"], days=[12.5, 3])
    assert found.type == pa.list_(pa.string())
    assert found.to_pylist() == [
        ["country = Chile, down", "days_since_cart = 12.5, up", "carts_1_7 = 4, up"],
        ["carts_1_7 = 0.25, up", "days_since_cart = 3, down", "country = Peru, up"],
    ]


def test_no_more_than_the_wanted_reasons():
    assert words([[0.1, -0.5, 0.2]], top=1).to_pylist() == [["country missing, down"]]
    assert words([[0.1, -0.5, 0.2]], top=10).value_lengths().to_pylist() == [3]
    assert words([[0.1, -0.5, 0.2]], top=0).to_pylist() == [[]]


def test_features_without_a_contribution_are_left_out():
    found = words([[0, 0, 0], [0, -0.0, 1e-9], [-1, 0, 0]])
    assert found.to_pylist() == [[], ["days_since_cart missing, up"], ["carts_1_7 = 0, down"]]


def test_of_equal_contributions_the_first_feature_comes_first():
    assert words([[0.1, -0.1, 0.1]], top=2).to_pylist() == [["carts_1_7 = 0, up", "country missing, down"]]


def test_missing_values_are_named_and_a_missing_zero_is_zero():
    found = words([[0.3, 0.2, 0.1]], carts=[NAN], country=[b""], days=[NAN])
    assert found.to_pylist() == [["carts_1_7 = 0, up", "country missing, up", "days_since_cart missing, up"]]


@pytest.mark.parametrize(
    "number, text",
    [(4, "4"), (-0.0, "0"), (0.1, "0.1"), (1 / 3, "0.33333334"), (2**24 + 1, "16777216"), (-1e-7, "-1e-7")],
)
def test_a_number_has_the_shortest_form_that_float32_can_tell_apart(number, text):
    assert words([[0, 0, 1]], days=[number]).to_pylist() == [[f"days_since_cart = {text}, up"]]
    assert np.float32(text) == np.float32(number)


@pytest.mark.parametrize(
    "value, text",
    [
        ("Köln".encode(), "Köln"),
        (b"K\xf6ln", "K\ufffdln"),
        ("text", "text"),
        (b"a = b, up", "a = b, up"),
        (b"x" * LONGEST_VALUE, "x" * LONGEST_VALUE),
        (b"x" * (LONGEST_VALUE + 1), "x" * (LONGEST_VALUE - 1) + "…"),
    ],
)
def test_categories_are_shown_as_they_are(value, text):
    assert words([[0, 1, 0]], country=[value]).to_pylist() == [[f"country = {text}, up"]]


def test_no_rows():
    assert words(np.empty((0, 3))).to_pylist() == []


def test_many_rows_equal_one_row_at_a_time():
    random = np.random.default_rng(0)
    contributions = random.normal(size=(300, 3)).astype(np.float32)
    contributions[random.random((300, 3)) < 0.2] = 0
    carts = np.where(random.random(300) < 0.1, NAN, random.integers(0, 5, 300))
    country = random.choice([b"", b"de", b"fr", b"\xff"], 300).astype(object)
    days = random.random(300)
    expected = [
        words(contributions[row : row + 1], carts[row : row + 1], country[row : row + 1], days[row : row + 1], 2)
        for row in range(300)
    ]
    assert words(contributions, carts, country, days, 2).to_pylist() == [one[0].as_py() for one in expected]
