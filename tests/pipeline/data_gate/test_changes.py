import numpy as np
import pytest

from pipeline.data_gate.changes import Bounds, changes
from pipeline.data_gate.feature_values import FeatureValues

BOUNDS = Bounds(distance=0.25, share_factor=3, value_factor=1.5)
RANDOM = np.random.default_rng(3)


def values(column):
    """What TFDV's statistics would say of a column; NaN is missing."""
    present = column[np.isfinite(column)]
    non_zero = present[present != 0]
    deciles = tuple(np.quantile(present, np.arange(0.1, 0.95, 0.1))) if len(present) else ()
    mean, deviation = (non_zero.mean(), non_zero.std()) if len(non_zero) else (np.nan, np.nan)
    return FeatureValues(len(column), len(present), len(non_zero), mean, deviation, deciles)


def sparse(share, draw):
    return lambda rows: np.where(RANDOM.random(rows) < share, draw(rows), 0.0)


def partly_missing(share, draw):
    return lambda rows: np.where(RANDOM.random(rows) < share, draw(rows), np.nan)


def counts(rows):
    return 1.0 + RANDOM.poisson(0.4, rows)


# Features as they occur: dense and sparse counts, amounts with a long tail, shares, standardised numbers.
FEATURES = {
    "recency": lambda rows: RANDOM.integers(1, 31, rows).astype(float),
    "carts": sparse(0.1, counts),
    "purchases": sparse(0.02, counts),
    "revenue": sparse(0.13, lambda rows: RANDOM.lognormal(5, 1, rows)),
    "sessions": sparse(0.35, lambda rows: np.ceil(RANDOM.pareto(1.8, rows))),
    "days since": partly_missing(0.3, lambda rows: RANDOM.integers(1, 31, rows).astype(float)),
    "share": sparse(0.8, lambda rows: RANDOM.beta(5, 1, rows)),
    "standardised": lambda rows: RANDOM.normal(size=rows),
    "trend": sparse(0.2, lambda rows: RANDOM.normal(0.3, 2, rows)),
}
CORRUPTIONS = {
    "all zero": lambda column: column * 0,
    "times 1,000": lambda column: column * 1000,
    "doubled": lambda column: column * 2,
    "80 % lost": lambda column: np.where(RANDOM.random(len(column)) < 0.8, np.nan, column),
    "80 % zero": lambda column: np.where(RANDOM.random(len(column)) < 0.8, 0.0, column),
    "filled": lambda column: np.nan_to_num(column) + 5,
}
UNSEEN = {
    # Mean and share stay, and quantiles hold no spread of a sparse feature.
    ("trend", "doubled"),
    ("recency", "filled"),  # 5 more on average 15: less than the bound
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
@pytest.mark.parametrize("feature", FEATURES)
def test_a_corrupted_feature_is_seen(feature, corruption):
    before, now = FEATURES[feature](50_000), CORRUPTIONS[corruption](FEATURES[feature](20_000))
    found = changes(values(before), values(now), BOUNDS)
    assert bool(found) is ((feature, corruption) not in UNSEEN), found


@pytest.mark.parametrize("rows", [(300, 300), (3000, 300), (300, 20_000), (50_000, 20_000)])
def test_equal_data_raise_no_alarm(rows):
    before, now = rows
    draws = 200 if max(rows) <= 3000 else 10
    for name, draw in FEATURES.items():
        for _ in range(draws):
            assert changes(values(draw(before)), values(draw(now)), BOUNDS) == [], name


def test_rows_of_a_user_that_repeat_raise_none_either():
    for name, draw in FEATURES.items():
        for _ in range(50):
            before, now = (np.repeat(draw(rows), 5) for rows in (200, 60))
            assert changes(values(before), values(now), BOUNDS) == [], name


def test_a_category_with_many_missing_values_is_seen():
    whole, lost = FeatureValues(50_000, 49_500, 49_500), FeatureValues(20_000, 4000, 4000)
    [text] = changes(whole, lost, BOUNDS)
    assert text.startswith("missing in 80.0% of the rows, but in 1.0%")
    assert changes(lost, whole, BOUNDS), "and the other way round"


def test_the_bounds_are_those_of_the_settings():
    before, now = values(FEATURES["carts"](50_000)), values(FEATURES["carts"](20_000) * 2)
    assert changes(before, now, Bounds(0.25, 3, 1.8))
    assert not changes(before, now, Bounds(0.25, 3, 2.1))
    fewer = values(sparse(0.02, counts)(20_000))  # a fifth
    assert changes(before, fewer, Bounds(0.25, 4, 1.5))
    assert not changes(before, fewer, Bounds(0.25, 6, 1.5))
    missing = values(partly_missing(0.8, FEATURES["carts"])(20_000))
    assert changes(before, missing, Bounds(0.15, 3, 1.5))
    assert not changes(before, missing, Bounds(0.25, 3, 1.5))


def test_one_outlier_is_no_change():
    before, now = np.append(counts(2000), 1e6), counts(2000)
    assert changes(values(before), values(now), BOUNDS) == []
    assert changes(values(now), values(before), BOUNDS) == []
