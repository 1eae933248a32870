"""The rows of schema/ga360/query.sql in plain Python, one visitor and snapshot at a time."""

import datetime
import math
from collections.abc import Iterable, Sequence
from typing import Any

from tests.schema.exports import Row, Rows
from tests.schema.ga4_reference import WINDOWS, Rules, at_path, last_of, local_time, mean

WINDOWS_OF_SUMS = {
    "sessions": ("visits", WINDOWS),
    "hits": ("hits", WINDOWS),
    "page_views": ("pageviews", WINDOWS),
    "time_on_site_s": ("timeOnSite", ((1, 7), (8, 30))),
    "purchases": ("transactions", ((1, 30),)),
}
WINDOWS_OF_ACTIONS = {
    "item_views": ("2", WINDOWS),
    "carts": ("3", WINDOWS),
    "checkouts": ("5", ((1, 7), (8, 30))),
}
CATEGORIES = {
    "device_category": ("device", "deviceCategory"),
    "operating_system": ("device", "operatingSystem"),
    "browser": ("device", "browser"),
    "language": ("device", "language"),
    "country": ("geoNetwork", "country"),
    "region": ("geoNetwork", "region"),
    "source": ("trafficSource", "source"),
    "medium": ("trafficSource", "medium"),
    "channel": ("channelGrouping",),
}


def reference_rows(sessions: Iterable[Row], snapshots: Sequence[datetime.date], rules: Rules) -> Rows:
    """All rows, by visitor and snapshot date."""
    of_visitor: dict[str, list[Row]] = {}
    for session in sessions:
        if session["fullVisitorId"] is not None:
            of_visitor.setdefault(session["fullVisitorId"], []).append(session)
    made = {(name, date): reference_row(of_visitor[name], date, rules) for name in of_visitor for date in snapshots}
    return {key: row for key, row in made.items() if row is not None}


def reference_row(sessions: Sequence[Row], snapshot: datetime.date, rules: Rules) -> Row | None:
    """The row of one visitor, given all of their sessions, or None where they have none."""
    ages = [(age_of(session, snapshot), session) for session in sessions]
    past = [(age, session) for age, session in ages if 1 <= age <= rules.lookback_days]
    later = [session for age, session in ages if rules.gap_days <= -age < rules.gap_days + rules.horizon_days]
    if not past:
        return None
    if rules.eligibility == "never_converted" and any(converts(session, rules) for _, session in past):
        return None
    converted = any(converts(session, rules) for session in later)
    return {
        "converted": int(converted == (rules.label_is == "conversion")),
        **sums(past),
        **recency(past),
        **session_features(past),
        **time_features(past, rules.time_zone),
        **{
            name: last_of((session["visitStartTime"], at_path(session, path)) for _, session in past)
            for name, path in CATEGORIES.items()
        },
    }


def converts(session: Row, rules: Rules) -> bool:
    """Whether a session is a conversion."""
    return rules.conversion_event == "session" or total(session, "transactions") > 0


def sums(past: list[tuple[int, Row]]) -> Row:
    """Windowed sums, counts of actions, revenue and trends."""
    row: dict[str, Any] = {}
    for feature, (name, windows) in WINDOWS_OF_SUMS.items():
        for a, b in windows:
            row[f"{feature}_{a}_{b}"] = sum(total(session, name) for age, session in past if a <= age <= b)
    for feature, (action, windows) in WINDOWS_OF_ACTIONS.items():
        for a, b in windows:
            row[f"{feature}_{a}_{b}"] = sum(actions(session).count(action) for age, session in past if a <= age <= b)
    row["revenue_1_30"] = math.fsum(total(session, "transactionRevenue") / 1e6 for age, session in past if age <= 30)
    row["active_days_1_30"] = len({age for age, _ in past if age <= 30})
    for feature in ("sessions", "page_views"):
        before = row[f"{feature}_8_14"] + row[f"{feature}_15_30"]
        row[f"{feature}_trend"] = row[f"{feature}_1_7"] / (before / 23 * 7) if before else None
    return row


def recency(past: list[tuple[int, Row]]) -> Row:
    """Days since things, and what is known of the visitor's first session."""
    numbers = [session["visitNumber"] for _, session in past if session["visitNumber"] is not None]
    return {
        "recency_days": min(age for age, _ in past),
        "days_since_cart": min((age for age, session in past if "3" in actions(session)), default=None),
        "days_since_purchase": min((age for age, session in past if total(session, "transactions")), default=None),
        "visit_number_max": max(numbers, default=None),
        "first_visit_seen": int(any(total(session, "newVisits") for _, session in past)),
        "tenure_days": max(age for age, _ in past),
    }


def session_features(past: list[tuple[int, Row]]) -> Row:
    """Means over the sessions with an interaction."""
    visits = [session for _, session in past if total(session, "visits")]
    names = {"hits_per_session": "hits", "pages_per_session": "pageviews", "session_duration_s": "timeOnSite"}
    row = {
        feature: mean(total(session, name) for session in visits) if visits else None for feature, name in names.items()
    }
    bounces = sum(total(session, "bounces") for _, session in past)
    return {**row, "bounce_share": bounces / len(visits) if visits else None}


def time_features(past: list[tuple[int, Row]], zone: str) -> Row:
    """Hours are of visitStartTime in the view's zone, weekdays of date."""
    hours = [local_time(session["visitStartTime"] * 1_000_000, zone).hour for _, session in past]
    last = max(session["visitStartTime"] for _, session in past)
    return {
        "evening_share": mean(float(hour >= 18) for hour in hours),
        "weekend_share": mean(float(day_of(session).isoweekday() in (6, 7)) for _, session in past),
        "last_hour": local_time(last * 1_000_000, zone).hour,
    }


def actions(session: Row) -> list[str | None]:
    """The action types of a session's hits."""
    return [at_path(hit, ("eCommerceAction", "action_type")) for hit in session["hits"]]


def total(session: Row, name: str) -> int:
    """One of the totals; 0 where it is NULL."""
    return session["totals"][name] or 0


def day_of(session: Row) -> datetime.date:
    """The day of a session is its date."""
    return datetime.datetime.strptime(session["date"], "%Y%m%d").date()


def age_of(session: Row, snapshot: datetime.date) -> int:
    """Days before the snapshot; 1 is the day before it."""
    return (snapshot - day_of(session)).days
