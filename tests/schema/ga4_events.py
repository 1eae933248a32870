"""Events of a Google Analytics 4 export as Python rows."""

import datetime
import zoneinfo
from typing import Any

import pyarrow as pa

from pipeline.sample.schema import export_schema
from tests.schema.exports import Row

# Of Google's documented schema the columns that the query reads: the others cost time in every test.
GA4_SCHEMA = pa.schema(
    export_schema().field(name)
    for name in (
        "event_date",
        "event_timestamp",
        "event_name",
        "event_params",
        "user_pseudo_id",
        "user_first_touch_timestamp",
        "device",
        "geo",
        "traffic_source",
        "ecommerce",
    )
)

NAMES_OF_PARAMETERS = {
    "session": "ga_session_id",
    "session_number": "ga_session_number",
    "engagement_ms": "engagement_time_msec",
    "engaged": "session_engaged",
    "source": "source",
    "medium": "medium",
}


def micros(day: datetime.date, at: str = "12:00:00", zone: str = "UTC") -> int:
    """The instant at which clocks of the zone show that time, in microseconds since 1970."""
    local = datetime.datetime.combine(day, datetime.time.fromisoformat(at), zoneinfo.ZoneInfo(zone))
    return (local - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


def event(
    user: str | None,
    day: datetime.date,
    name: str = "page_view",
    *,
    at: str = "12:00:00",
    zone: str = "UTC",
    timestamp: int | None = None,
    first_touch: int | None = None,
    transaction: str | None = None,
    revenue: float | None = None,
    device: str | None = None,
    os: str | None = None,
    browser: str | None = None,
    language: str | None = None,
    country: str | None = None,
    region: str | None = None,
    user_source: str | None = None,
    user_medium: str | None = None,
    **parameters: Any,
) -> Row:
    """One event.

    Args:
        user: user_pseudo_id.
        day: event_date, which is also the daily table's.
        name: event_name.
        at: time of day of event_timestamp, in `zone`.
        zone: a time zone.
        timestamp: event_timestamp, instead of `day` and `at`.
        first_touch: user_first_touch_timestamp.
        transaction: ecommerce.transaction_id.
        revenue: ecommerce.purchase_revenue.
        device: device.category, and so on for the others.
        os: device.operating_system.
        browser: device.web_info.browser.
        language: device.language.
        country: geo.country.
        region: geo.region.
        user_source: traffic_source.source, the user's first.
        user_medium: traffic_source.medium.
        **parameters: session, session_number, engagement_ms, engaged, source, medium: event parameters.
    """
    return {
        "event_date": f"{day:%Y%m%d}",
        "event_timestamp": micros(day, at, zone) if timestamp is None else timestamp,
        "event_name": name,
        # A parameter that the query does not know comes first: keys are looked up, not counted.
        "event_params": [_parameter("page_title", "A page")]
        + [_parameter(NAMES_OF_PARAMETERS[key], value) for key, value in parameters.items() if value is not None],
        "user_pseudo_id": user,
        "user_first_touch_timestamp": first_touch,
        "device": {
            "category": device,
            "operating_system": os,
            "language": language,
            "web_info": None if browser is None else {"browser": browser},
        },
        "geo": {"country": country, "region": region},
        "traffic_source": {"source": user_source, "medium": user_medium},
        "ecommerce": None
        if transaction is None and revenue is None
        else {"transaction_id": transaction, "purchase_revenue": revenue},
    }


def _parameter(key: str, value: str | int) -> Row:
    field = "int_value" if isinstance(value, int) else "string_value"
    return {"key": key, "value": {field: value}}
