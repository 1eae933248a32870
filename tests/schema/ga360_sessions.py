"""Sessions of a Google Analytics 360 export as Python rows."""

import datetime
from collections.abc import Sequence

import pyarrow as pa

from tests.schema.exports import Row
from tests.schema.ga4_events import micros


def _texts(*names: str) -> pa.DataType:
    return pa.struct([(name, pa.string()) for name in names])


_HIT = pa.struct(
    [
        ("hitNumber", pa.int64()),
        ("type", pa.string()),
        ("page", _texts("pagePath", "pageTitle")),
        ("eCommerceAction", _texts("action_type")),
    ]
)
_TOTALS = ("visits", "hits", "pageviews", "timeOnSite", "bounces", "transactions", "transactionRevenue", "newVisits")
# Of Google's documented schema the columns that the query reads, and some more.
GA360_SCHEMA = pa.schema(
    [
        ("visitorId", pa.int64()),
        ("visitNumber", pa.int64()),
        ("visitId", pa.int64()),
        ("visitStartTime", pa.int64()),
        ("date", pa.string()),
        ("totals", pa.struct([(name, pa.int64()) for name in _TOTALS])),
        ("trafficSource", _texts("campaign", "source", "medium")),
        ("device", _texts("browser", "operatingSystem", "deviceCategory", "language")),
        ("geoNetwork", _texts("continent", "country", "region", "metro", "city")),
        ("hits", pa.list_(pa.field("element", _HIT))),
        ("fullVisitorId", pa.string()),
        ("channelGrouping", pa.string()),
    ]
)


def session(
    visitor: str | None,
    day: datetime.date,
    *,
    at: str = "12:00:00",
    zone: str = "UTC",
    start: int | None = None,
    number: int | None = 1,
    visits: int | None = 1,
    hits: int | None = 1,
    page_views: int | None = 1,
    seconds: int | None = None,
    bounces: int | None = None,
    new: int | None = None,
    transactions: int | None = None,
    revenue: float | None = None,
    actions: Sequence[str | None] = (),
    device: str | None = None,
    os: str | None = None,
    browser: str | None = None,
    language: str | None = None,
    country: str | None = None,
    region: str | None = None,
    source: str | None = None,
    medium: str | None = None,
    channel: str | None = None,
) -> Row:
    """One session.

    Args:
        visitor: fullVisitorId.
        day: date, which is also the daily table's.
        at: time of day at which it starts, in `zone`.
        zone: a time zone.
        start: visitStartTime in seconds, instead of `day` and `at`.
        number: visitNumber.
        visits: totals.visits, and so on up to newVisits (`new`); None where the export has NULL.
        hits: totals.hits.
        page_views: totals.pageviews.
        seconds: totals.timeOnSite.
        bounces: totals.bounces.
        new: totals.newVisits.
        transactions: totals.transactions.
        revenue: totals.transactionRevenue, in units of the currency.
        actions: eCommerceAction.action_type of the session's hits; None for a hit without one.
        device: device.deviceCategory, and so on for the others.
        os: device.operatingSystem.
        browser: device.browser.
        language: device.language.
        country: geoNetwork.country.
        region: geoNetwork.region.
        source: trafficSource.source.
        medium: trafficSource.medium.
        channel: channelGrouping.
    """
    started = micros(day, at, zone) // 1_000_000 if start is None else start
    return {
        "fullVisitorId": visitor,
        "visitNumber": number,
        "visitId": started,
        "visitStartTime": started,
        "date": f"{day:%Y%m%d}",
        "totals": {
            "visits": visits,
            "hits": hits,
            "pageviews": page_views,
            "timeOnSite": seconds,
            "bounces": bounces,
            "newVisits": new,
            "transactions": transactions,
            "transactionRevenue": None if revenue is None else round(revenue * 1_000_000),
        },
        "trafficSource": {"source": source, "medium": medium},
        "device": {"browser": browser, "operatingSystem": os, "deviceCategory": device, "language": language},
        "geoNetwork": {"country": country, "region": region},
        "hits": [
            {"hitNumber": n, "type": "PAGE", "eCommerceAction": action and {"action_type": action}}
            for n, action in enumerate(actions, start=1)
        ],
        "channelGrouping": channel,
    }
