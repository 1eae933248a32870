"""query.sql of ga360: rows by hand, a plain Python reference over 50 visitors, and every boundary."""

import datetime
import random

import pytest

from models.features import Kind, load_features
from tests.schema.exports import (
    SCHEMA_ROOT,
    Export,
    Row,
    differences,
    features_of,
    in_columns_of,
    labels_of,
    seen_outside,
)
from tests.schema.ga4_events import micros
from tests.schema.ga4_reference import Rules
from tests.schema.ga360_reference import reference_rows
from tests.schema.ga360_sessions import GA360_SCHEMA, session

ZONE = "America/Los_Angeles"  # clocks go forward on 10 March 2024
SNAPSHOT = datetime.date(2024, 3, 18)  # a Monday
GAP, HORIZON = 3, 7
FEATURES = load_features(SCHEMA_ROOT / "ga360" / "features.yaml")


def day(age: int) -> datetime.date:
    """The day that lies so many days before the snapshot."""
    return SNAPSHOT - datetime.timedelta(age)


@pytest.fixture
def export(tmp_path) -> Export:
    return Export("ga360", GA360_SCHEMA, tmp_path)


def one_row_each(rows):
    return {visitor: row for (visitor, _), row in rows.items()}


# --- By hand ---

ANA = [
    # Saturday, 30 days before, the first visit: a detail view twice, a cart, a hit without an action.
    session("ana", day(30), at="18:00:00", zone=ZONE, number=1, new=1, hits=9, page_views=4, seconds=300,
            actions=("2", None, "2", "3", "0"), device="mobile", os="iOS", browser="Safari", language="en-us",
            country="Canada", region="Ontario", source="mail", medium="email", channel="Email"),
    # Sunday, 8 days before: a bounce.
    session("ana", day(8), at="03:30:00", zone=ZONE, number=2, hits=1, page_views=1, bounces=1, medium="cpc"),
    # Monday, 7 days before: a session without an interaction.
    session("ana", day(7), at="09:00:00", zone=ZONE, number=3, visits=None, hits=1, page_views=None),
    # Sunday, 1 day before: two steps of the checkout and two transactions.
    session("ana", day(1), at="23:59:59", zone=ZONE, number=4, hits=20, page_views=10, seconds=900, transactions=2,
            revenue=99.99, actions=("5", "5", "6", "6"), device="desktop", browser="", channel="Direct"),
    # The gap, and the first day of the label window.
    session("ana", day(0), at="00:00:00", zone=ZONE, number=5, hits=500, transactions=1, revenue=7.0, actions=("3",)),
    session("ana", day(-GAP), at="00:00:00", zone=ZONE, number=6, transactions=1),
]  # fmt: skip
# Nothing is known of ben but that there was a session without an interaction.
BEN = [session("ben", day(14), at="00:00:00", zone=ZONE, number=None, visits=None, hits=None, page_views=None)]

GOLDEN: dict[tuple[str, datetime.date], Row] = {
    ("ana", SNAPSHOT): {
        "converted": 1,
        "sessions_1_7": 1,
        "sessions_8_14": 1,
        "sessions_15_30": 1,
        "hits_1_7": 21,  # 1 + 20
        "hits_8_14": 1,
        "hits_15_30": 9,
        "page_views_1_7": 10,
        "page_views_8_14": 1,
        "page_views_15_30": 4,
        "item_views_1_7": 0,
        "item_views_8_14": 0,
        "item_views_15_30": 2,
        "carts_1_7": 0,
        "carts_8_14": 0,
        "carts_15_30": 1,
        "checkouts_1_7": 2,
        "checkouts_8_30": 0,
        "purchases_1_30": 2,
        "revenue_1_30": 99.99,
        "time_on_site_s_1_7": 900,
        "time_on_site_s_8_30": 300,
        "active_days_1_30": 4,
        "recency_days": 1,
        "days_since_cart": 30,
        "days_since_purchase": 1,
        "visit_number_max": 4,
        "first_visit_seen": 1,
        "tenure_days": 30,
        "hits_per_session": 10.0,  # (9 + 1 + 20) / 3
        "pages_per_session": 5.0,  # (4 + 1 + 10) / 3
        "session_duration_s": 400.0,  # (300 + 900) / 3
        "bounce_share": 1 / 3,
        "evening_share": 0.5,  # 18 h and 23 h, of four
        "weekend_share": 0.75,
        "last_hour": 23,
        "sessions_trend": 23 / 14,  # 1 against 2 / 23 * 7
        "page_views_trend": 46 / 7,  # 10 against 5 / 23 * 7
        "device_category": "desktop",
        "operating_system": "iOS",
        "browser": "Safari",
        "language": "en-us",
        "country": "Canada",
        "region": "Ontario",
        "source": "mail",
        "medium": "cpc",
        "channel": "Direct",
    },
    ("ben", SNAPSHOT): {
        **dict.fromkeys((feature.name for feature in FEATURES.numeric if feature.missing == "zero"), 0),
        **dict.fromkeys(feature.name for feature in FEATURES.features if feature.missing == "indicator"),
        "converted": 0,
        "revenue_1_30": 0.0,
        "active_days_1_30": 1,
        "recency_days": 14,
        "tenure_days": 14,
        "evening_share": 0.0,
        "weekend_share": 0.0,
        "last_hour": 0,
    },
}


def test_golden_rows(export):
    after = [session("cho", day(0)), session(None, day(1), transactions=1)]  # no row: no day before, or no key
    rows = export.features(ANA + BEN + after, [SNAPSHOT], time_zone=ZONE)
    assert differences(in_columns_of(rows, GOLDEN), GOLDEN, tolerance=1e-12) == []


def test_columns_are_the_declared_features(export):
    key, date, label, *columns = export.columns(ANA, [SNAPSHOT])
    assert [(c.name, c.type) for c in (key, date, label)] == [
        ("fullVisitorId", "STRING"),
        ("snapshot_date", "DATE"),
        ("converted", "INT64"),
    ]
    types = {column.name: column.type for column in columns}
    assert sorted(types) == sorted(FEATURES.names)
    for feature in FEATURES.features:
        fitting = ("STRING",) if feature.kind is Kind.CATEGORICAL else ("INT64", "FLOAT64")
        assert types[feature.name] in fitting, feature.name


# --- The reference ---


def histories(visitors: int, first: datetime.date, days: int, zone: str, seed: int) -> list[Row]:
    """Random sessions, shuffled: few or many a visitor, one a bot, some late, some without a visitor."""
    draw = random.Random(seed)
    sessions = []
    for number in range(visitors):
        visitor = None if number == 1 else f"{draw.randrange(10**18):019d}"
        for visit in range(80 if number == 0 else draw.choice((1, 1, 2, 4, 9))):
            on = first + datetime.timedelta(draw.randrange(days))
            start = micros(on, f"{draw.randrange(24):02d}:{draw.randrange(60):02d}:00", zone) // 1_000_000
            bought = draw.random() < 0.15
            sessions.append(
                session(
                    visitor,
                    on,
                    start=start - 86_400 * draw.choice((0, 0, 0, 0, 1)),
                    number=draw.choice((visit + 1, None)),
                    visits=draw.choice((1, 1, 1, None)),
                    hits=draw.choice((None, 1, 5, 70)),
                    page_views=draw.choice((None, 1, 3)),
                    seconds=draw.choice((None, 0, 17, 4000)),
                    bounces=draw.choice((None, None, 1)),
                    new=1 if visit == 0 else None,
                    transactions=draw.choice((1, 1, 2)) if bought else draw.choice((None, 0)),
                    revenue=round(draw.uniform(1, 900), 2) if bought and draw.random() < 0.9 else None,
                    actions=draw.choices((None, "0", "1", "2", "3", "4", "5", "6"), k=draw.randrange(6)),
                    device=draw.choice((None, "", "mobile", "desktop")),
                    os=draw.choice((None, "iOS", "Android")),
                    browser=draw.choice((None, "Chrome", "Safari")),
                    language=draw.choice((None, "en-us", "日本")),
                    country=draw.choice((None, "(not set)", "Perú")),
                    region=draw.choice((None, "Lima", "Hessen")),
                    source=draw.choice((None, "google", "(direct)")),
                    medium=draw.choice((None, "organic", "(none)")),
                    channel=draw.choice((None, "Direct", "Paid Search")),
                )
            )
    draw.shuffle(sessions)
    return sessions


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Rules(conversion_event="transaction", time_zone=ZONE), id="los-angeles"),
        pytest.param(
            Rules(
                conversion_event="session", label_is="absence", time_zone="Europe/Berlin", lookback_days=40, gap_days=0
            ),
            id="berlin-churn",
        ),
        pytest.param(Rules(conversion_event="transaction", eligibility="never_converted", horizon_days=14), id="never"),
    ],
)
def test_every_column_of_every_row_equals_the_reference(rules, export):
    sessions = histories(50, day(50), 80, rules.time_zone, seed=3)
    snapshots = [day(7), day(0), day(-7)]
    rows = export.features(sessions, snapshots, **vars(rules))
    expected = reference_rows(sessions, snapshots, rules)
    assert differences(in_columns_of(rows, expected), expected, tolerance=1e-9) == []
    assert len(rows) > 60
    assert {row["converted"] for row in rows.values()} == {0, 1}
    if rules.eligibility == "all":
        names = next(iter(expected.values()))
        assert [name for name in names if len({row[name] for row in expected.values()}) < 2] == []


# --- Boundaries ---


def test_counts_see_the_days_that_features_yaml_says(export):
    """Visitor `a` has one session, on the day of age a, in its first or last second."""
    sessions = [
        session(f"{age}", day(age), at=at, zone=ZONE, actions=("2", "3", "5"), seconds=1, transactions=1, revenue=1.0)
        for age, at in ((age, "00:00:00" if age % 2 else "23:59:59") for age in range(-15, 45))
    ]
    rows = one_row_each(export.features(sessions, [SNAPSHOT], lookback_days=40, time_zone=ZONE))
    assert rows.keys() == {f"{age}" for age in range(1, 41)}
    windowed = [feature for feature in FEATURES.features if feature.window]
    assert {edge for feature in windowed for edge in feature.window} >= {1, 7, 8, 14, 15, 30}
    known = next(iter(GOLDEN.values()))
    for feature in windowed:
        first, last = feature.window
        if feature.name not in known:  # one of yours
            values = {age: rows[f"{age}"][feature.name] for age in range(1, 41)}
            assert len(seen_outside(values, feature.window)) <= 1, feature.name
            continue
        if feature.name.endswith("_trend"):
            expected = {age: 0.0 if 8 <= age <= 30 else None for age in range(1, 41)}
        else:
            expected = {age: int(first <= age <= last) for age in range(1, 41)}
        assert {age: rows[f"{age}"][feature.name] for age in expected} == expected, feature.name
    for feature in ("recency_days", "days_since_cart", "days_since_purchase", "tenure_days"):
        assert {visitor: row[feature] for visitor, row in rows.items()} == {visitor: int(visitor) for visitor in rows}


@pytest.mark.parametrize(("lookback", "gap", "horizon"), [(30, 3, 7), (30, 0, 1), (45, 10, 14)])
def test_rows_and_labels_at_every_distance(lookback, gap, horizon, export):
    """`seen a` has a session at age a and no other; `buys a` has one the day before, and a transaction at age a."""
    ages = range(-gap - horizon - 3, lookback + 4)
    sessions = [session(f"seen {age}", day(age)) for age in ages]
    for age in ages:
        sessions += [session(f"buys {age}", day(1)), session(f"buys {age}", day(age), transactions=1)]
    windows = {"lookback_days": lookback, "gap_days": gap, "horizon_days": horizon}
    rows = one_row_each(export.features(sessions, [SNAPSHOT], **windows))
    assert {name for name in rows if name.startswith("seen")} == {f"seen {age}" for age in range(1, lookback + 1)}
    buyers = {f"buys {-later}" for later in range(gap, gap + horizon)}
    assert {name for name, row in rows.items() if row["converted"]} == buyers
    churn = one_row_each(
        export.features(sessions, [SNAPSHOT], conversion_event="session", label_is="absence", **windows)
    )
    assert {name for name, row in churn.items() if not row["converted"]} == buyers
    never = one_row_each(export.features(sessions, [SNAPSHOT], eligibility="never_converted", **windows))
    assert rows.keys() - never.keys() == {f"buys {age}" for age in range(1, lookback + 1)}


def test_no_session_at_or_after_the_snapshot_changes_a_feature(export):
    sessions = histories(50, day(40), 60, "UTC", seed=5)
    past = [row for row in sessions if row["date"] < f"{SNAPSHOT:%Y%m%d}"]
    future = [row for row in sessions if row["date"] >= f"{SNAPSHOT:%Y%m%d}"]
    before = export.features(sessions, [SNAPSHOT])
    long_ago = micros(day(20)) // 1_000_000
    others = [
        session(row["fullVisitorId"], day(-5), start=long_ago, number=10**6, hits=10**6, device="Mars", transactions=9)
        for row in sessions
    ]
    for altered in (past, past + others, sessions + future + others):
        after = export.features(altered, [SNAPSHOT])
        assert differences(features_of(before), features_of(after)) == []


def test_no_session_outside_the_label_window_changes_a_label(export):
    sessions = histories(50, day(40), 60, "UTC", seed=6)
    first, last = f"{day(-GAP):%Y%m%d}", f"{day(-GAP - HORIZON + 1):%Y%m%d}"
    inside = [row for row in sessions if first <= row["date"] <= last]
    before = labels_of(export.features(sessions, [SNAPSHOT]))
    anchors = [session(visitor, day(1), transactions=1) for visitor, _ in before]
    outside = [session(visitor, day(age), transactions=1) for visitor, _ in before for age in (-GAP - HORIZON, 1 - GAP)]
    for altered in (inside + anchors, inside + anchors + outside):
        after = labels_of(export.features(altered, [SNAPSHOT]))
        assert {key: after[key] for key in before} == before
    assert set(before.values()) == {0, 1}


def test_days_are_those_of_date(export):
    """The start time orders sessions and gives the hour; the daily table decides where they count."""
    sessions = [
        session("u", day(1), start=micros(day(-9)) // 1_000_000, country="Later"),
        session("u", day(1), start=micros(day(9)) // 1_000_000, country="Before"),
        session("v", day(0), start=micros(day(1)) // 1_000_000),
    ]
    rows = one_row_each(export.features(sessions, [SNAPSHOT]))
    assert list(rows) == ["u"]
    assert (rows["u"]["country"], rows["u"]["recency_days"], rows["u"]["active_days_1_30"]) == ("Later", 1, 1)


def test_an_unknown_conversion_event_never_converts(export):
    """The settings refuse it; the query alone would give equal labels."""
    sessions = [session("u", day(1)), session("u", day(-GAP), transactions=1)]
    rows = export.features(sessions, [SNAPSHOT], conversion_event="purchase")
    assert labels_of(rows) == {("u", SNAPSHOT): 0}
