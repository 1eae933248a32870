"""Finds the time zones in which the days of an export begin: an export has dates and instants, but no zone."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable

import numpy as np

from pipeline.profiling.export_profile import ZoneFit

#: Minutes of a bucket of instants. Every zone's offset from UTC has been a multiple of it for decades.
BUCKET_MINUTES = 15
#: The zones that messages prefer, of those that fit: those of many properties first.
COMMON_ZONES = (
    *("America/New_York", "America/Los_Angeles", "America/Chicago", "America/Denver", "America/Phoenix"),
    *("Europe/London", "Europe/Berlin", "Europe/Athens", "Europe/Moscow", "Europe/Istanbul", "UTC"),
    *("Asia/Tokyo", "Asia/Kolkata", "Asia/Shanghai", "Asia/Bangkok", "Asia/Dubai", "Asia/Jakarta", "Asia/Seoul"),
    *("America/Sao_Paulo", "America/Mexico_City", "America/Argentina/Buenos_Aires", "America/Bogota"),
    *("America/Santiago", "America/Halifax", "America/Toronto", "America/Anchorage", "Pacific/Honolulu"),
    *("Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Australia/Perth", "Pacific/Auckland"),
    *("Africa/Johannesburg", "Africa/Lagos", "Africa/Cairo", "Africa/Nairobi", "Asia/Karachi", "Asia/Dhaka"),
    *("Asia/Jerusalem", "Asia/Tehran", "Asia/Kathmandu", "Asia/Riyadh", "Asia/Singapore", "Asia/Manila"),
)
_EPOCH = datetime.date(1970, 1, 1)
_OLD_STYLE = ("Etc/", "SystemV/", "US/", "posix/", "right/")


def fit_zones(buckets: Iterable[tuple[str, int, int]]) -> ZoneFit:
    """Compares the days with the instants in each zone of the IANA database.

    Args:
        buckets: event_date as YYYYMMDD, instants in whole buckets of BUCKET_MINUTES since 1970, events.

    Returns:
        The zones with the largest share of events whose day is event_date: zones of COMMON_ZONES first, then by name.
    """
    rows = list(buckets)
    if not rows:
        return ZoneFit((), 0.0)
    days = np.array([(datetime.datetime.strptime(day, "%Y%m%d").date() - _EPOCH).days for day, _, _ in rows])
    instants = np.array([bucket for _, bucket, _ in rows], dtype=np.int64)
    events = np.array([n for _, _, n in rows], dtype=np.int64)
    distinct, place = np.unique(instants, return_inverse=True)
    shares: dict[bytes, float] = {}  # many zones have had the same offsets
    fitting: dict[float, list[str]] = {}
    for name in sorted(zoneinfo.available_timezones()):
        if name == "localtime" or name.startswith(_OLD_STYLE) or ("/" not in name and name != "UTC"):
            continue
        offsets = _offsets(zoneinfo.ZoneInfo(name), distinct)
        key = offsets.tobytes()
        if key not in shares:
            agrees = (instants + offsets[place]) // (24 * 60 // BUCKET_MINUTES) == days
            shares[key] = float(events[agrees].sum() / events.sum())
        fitting.setdefault(shares[key], []).append(name)
    best = max(fitting)
    order = {name: number for number, name in enumerate(COMMON_ZONES)}
    return ZoneFit(tuple(sorted(fitting[best], key=lambda name: (order.get(name, len(order)), name))), best)


def _offsets(zone: zoneinfo.ZoneInfo, buckets: np.ndarray) -> np.ndarray:
    """The zone's offset from UTC at each bucket's begin, in buckets; `buckets` ascend."""
    found = np.empty(len(buckets), dtype=np.int64)

    def fill(begin: int, end: int) -> None:
        """Offsets of buckets[begin:end]; halves until the two ends agree and are less than a month apart."""
        first, last = _offset(zone, int(buckets[begin])), _offset(zone, int(buckets[end - 1]))
        if first == last and buckets[end - 1] - buckets[begin] < 28 * 24 * 60 // BUCKET_MINUTES:
            found[begin:end] = first
        elif end - begin <= 2:
            found[begin], found[end - 1] = first, last
        else:
            middle = (begin + end) // 2
            fill(begin, middle)
            fill(middle, end)

    fill(0, len(buckets))
    return found


def _offset(zone: zoneinfo.ZoneInfo, bucket: int) -> int:
    instant = datetime.datetime.fromtimestamp(bucket * BUCKET_MINUTES * 60, tz=zone)
    return int(instant.utcoffset().total_seconds()) // (BUCKET_MINUTES * 60)
