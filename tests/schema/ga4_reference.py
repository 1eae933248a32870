"""The rows of schema/ga4/query.sql in plain Python: slow, one user and snapshot at a time, no SQL and no sharing."""

import datetime
import math
import zoneinfo
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.schema.exports import Row, Rows

WINDOWS = ((1, 7), (8, 14), (15, 30))
UNKNOWN_TRANSACTIONS = (None, "", "(not set)")
CATEGORIES = {
    "device_category": ("device", "category"),
    "operating_system": ("device", "operating_system"),
    "browser": ("device", "web_info", "browser"),
    "language": ("device", "language"),
    "country": ("geo", "country"),
    "region": ("geo", "region"),
    "source": ("traffic_source", "source"),
    "medium": ("traffic_source", "medium"),
}


@dataclass(frozen=True)
class Rules:
    """What the query parameters of the same names say."""

    lookback_days: int = 30
    gap_days: int = 3
    horizon_days: int = 7
    conversion_event: str = "purchase"
    label_is: str = "conversion"
    eligibility: str = "all"
    time_zone: str = "UTC"


def reference_rows(events: Iterable[Row], snapshots: Sequence[datetime.date], rules: Rules) -> Rows:
    """All rows, by user and snapshot date."""
    of_user: dict[str, list[Row]] = {}
    for event in events:
        if event["user_pseudo_id"] is not None:
            of_user.setdefault(event["user_pseudo_id"], []).append(event)
    made = {
        (user, snapshot): reference_row(of_user[user], snapshot, rules) for user in of_user for snapshot in snapshots
    }
    return {key: row for key, row in made.items() if row is not None}


def reference_row(events: Sequence[Row], snapshot: datetime.date, rules: Rules) -> Row | None:
    """The row of one user, given all of their events, or None where they have none."""
    ages = [(age_of(event, snapshot), event) for event in events]
    past = [(age, event) for age, event in ages if 1 <= age <= rules.lookback_days]
    later = [(age, event) for age, event in ages if rules.gap_days <= -age <= rules.gap_days + rules.horizon_days - 1]
    if not past:
        return None
    # Arrivals in order of day, then time: of one transaction only the first since the start of the lookback counts.
    known = sorted(
        ((age, event) for age, event in ages if -(rules.gap_days + rules.horizon_days) < age <= rules.lookback_days),
        key=lambda item: (-item[0], item[1]["event_timestamp"], micros_of_revenue(item[1])),
    )
    counted = first_arrivals([event for _, event in known])
    converts = {id(event) for event in counted if event["event_name"] == rules.conversion_event}
    if rules.eligibility == "never_converted" and any(id(event) in converts for _, event in past):
        return None
    converted = any(id(event) in converts for _, event in later)
    purchases = [(age, event) for age, event in past if event["event_name"] == "purchase" and is_in(event, counted)]
    return {
        "converted": int(converted == (rules.label_is == "conversion")),
        **counts(past),
        **purchase_features(purchases),
        **engagement(past),
        **recency(past, purchases, snapshot, rules.time_zone),
        **session_features(past),
        **time_features(past, rules.time_zone),
        **categories(past),
    }


def counts(past: list[tuple[int, Row]]) -> Row:
    """Windowed counts and trends."""
    row: dict[str, Any] = {}
    for feature, name in (("page_views", "page_view"), ("item_views", "view_item"), ("carts", "add_to_cart")):
        row |= {f"{feature}_{a}_{b}": count(past, a, b, name) for a, b in WINDOWS}
    row |= {f"checkouts_{a}_{b}": count(past, a, b, "begin_checkout") for a, b in ((1, 7), (8, 30))}
    row |= {f"events_{a}_{b}": count(past, a, b) for a, b in WINDOWS}
    row |= {f"sessions_{a}_{b}": len(sessions(past, a, b)) for a, b in WINDOWS}
    row["active_days_1_30"] = len({age for age, _ in past if age <= 30})
    for feature in ("sessions", "page_views"):
        before = row[f"{feature}_8_14"] + row[f"{feature}_15_30"]
        row[f"{feature}_trend"] = row[f"{feature}_1_7"] / (before / 23 * 7) if before else None
    return row


def count(past: list[tuple[int, Row]], first: int, last: int, name: str | None = None) -> int:
    """Events of a window, with that name if one is given."""
    return sum(1 for age, event in past if first <= age <= last and name in (None, event["event_name"]))


def sessions(past: list[tuple[int, Row]], first: int, last: int) -> dict[tuple[int, int], list[Row]]:
    """Events of a window by day and session id; those without an id are left out."""
    found: dict[tuple[int, int], list[Row]] = {}
    for age, event in past:
        session = parameter(event, "ga_session_id", "int_value")
        if first <= age <= last and session is not None:
            found.setdefault((age, session), []).append(event)
    return found


def purchase_features(purchases: list[tuple[int, Row]]) -> Row:
    """From the purchases that count."""
    within = [event for age, event in purchases if age <= 30]
    return {
        "purchases_1_30": len(within),
        "revenue_1_30": math.fsum(
            event["ecommerce"]["purchase_revenue"] or 0 for event in within if event["ecommerce"]
        ),
        "days_since_purchase": min((age for age, _ in purchases), default=None),
    }


def engagement(past: list[tuple[int, Row]]) -> Row:
    """Seconds of engagement."""
    milliseconds = [(age, parameter(event, "engagement_time_msec", "int_value") or 0) for age, event in past]
    return {
        f"engagement_s_{a}_{b}": sum(value for age, value in milliseconds if a <= age <= b) / 1000
        for a, b in ((1, 7), (8, 30))
    }


def recency(past: list[tuple[int, Row]], purchases: list[tuple[int, Row]], snapshot: datetime.date, zone: str) -> Row:
    """Days since things, and the number of the newest session."""
    touches = [event["user_first_touch_timestamp"] for _, event in past if event["user_first_touch_timestamp"]]
    since_touch = (snapshot - local_time(min(touches), zone).date()).days if touches else 0
    numbers = [parameter(event, "ga_session_number", "int_value") for _, event in past]
    return {
        "recency_days": min(age for age, _ in past),
        "days_since_cart": min((age for age, event in past if event["event_name"] == "add_to_cart"), default=None),
        "session_number_max": max((number for number in numbers if number is not None), default=None),
        "tenure_days": max(since_touch, *(age for age, _ in past)),
    }


def session_features(past: list[tuple[int, Row]]) -> Row:
    """Means over the sessions of the whole lookback, a session on two days being two."""
    all_sessions = list(sessions(past, 1, 10**6).values())
    if not all_sessions:
        names = ("events_per_session", "pages_per_session", "session_duration_s", "engaged_session_share")
        return dict.fromkeys(names)
    stamps = [[event["event_timestamp"] for event in session] for session in all_sessions]
    return {
        "events_per_session": mean(len(session) for session in all_sessions),
        "pages_per_session": mean(
            sum(event["event_name"] == "page_view" for event in session) for session in all_sessions
        ),
        "session_duration_s": mean(max(of_session) - min(of_session) for of_session in stamps) / 1e6,
        "engaged_session_share": mean(float(any(map(is_engaged, session))) for session in all_sessions),
    }


def time_features(past: list[tuple[int, Row]], zone: str) -> Row:
    """Hours are of event_timestamp in the property's zone, weekdays of event_date."""
    last = max(event["event_timestamp"] for _, event in past)
    return {
        "evening_share": mean(float(local_time(event["event_timestamp"], zone).hour >= 18) for _, event in past),
        "weekend_share": mean(float(day_of(event).isoweekday() in (6, 7)) for _, event in past),
        "last_hour": local_time(last, zone).hour,
    }


def categories(past: list[tuple[int, Row]]) -> Row:
    """The last value that is set."""
    stamped = [(event["event_timestamp"], event) for _, event in past]
    row = {
        name: last_of((stamp, at_path(event, path)) for stamp, event in stamped) for name, path in CATEGORIES.items()
    }
    for name, key in (("session_source", "source"), ("session_medium", "medium")):
        row[name] = last_of((stamp, parameter(event, key, "string_value")) for stamp, event in stamped)
    return row


def last_of(values: Iterable[tuple[int, str | None]]) -> str | None:
    """The last value that is neither None nor empty, given with its time; of several at one time, the greatest."""
    found = [(stamp, value) for stamp, value in values if value]
    return max(found)[1] if found else None


def first_arrivals(ordered: list[Row]) -> list[Row]:
    """Leaves out each purchase whose transaction id came before; ids that say nothing are never the same."""
    seen: set[str] = set()
    kept = []
    for event in ordered:
        transaction = at_path(event, ("ecommerce", "transaction_id"))
        if event["event_name"] == "purchase" and transaction not in UNKNOWN_TRANSACTIONS:
            if transaction in seen:
                continue
            seen.add(transaction)
        kept.append(event)
    return kept


def is_in(event: Row, events: list[Row]) -> bool:
    """Whether this very event is one of them."""
    return any(event is other for other in events)


def is_engaged(event: Row) -> bool:
    """Whether session_engaged is 1, as text or as a number."""
    return "1" in (
        parameter(event, "session_engaged", "string_value"),
        str(parameter(event, "session_engaged", "int_value")),
    )


def micros_of_revenue(event: Row) -> int:
    """Revenue in millionths; 0 if there is none."""
    return round((at_path(event, ("ecommerce", "purchase_revenue")) or 0) * 1e6)


def parameter(event: Row, key: str, field: str) -> Any:
    """One field of an event parameter, or None."""
    return next((item["value"].get(field) for item in event["event_params"] if item["key"] == key), None)


def at_path(row: Any, path: Sequence[str]) -> Any:
    """A nested field, or None where a record on the way is missing."""
    for name in path:
        row = row.get(name) if row is not None else None
    return row


def day_of(event: Row) -> datetime.date:
    """The day of an event is its event_date."""
    return datetime.datetime.strptime(event["event_date"], "%Y%m%d").date()


def age_of(event: Row, snapshot: datetime.date) -> int:
    """Days before the snapshot; 1 is the day before it."""
    return (snapshot - day_of(event)).days


def local_time(micros: int, zone: str) -> datetime.datetime:
    """What clocks of the zone show."""
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (epoch + datetime.timedelta(microseconds=micros)).astimezone(zoneinfo.ZoneInfo(zone))


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean."""
    listed = list(values)
    return math.fsum(listed) / len(listed)
