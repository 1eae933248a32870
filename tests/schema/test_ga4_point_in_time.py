"""What a row of ga4 may see: events are moved, changed, added and deleted on both sides of every boundary.

Of the label this is the exact statement: it depends on events in the label window, and besides only on purchases that
bear the transaction id of a purchase there and arrived since the start of the lookback. Such a purchase is not new.
"""

import copy
import datetime

import pytest

from models.features import load_features
from tests.schema.exports import SCHEMA_ROOT, Export, differences, features_of, labels_of, seen_outside
from tests.schema.ga4_events import GA4_SCHEMA, event, micros
from tests.schema.ga4_histories import histories
from tests.schema.ga4_reference import Rules, reference_rows

SNAPSHOT = datetime.date(2024, 3, 18)
LOOKBACK, GAP, HORIZON = 30, 3, 7  # the defaults of Export.features
ZONE = "America/Los_Angeles"


def day(age: int) -> datetime.date:
    """The day that lies so many days before the snapshot."""
    return SNAPSHOT - datetime.timedelta(age)


def age_of(row) -> int:
    return (SNAPSHOT - datetime.datetime.strptime(row["event_date"], "%Y%m%d").date()).days


def in_label_window(row) -> bool:
    return GAP <= -age_of(row) < GAP + HORIZON


@pytest.fixture
def export(tmp_path) -> Export:
    return Export("ga4", GA4_SCHEMA, tmp_path)


def one_row_each(rows):
    return {user: row for (user, _), row in rows.items()}


# --- Random histories, changed ---


def changed_beyond_recognition(row):
    """Another event of the same user and day."""
    other = event(
        row["user_pseudo_id"],
        SNAPSHOT,
        "purchase",
        first_touch=1,
        transaction="T1",
        revenue=1e6,
        device="Mars",
        country="Mars",
        session=3,
        session_number=10**6,
        engagement_ms=10**6,
        engaged="1",
        source="Mars",
    )
    return {**other, "event_date": row["event_date"]}


def moved(row, days):
    to = datetime.datetime.strptime(row["event_date"], "%Y%m%d").date() + datetime.timedelta(days)
    return {
        **copy.deepcopy(row),
        "event_date": f"{to:%Y%m%d}",
        "event_timestamp": row["event_timestamp"] + days * 86_400_000_000,
    }


def with_time_of_long_ago(row):
    """A late event: its day stays, its timestamp is from the lookback."""
    return {**row, "event_timestamp": micros(day(20))}


CHANGES = {
    "deleted": lambda row: [],
    "doubled": lambda row: [row, row],
    "changed": lambda row: [changed_beyond_recognition(row)],
    "moved on by a day": lambda row: [moved(row, 1)],
    "moved on by 30 days": lambda row: [moved(row, 30)],
    "timestamps of long ago": lambda row: [with_time_of_long_ago(row)],
    "joined by new users": lambda row: [row, {**row, "user_pseudo_id": f"new {row['user_pseudo_id']}"}],
    "joined by others' events": lambda row: [row, changed_beyond_recognition(row)],
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_event_at_or_after_the_snapshot_changes_a_feature(change, export):
    events = histories(40, day(45), 65, "UTC", seed=11)
    before = export.features(events, [SNAPSHOT])
    altered = [new for row in events for new in (CHANGES[change](row) if age_of(row) <= 0 else [row])]
    assert altered != events
    after = export.features(altered, [SNAPSHOT])
    assert differences(features_of(before), features_of(after)) == []
    assert len(before) > 30


@pytest.mark.parametrize("change", [name for name in CHANGES if not name.startswith("moved")])
def test_no_event_outside_the_label_window_changes_a_label(change, export):
    """Of purchases with ids of their own; users whose every event was in the lookback may lose their row."""
    events = histories(40, day(45), 65, "UTC", seed=12)
    for number, row in enumerate(events):
        if row["ecommerce"]:
            row["ecommerce"] = {**row["ecommerce"], "transaction_id": f"only {number}"}
    before = labels_of(export.features(events, [SNAPSHOT]))
    altered = [new for row in events for new in ([row] if in_label_window(row) else CHANGES[change](row))]
    anchors = [event(user, day(1)) for user, _ in before]  # whoever had a row has one
    after = labels_of(export.features(altered + anchors, [SNAPSHOT]))
    assert {key: after[key] for key in before} == before
    assert set(before.values()) == {0, 1}


# --- Each boundary, one user for each day ---


def test_counts_see_the_days_that_features_yaml_says(export):
    """User `a` has one of everything on the day of age a: features with a window are 1 there and 0 elsewhere."""
    lookback = 40
    ages = range(-15, lookback + 5)
    events = [
        event(f"{age}", day(age), name, at=at, zone=ZONE, session=1, engagement_ms=200, transaction="T", revenue=1.0)
        for age in ages
        # The first and last instant of the day, in the property's zone.
        for name, at in (
            ("page_view", "00:00:00"),
            ("view_item", "00:00:00"),
            ("add_to_cart", "12:00:00"),
            ("begin_checkout", "23:59:59.999999"),
            ("purchase", "23:59:59.999999"),
        )
    ]
    rows = one_row_each(export.features(events, [SNAPSHOT], lookback_days=lookback, time_zone=ZONE))
    assert rows.keys() == {f"{age}" for age in range(1, lookback + 1)}
    windowed = [feature for feature in load_features(SCHEMA_ROOT / "ga4" / "features.yaml").features if feature.window]
    assert {edge for feature in windowed for edge in feature.window} >= {1, 7, 8, 14, 15, 30}
    known = next(iter(reference_rows(events, [SNAPSHOT], Rules(time_zone=ZONE, lookback_days=lookback)).values()))
    for feature in windowed:
        first, last = feature.window
        if feature.name not in known:  # one of yours
            values = {age: rows[f"{age}"][feature.name] for age in range(1, lookback + 1)}
            assert len(seen_outside(values, feature.window)) <= 1, feature.name
            continue
        if feature.name.endswith("_trend"):  # days 1-7 only: nothing to compare with; days 8-30 only: zero
            expected = {age: 0.0 if 8 <= age <= 30 else None for age in range(1, lookback + 1)}
        else:
            each = 5 if feature.name.startswith("events") else 1  # 5 events, of 0.2 s of engagement each
            expected = {age: each if first <= age <= last else 0 for age in range(1, lookback + 1)}
        assert {age: rows[f"{age}"][feature.name] for age in expected} == expected, feature.name
    for feature in ("recency_days", "days_since_cart", "days_since_purchase", "tenure_days"):
        assert {user: row[feature] for user, row in rows.items()} == {user: int(user) for user in rows}, feature


@pytest.mark.parametrize(
    ("lookback", "gap", "horizon"), [(30, 3, 7), (30, 0, 1), (30, 0, 7), (30, 10, 14), (60, 1, 30), (31, 0, 2)]
)
def test_rows_and_labels_at_every_distance(lookback, gap, horizon, export):
    """`seen a` has one event at age a and nothing else; `buys a` has an event the day before, and buys at age a."""
    ages = range(-gap - horizon - 3, lookback + 4)
    events = [event(f"seen {age}", day(age)) for age in ages]
    for age in ages:
        events += [event(f"buys {age}", day(1)), event(f"buys {age}", day(age), "purchase", transaction="T")]
    windows = {"lookback_days": lookback, "gap_days": gap, "horizon_days": horizon}
    rows = one_row_each(export.features(events, [SNAPSHOT], **windows))
    assert {user for user in rows if user.startswith("seen")} == {f"seen {age}" for age in range(1, lookback + 1)}
    buyers = {f"buys {-later}" for later in range(gap, gap + horizon)}
    assert {user for user, row in rows.items() if row["converted"]} == buyers
    churn = one_row_each(export.features(events, [SNAPSHOT], label_is="absence", **windows))
    assert {user for user, row in churn.items() if not row["converted"]} == buyers
    rows_of_all = {user for user in rows if user.startswith("buys")}
    never = one_row_each(export.features(events, [SNAPSHOT], eligibility="never_converted", **windows))
    bought_before = {f"buys {age}" for age in range(1, lookback + 1)}
    assert {user for user in never if user.startswith("buys")} == rows_of_all - bought_before


def test_conversions_other_than_purchases(export):
    """Another event converts; purchases then do not, and its transaction ids mean nothing."""
    events = [event(user, day(1)) for user in ("signs up", "buys", "signs up again")]
    events += [
        event("signs up", day(-GAP), "sign_up"),
        event("buys", day(-GAP), "purchase", transaction="T"),
        event("signs up again", day(2), "sign_up", transaction="T"),
        event("signs up again", day(-GAP), "sign_up", transaction="T"),
    ]
    rows = one_row_each(export.features(events, [SNAPSHOT], conversion_event="sign_up"))
    assert {user: row["converted"] for user, row in rows.items()} == {"signs up": 1, "buys": 0, "signs up again": 1}
    never = export.features(events, [SNAPSHOT], conversion_event="sign_up", eligibility="never_converted")
    assert one_row_each(never).keys() == {"signs up", "buys"}


def test_days_are_those_of_event_date(export):
    """A late event has another day's timestamp: the daily table decides where it counts, the timestamp its order."""
    events = [
        event("early by its day", day(1), timestamp=micros(day(-20)), country="Later"),
        event("early by its day", day(1), timestamp=micros(day(2)), country="Before"),
        event("late by its day", day(0), timestamp=micros(day(1))),
        event("too old by its day", day(LOOKBACK + 1), timestamp=micros(day(1))),
        event("buys on time", day(1)),
        event("buys on time", day(-GAP), "purchase", timestamp=micros(day(1))),
        event("buys too late", day(1)),
        event("buys too late", day(-GAP - HORIZON), "purchase", timestamp=micros(day(-GAP))),
    ]
    rows = one_row_each(export.features(events, [SNAPSHOT]))
    assert {user: row["converted"] for user, row in rows.items()} == {
        "early by its day": 0,
        "buys on time": 1,
        "buys too late": 0,
    }
    assert rows["early by its day"]["recency_days"] == 1
    assert rows["early by its day"]["country"] == "Later"


def test_hours_around_a_change_of_clocks(export):
    """The hour of day is the local one: -8 h before 10 March 2024 at 2:00, -7 h after; +1 h and +2 h in Berlin."""
    change = micros(datetime.date(2024, 3, 10), "10:00:00")
    second = 1_000_000
    events = [
        event("before", datetime.date(2024, 3, 10), timestamp=change - second),
        event("after", datetime.date(2024, 3, 10), timestamp=change),
        event("evening before", datetime.date(2024, 3, 9), timestamp=change - 8 * 3600 * second),
        event("evening after", datetime.date(2024, 3, 10), timestamp=change + 15 * 3600 * second),
        event("evening not yet", datetime.date(2024, 3, 10), timestamp=change + 15 * 3600 * second - 1),
    ]
    rows = one_row_each(export.features(events, [SNAPSHOT], time_zone=ZONE))
    assert {user: (row["last_hour"], row["evening_share"]) for user, row in rows.items()} == {
        "before": (1, 0.0),
        "after": (3, 0.0),
        "evening before": (18, 1.0),
        "evening after": (18, 1.0),
        "evening not yet": (17, 0.0),
    }
    rows = one_row_each(export.features(events, [SNAPSHOT], time_zone="Europe/Berlin"))
    assert [rows[user]["last_hour"] for user in ("before", "after")] == [10, 11]


def test_users_without_a_key_are_dropped(export):
    rows = export.features([event(None, day(1)), event(None, day(-GAP), "purchase"), event("u", day(1))], [SNAPSHOT])
    assert list(rows) == [("u", SNAPSHOT)]
    assert rows["u", SNAPSHOT]["converted"] == 0


# --- The same purchase again ---

# Arrivals of one transaction, by age: purchases, revenue (the arrival's age), days since, and the label.
ARRIVALS = {
    (5,): (1, 5, 5, 0),
    (5, 4): (1, 5, 5, 0),
    (5, 5): (1, 5, 5, 0),
    (LOOKBACK, 1): (1, LOOKBACK, LOOKBACK, 0),
    (LOOKBACK + 1, 1): (1, 1, 1, 0),  # the first lies before the lookback: unknown
    (LOOKBACK + 1, 8, 1): (1, 8, 8, 0),
    (1, -GAP): (1, 1, 1, 0),  # in the label window, but not new
    (LOOKBACK, -GAP - HORIZON + 1): (1, LOOKBACK, LOOKBACK, 0),
    (LOOKBACK + 1, -GAP): (0, 0, None, 1),
    (0, -GAP): (0, 0, None, 0),  # first in the gap
    (-GAP + 1, -GAP): (0, 0, None, 0),
    (-GAP, -GAP): (0, 0, None, 1),
    (-GAP, -GAP - 1): (0, 0, None, 1),
    (-GAP, -GAP - HORIZON): (0, 0, None, 1),
    (-GAP - HORIZON,): (0, 0, None, 0),
}


def test_a_purchase_counts_when_it_first_arrives(export):
    events = []
    for ages in ARRIVALS:
        user = ", ".join(map(str, ages))
        events.append(event(user, day(1)))
        # Same day: an hour later each time. Revenue is the age, so that it tells which arrival counted.
        events += [
            event(user, day(age), "purchase", at=f"{10 + number}:00:00", transaction="T", revenue=float(max(age, 0)))
            for number, age in enumerate(ages)
        ]
    rows = one_row_each(export.features(events[::-1], [SNAPSHOT]))
    found = {
        ages: (row["purchases_1_30"], row["revenue_1_30"], row["days_since_purchase"], row["converted"])
        for ages in ARRIVALS
        for row in [rows[", ".join(map(str, ages))]]
    }
    assert found == ARRIVALS


def test_which_purchases_are_the_same(export):
    """The same id of the same user; an id that says nothing is never the same; at one instant the lesser revenue."""
    events = [
        event("ids", day(2), "purchase", transaction="T", revenue=1.0),
        event("ids", day(2), "purchase", transaction="t", revenue=2.0),
        event("another", day(1), "purchase", transaction="T", revenue=4.0),
        event("one instant", day(1), "purchase", transaction="T", revenue=8.0),
        event("one instant", day(1), "purchase", transaction="T", revenue=7.0),
        event("first by the clock", day(1), "purchase", at="10:00:00", transaction="T", revenue=3.0),
        event("first by the clock", day(1), "purchase", at="09:00:00", transaction="T", revenue=5.0),
        # By day first: what arrives in an earlier table is known earlier, whatever its timestamp.
        event("first by its day", day(2), "purchase", timestamp=micros(day(1)), transaction="T", revenue=6.0),
        event("first by its day", day(1), "purchase", timestamp=micros(day(2)), transaction="T", revenue=9.0),
    ]
    events += [event("nothing", day(3), "purchase", transaction=t, revenue=1.0) for t in (None, "", "(not set)") * 2]
    rows = one_row_each(export.features(events, [SNAPSHOT]))
    assert {user: (row["purchases_1_30"], row["revenue_1_30"]) for user, row in rows.items()} == {
        "ids": (2, 3.0),
        "another": (1, 4.0),
        "one instant": (1, 7.0),
        "first by the clock": (1, 5.0),
        "first by its day": (1, 6.0),
        "nothing": (6, 6.0),
    }
