"""query.sql of ga4 against the plain Python reference, column for column, on random histories of 50 users."""

import datetime
from pathlib import Path

import pytest

from models.features import Kind, load_features
from tests.schema.exports import SCHEMA_ROOT, Export, differences, in_columns_of
from tests.schema.ga4_events import GA4_SCHEMA
from tests.schema.ga4_histories import histories
from tests.schema.ga4_reference import Rules, reference_rows

USERS = 50
DAYS = 75
# Windows that hold a change of the clocks: in Los Angeles on 10 March 2024, in Berlin on 31 March, on Lord Howe Island
# (by half an hour) on 7 April; in Kathmandu never, but it is 5:45 ahead.
CASES = [
    pytest.param(datetime.date(2024, 2, 1), Rules(time_zone="America/Los_Angeles"), id="los-angeles"),
    pytest.param(datetime.date(2024, 2, 15), Rules(time_zone="Europe/Berlin", gap_days=0), id="berlin-no-gap"),
    pytest.param(
        datetime.date(2024, 3, 1),
        Rules(time_zone="Australia/Lord_Howe", lookback_days=33, horizon_days=1),
        id="lord-howe-longer-lookback",
    ),
    pytest.param(
        datetime.date(2023, 12, 1),
        Rules(time_zone="Asia/Kathmandu", label_is="absence", conversion_event="page_view"),
        id="kathmandu-churn",
    ),
    pytest.param(
        datetime.date(2024, 2, 1), Rules(eligibility="never_converted", horizon_days=14), id="utc-never-converted"
    ),
    pytest.param(
        datetime.date(2024, 2, 1),
        Rules(eligibility="never_converted", conversion_event="add_to_cart"),
        id="utc-never-put-into-the-cart",
    ),
]


@pytest.mark.parametrize(("first", "rules"), CASES)
def test_every_column_of_every_row_equals_the_reference(first, rules, tmp_path):
    events = histories(USERS, first, DAYS, rules.time_zone, seed=first.toordinal())
    snapshots = [first + datetime.timedelta(day) for day in (30, 37, 44, 51, 58)]
    rows = Export("ga4", GA4_SCHEMA, tmp_path).features(events, snapshots, **vars(rules))
    expected = reference_rows(events, snapshots, rules)
    assert differences(in_columns_of(rows, expected), expected, tolerance=1e-9) == []
    assert len(rows) > USERS
    assert {row["converted"] for row in rows.values()} == {0, 1}


def test_histories_exercise_every_feature(tmp_path):
    """No feature of the reference is constant on the histories above, so none is compared in vain."""
    first = datetime.date(2024, 2, 1)
    events = histories(USERS, first, DAYS, "America/Los_Angeles", seed=first.toordinal())
    rows = reference_rows(events, [first + datetime.timedelta(37)], Rules(time_zone="America/Los_Angeles"))
    declared = load_features(SCHEMA_ROOT / "ga4" / "features.yaml").names
    compared = [name for name in declared if all(name in row for row in rows.values())]
    assert len(compared) >= 46
    for name in compared:
        assert len({row[name] for row in rows.values()}) > 1, name


def test_a_row_depends_on_its_own_days_only(tmp_path):
    """The other snapshots of a run, and so the days it reads, change nothing."""
    first = datetime.date(2024, 2, 1)
    events = histories(USERS, first, DAYS, "UTC", seed=1)
    snapshots = [first + datetime.timedelta(day) for day in (30, 37, 58)]
    export = Export("ga4", GA4_SCHEMA, tmp_path)
    together = export.features(events, snapshots)
    apart = {}
    for snapshot in snapshots:
        apart |= export.features(events, [snapshot], reads_more=False)
    assert differences(together, apart) == []


def test_columns_are_the_declared_features(tmp_path: Path):
    """By name, and of the types that the examples take."""
    features = load_features(SCHEMA_ROOT / "ga4" / "features.yaml")
    events = histories(2, datetime.date(2024, 2, 1), 3, "UTC", seed=1)
    returned = Export("ga4", GA4_SCHEMA, tmp_path).columns(events, [datetime.date(2024, 2, 4)])
    key, date, label, *columns = [column for column in returned if not column.name.startswith("unread_")]
    assert [(c.name, c.type) for c in (key, date, label)] == [
        ("user_pseudo_id", "STRING"),
        ("snapshot_date", "DATE"),
        ("converted", "INT64"),
    ]
    types = {column.name: column.type for column in columns}
    assert sorted(types) == sorted(features.names)
    for feature in features.features:
        fitting = ("STRING",) if feature.kind is Kind.CATEGORICAL else ("INT64", "FLOAT64")
        assert types[feature.name] in fitting, feature.name
