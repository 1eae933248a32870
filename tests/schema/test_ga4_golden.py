"""Rows of ga4 computed by hand. A new feature needs no edit here: only the columns named below are compared."""

import datetime

import pytest

from tests.schema.exports import Export, differences, in_columns_of
from tests.schema.ga4_events import GA4_SCHEMA, event, micros

ZONE = "America/Los_Angeles"  # clocks go forward on 10 March 2024, from 2:00 to 3:00
SNAPSHOTS = (datetime.date(2024, 3, 18), datetime.date(2024, 3, 25))  # Mondays; 18 March sees from 17 February on


def day(month: int, of_month: int) -> datetime.date:
    return datetime.date(2024, month, of_month)


def ana_event(at_day: datetime.date, name: str, at: str, **fields):
    return event("ana", at_day, name, at=at, zone=ZONE, first_touch=micros(day(2, 17), "17:59:00", ZONE), **fields)


WHO = {
    "device": "mobile",
    "os": "iOS",
    "browser": "Safari",
    "language": "en-us",
    "country": "Canada",
    "region": "Ontario",
    "user_source": "newsletter",
    "user_medium": "email",
    "source": "newsletter",
    "medium": "email",
}

ANA = [
    # Saturday, 30 days before the first snapshot and outside the second's lookback: one session of 100 s.
    ana_event(
        day(2, 17), "page_view", "18:00:00", session=100, session_number=1, engagement_ms=4000, engaged="0", **WHO
    ),
    ana_event(day(2, 17), "view_item", "18:01:40", session=100, session_number=1, engagement_ms=2000),
    # Sunday, 8 (15) days before: clocks show two hours more, but one hour passes.
    ana_event(day(3, 10), "page_view", "01:30:00", session=200, session_number=2, engaged="1"),
    ana_event(day(3, 10), "add_to_cart", "03:30:00", session=200, session_number=2, engagement_ms=1500),
    # Monday, 7 (14) days before: the evening begins with the purchase. session_engaged as a number.
    ana_event(day(3, 11), "begin_checkout", "17:59:59", session=300, session_number=3, engaged=1),
    ana_event(day(3, 11), "purchase", "18:00:00", session=300, session_number=3, transaction="T1", revenue=20.5),
    # Tuesday, 6 (13) days before: the same purchase again, without a session.
    ana_event(day(3, 12), "purchase", "09:00:00", transaction="T1", revenue=20.5),
    # Sunday, 1 (8) days before: another device; an empty browser is none.
    ana_event(day(3, 17), "page_view", "23:00:00", session=400, session_number=4, engagement_ms=3000, device="desktop"),
    ana_event(day(3, 17), "page_view", "23:00:30", session=400, session_number=4, browser=""),
    # The first snapshot's gap (7 days before the second), then its label window (4 days before the second).
    ana_event(day(3, 18), "purchase", "12:00:00", transaction="T9", revenue=10.0),
    ana_event(day(3, 21), "purchase", "12:00:00", transaction="T2", revenue=30.25),
    # In the second's label window, but known since before the second snapshot: no new conversion.
    ana_event(day(3, 29), "purchase", "12:00:00", transaction="T2", revenue=30.25),
]

# One event, without consent: no session, no first touch. 14 (21) days before, a Monday.
BEN = [event("ben", day(3, 4), "scroll", at="00:00:00", zone=ZONE)]

CHO_EVENTS = {"zone": ZONE, "first_touch": micros(datetime.date(2023, 3, 18), "23:30:00", ZONE)}  # 19 March in UTC
CHO = [
    # Sunday, 15 (22) days before. One session id, twice: on two days it is two sessions.
    event("cho", day(3, 3), "add_to_cart", at="10:00:00", session=7, session_number=9, **CHO_EVENTS),
    event("cho", day(3, 4), "page_view", at="00:10:00", session=7, session_number=9, country="Chile", **CHO_EVENTS),
    # Two purchases whose ids say nothing are two, and one of them says nothing of revenue.
    event("cho", day(3, 4), "purchase", at="00:10:00", session=7, transaction="(not set)", revenue=5.0, **CHO_EVENTS),
    event("cho", day(3, 4), "purchase", at="00:10:00", session=7, transaction="(not set)", **CHO_EVENTS),
    # In the first snapshot's label window, after it was in the gap.
    event("cho", day(3, 20), "purchase", transaction="T5", revenue=1.0, **CHO_EVENTS),
    event("cho", day(3, 21), "purchase", transaction="T5", revenue=1.0, **CHO_EVENTS),
    # The second's label window has days 28 March to 3 April.
    event("cho", day(4, 3), "purchase", transaction="T6", revenue=1.0, **CHO_EVENTS),
]

# Only after the first snapshot: no row there. The second's label window ends on 3 April.
DEE = [
    event("dee", day(3, 18), "view_item", at="20:00:00", zone=ZONE, session=1, session_number=1, engaged="1"),
    event("dee", day(4, 4), "purchase", transaction="T7"),  # a day too late
]

NOBODY = [event(None, day(3, 17), "purchase", transaction="T8")]

GOLDEN = {
    ("ana", SNAPSHOTS[0]): {
        "converted": 1,  # T2 on 21 March, the first day of the label window
        "sessions_1_7": 2,  # 300, 400
        "sessions_8_14": 1,  # 200
        "sessions_15_30": 1,  # 100
        "events_1_7": 5,  # two on 11 March, one on the 12th, two on the 17th
        "events_8_14": 2,
        "events_15_30": 2,
        "page_views_1_7": 2,
        "page_views_8_14": 1,
        "page_views_15_30": 1,
        "item_views_1_7": 0,
        "item_views_8_14": 0,
        "item_views_15_30": 1,
        "carts_1_7": 0,
        "carts_8_14": 1,
        "carts_15_30": 0,
        "checkouts_1_7": 1,
        "checkouts_8_30": 0,
        "purchases_1_30": 1,  # T1, once
        "revenue_1_30": 20.5,
        "engagement_s_1_7": 3.0,
        "engagement_s_8_30": 7.5,  # 4 + 2 + 1.5
        "active_days_1_30": 5,
        "recency_days": 1,
        "days_since_cart": 8,
        "days_since_purchase": 7,  # T1's first arrival
        "session_number_max": 4,
        "tenure_days": 30,
        "events_per_session": 2.0,  # 8 in 4; the purchase without a session is in none
        "pages_per_session": 1.0,  # 4 in 4
        "session_duration_s": 932.75,  # (100 + 3600 + 1 + 30) / 4
        "engaged_session_share": 0.5,  # 200 and 300
        "evening_share": 5 / 9,  # two at 18 h, the purchase, two at 23 h
        "weekend_share": 6 / 9,  # all but the three of 11 and 12 March
        "last_hour": 23,
        "sessions_trend": 46 / 14,  # 2 against (1 + 1) / 23 * 7
        "page_views_trend": 46 / 14,
        "device_category": "desktop",
        "operating_system": "iOS",
        "browser": "Safari",
        "language": "en-us",
        "country": "Canada",
        "region": "Ontario",
        "source": "newsletter",
        "medium": "email",
        "session_source": "newsletter",
        "session_medium": "email",
    },
    ("ana", SNAPSHOTS[1]): {
        "converted": 0,
        "sessions_1_7": 0,
        "sessions_8_14": 2,
        "sessions_15_30": 1,
        "events_1_7": 2,  # T9 and T2
        "events_8_14": 5,
        "events_15_30": 2,
        "page_views_1_7": 0,
        "page_views_8_14": 2,
        "page_views_15_30": 1,
        "item_views_1_7": 0,
        "item_views_8_14": 0,
        "item_views_15_30": 0,
        "carts_1_7": 0,
        "carts_8_14": 0,
        "carts_15_30": 1,
        "checkouts_1_7": 0,
        "checkouts_8_30": 1,
        "purchases_1_30": 3,  # T1, T9, T2
        "revenue_1_30": 60.75,
        "engagement_s_1_7": 0.0,
        "engagement_s_8_30": 4.5,
        "active_days_1_30": 6,
        "recency_days": 4,
        "days_since_cart": 15,
        "days_since_purchase": 4,
        "session_number_max": 4,
        "tenure_days": 37,
        "events_per_session": 2.0,  # 6 in 3
        "pages_per_session": 1.0,
        "session_duration_s": 3631 / 3,
        "engaged_session_share": 2 / 3,
        "evening_share": 3 / 9,
        "weekend_share": 4 / 9,
        "last_hour": 12,
        "sessions_trend": 0.0,
        "page_views_trend": 0.0,
        "device_category": "desktop",
        "operating_system": None,
        "browser": None,
        "language": None,
        "country": None,
        "region": None,
        "source": None,
        "medium": None,
        "session_source": None,
        "session_medium": None,
    },
    ("ben", SNAPSHOTS[0]): {
        "converted": 0,
        "sessions_1_7": 0,
        "sessions_8_14": 0,
        "sessions_15_30": 0,
        "events_1_7": 0,
        "events_8_14": 1,
        "events_15_30": 0,
        "page_views_1_7": 0,
        "page_views_8_14": 0,
        "page_views_15_30": 0,
        "item_views_1_7": 0,
        "item_views_8_14": 0,
        "item_views_15_30": 0,
        "carts_1_7": 0,
        "carts_8_14": 0,
        "carts_15_30": 0,
        "checkouts_1_7": 0,
        "checkouts_8_30": 0,
        "purchases_1_30": 0,
        "revenue_1_30": 0.0,
        "engagement_s_1_7": 0.0,
        "engagement_s_8_30": 0.0,
        "active_days_1_30": 1,
        "recency_days": 14,
        "days_since_cart": None,
        "days_since_purchase": None,
        "session_number_max": None,
        "tenure_days": 14,  # no first touch: since the first event seen
        "events_per_session": None,
        "pages_per_session": None,
        "session_duration_s": None,
        "engaged_session_share": None,
        "evening_share": 0.0,
        "weekend_share": 0.0,
        "last_hour": 0,
        "sessions_trend": None,
        "page_views_trend": None,
        "device_category": None,
        "operating_system": None,
        "browser": None,
        "language": None,
        "country": None,
        "region": None,
        "source": None,
        "medium": None,
        "session_source": None,
        "session_medium": None,
    },
    ("cho", SNAPSHOTS[0]): {
        "converted": 0,  # T5 is in the label window, but was first seen in the gap
        "sessions_1_7": 0,
        "sessions_8_14": 1,
        "sessions_15_30": 1,
        "events_1_7": 0,
        "events_8_14": 3,
        "events_15_30": 1,
        "page_views_1_7": 0,
        "page_views_8_14": 1,
        "page_views_15_30": 0,
        "item_views_1_7": 0,
        "item_views_8_14": 0,
        "item_views_15_30": 0,
        "carts_1_7": 0,
        "carts_8_14": 0,
        "carts_15_30": 1,
        "checkouts_1_7": 0,
        "checkouts_8_30": 0,
        "purchases_1_30": 2,
        "revenue_1_30": 5.0,
        "engagement_s_1_7": 0.0,
        "engagement_s_8_30": 0.0,
        "active_days_1_30": 2,
        "recency_days": 14,
        "days_since_cart": 15,
        "days_since_purchase": 14,
        "session_number_max": 9,
        "tenure_days": 366,  # 2024 is a leap year
        "events_per_session": 2.0,  # 1 on 3 March, 3 on the 4th
        "pages_per_session": 0.5,
        "session_duration_s": 0.0,
        "engaged_session_share": 0.0,
        "evening_share": 0.0,
        "weekend_share": 0.25,
        "last_hour": 0,
        "sessions_trend": 0.0,
        "page_views_trend": 0.0,
        "device_category": None,
        "operating_system": None,
        "browser": None,
        "language": None,
        "country": "Chile",
        "region": None,
        "source": None,
        "medium": None,
        "session_source": None,
        "session_medium": None,
    },
}
# The second snapshot's rows of the others: a few columns, as one of each kind has been seen above.
SECOND = {
    "ben": {"converted": 0, "events_8_14": 0, "events_15_30": 1, "recency_days": 21, "tenure_days": 21},
    "cho": {"converted": 1, "purchases_1_30": 3, "revenue_1_30": 6.0, "days_since_purchase": 5, "tenure_days": 373},
    "dee": {"converted": 0, "item_views_1_7": 1, "recency_days": 7, "evening_share": 1.0, "last_hour": 20},
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    export = Export("ga4", GA4_SCHEMA, tmp_path_factory.mktemp("events"))
    return export.features(ANA + BEN + CHO + DEE + NOBODY, SNAPSHOTS, time_zone=ZONE)


def test_golden_rows(rows):
    found = {key: row for key, row in rows.items() if key in GOLDEN}
    assert differences(in_columns_of(found, GOLDEN), GOLDEN, tolerance=1e-12) == []


@pytest.mark.parametrize("user", SECOND)
def test_second_snapshot(rows, user):
    row = rows[user, SNAPSHOTS[1]]
    assert {name: row[name] for name in SECOND[user]} == SECOND[user]


def test_who_has_a_row(rows):
    seen = {*GOLDEN, *((user, SNAPSHOTS[1]) for user in SECOND)}
    assert rows.keys() == seen
