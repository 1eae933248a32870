import datetime
import zoneinfo

import pytest

from pipeline.profiling.time_zones import BUCKET_MINUTES, fit_zones

SECONDS = BUCKET_MINUTES * 60


def buckets(zone, first, days, hours=range(24)):
    """Every quarter of these hours, with the day that clocks of the zone show."""
    tz = zoneinfo.ZoneInfo(zone)
    begin = int(datetime.datetime.combine(first, datetime.time(), tz).timestamp()) // SECONDS
    found = []
    for bucket in range(begin, begin + days * 24 * 3600 // SECONDS):
        local = datetime.datetime.fromtimestamp(bucket * SECONDS, tz)
        if local.hour in hours:
            found.append((f"{local:%Y%m%d}", bucket, 2))
    return found


@pytest.mark.parametrize(
    ("zone", "other"),
    [
        ("Europe/Berlin", "Europe/London"),
        ("America/New_York", "America/Chicago"),
        ("Asia/Kolkata", "Asia/Karachi"),
        ("Australia/Adelaide", "Australia/Sydney"),
        ("UTC", "Europe/London"),
        ("Pacific/Auckland", "Pacific/Fiji"),
    ],
)
def test_the_zone_is_found_across_a_change_to_summer_time(zone, other):
    fit = fit_zones(buckets(zone, datetime.date(2024, 3, 1), 50))
    assert fit.zones[0] == zone and fit.share == 1.0
    assert other not in fit.zones


def test_days_on_one_side_of_the_change_leave_several_zones_and_the_common_one_comes_first():
    winter = fit_zones(buckets("America/Los_Angeles", datetime.date(2024, 1, 10), 20))
    assert winter.zones[0] == "America/Los_Angeles"
    summer = fit_zones(buckets("America/Phoenix", datetime.date(2024, 6, 1), 20))
    assert {"America/Phoenix", "America/Los_Angeles"} <= set(summer.zones)
    both = fit_zones(buckets("America/Phoenix", datetime.date(2024, 2, 1), 60))
    assert both.zones[0] == "America/Phoenix" and "America/Los_Angeles" not in both.zones


def test_quiet_nights_leave_the_zones_beside():
    fit = fit_zones(buckets("Europe/Berlin", datetime.date(2024, 3, 1), 50, hours=range(7, 22)))
    assert {"Europe/London", "Europe/Berlin", "Europe/Athens"} <= set(fit.zones)


def test_a_few_events_of_other_days_do_not_hide_the_zone():
    rows = buckets("Asia/Tokyo", datetime.date(2024, 3, 1), 30)
    late = [("20240301", bucket + 5000, 1) for _, bucket, _ in rows[:20]]
    fit = fit_zones([*rows, *late])
    assert "Asia/Tokyo" in fit.zones
    assert fit.share == pytest.approx(2 * len(rows) / (2 * len(rows) + 20))


def test_no_events_fit_no_zone():
    assert fit_zones([]).zones == ()
