import datetime

import pytest

from models.config import SettingsError
from pipeline.profiling.export_profile import EventProfile, ExportDays, ExportProfile, Outcome, ZoneFit
from pipeline.proposal.export_choices import choose_conversion, choose_tables, choose_zone, could_be_conversions

DAY = datetime.timedelta(days=1)
FIRST = datetime.date(2024, 1, 1)


def event(name, users=500, repeaters=100, positives=50):
    return EventProfile(name, users * 2, users, repeaters, {7: Outcome(1000, positives, 900, positives)})


def profile(*events):
    days = ExportDays("events_", (FIRST,), {})
    return ExportProfile("shop", days, FIRST, FIRST, 30, {7: FIRST}, 1, 1000, 0, events, ZoneFit((), 0), (), 0, 0)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("page_view"), event("sign_up"), event("purchase")], "purchase"),
        ([event("page_view"), event("begin_checkout"), event("generate_lead")], "generate_lead"),
        ([event("sign_up"), event("purchase", positives=3)], "sign_up"),  # purchases are too few to learn from
        ([event("purchase", positives=3)], "purchase"),
        ([event("page_view"), event("quote_sent")], None),
    ],
)
def test_the_conversion_is_known_by_its_name(events, expected):
    found = choose_conversion(profile(*events), None)
    assert (found.event.name if found else None) == expected


def test_other_conversions_are_named():
    found = choose_conversion(profile(event("purchase"), event("sign_up"), event("scroll")), None)
    assert found.reason == "500 users have it; other conversions by name: sign_up"


def test_what_happens_once_is_predicted_for_those_who_have_not_done_it():
    once = choose_conversion(profile(event("sign_up", repeaters=10)), None)
    assert once.eligibility == "never_converted" and "10 of 500 users" in once.eligibility_reason
    assert choose_conversion(profile(event("sign_up", repeaters=100)), None).eligibility == "all"
    assert choose_conversion(profile(event("purchase", repeaters=10)), None).eligibility == "all"
    outcome = EventProfile("sign_up", 1, 500, 0, {7: Outcome(1000, 60, 900, 50)})
    assert choose_conversion(profile(outcome), None).outcome(7) == (900, 50)


def test_a_wish_counts_and_a_wrong_one_is_named():
    known = profile(event("purchase"), event("sign_up"))
    assert choose_conversion(known, "sign_up").event.name == "sign_up"
    assert choose_conversion(known, "Sign_Up ").event.name == "sign_up"
    with pytest.raises(
        SettingsError, match=r"LABEL=purchases: shop has no event .* did you mean 'purchase'\? The events"
    ):
        choose_conversion(known, "purchases")


def test_automatic_events_and_those_that_nobody_has_later_are_no_candidates():
    events = [event("page_view"), event("quote"), event("first_open", positives=0)]
    assert [found.name for found in could_be_conversions(profile(*events))] == ["quote"]


def days(*offsets):
    return tuple(FIRST + offset * DAY for offset in offsets)


def test_daily_tables_and_newer_streamed_ones():
    tables = choose_tables(ExportDays("events_", days(*range(30)), {"intraday": days(30, 31)}))
    assert (tables.kind, tables.missing) == ("daily", ())
    assert tables.reason == "complete days; the 2 newer intraday tables still change"


def test_streamed_tables_where_days_have_no_daily_one():
    gap = ExportDays("events_", days(*range(10), *range(12, 30)), {"intraday": days(10, 11)})
    tables = choose_tables(gap)
    assert (tables.kind, tables.missing) == ("intraday", ())
    assert tables.reason == "2 days have no daily table, only events_intraday_YYYYMMDD"
    assert choose_tables(ExportDays("events_", (), {"fresh": days(*range(30))})).kind == "fresh"
    stopped = ExportDays("events_", days(*range(60)), {"intraday": days(*range(60, 90))})
    assert choose_tables(stopped).kind == "intraday"


def test_missing_days_count_since_the_last_long_gap():
    tables = choose_tables(ExportDays("events_", days(0, 1, *range(50, 60), *range(63, 80)), {}))
    assert tables.missing == days(60, 61, 62)
    assert (tables.first, tables.last) == (FIRST + 50 * DAY, FIRST + 79 * DAY)


def test_the_zone_says_which_others_fit():
    one = choose_zone(ZoneFit(("Europe/Berlin",), 1.0))
    assert one.is_sure and one.reason == "event_date is the day of event_timestamp there for all events"
    several = choose_zone(ZoneFit(("Asia/Tokyo", "Asia/Seoul", "Asia/Chita", "Asia/Dili", "Asia/Jayapura"), 1.0))
    assert several.name == "Asia/Tokyo" and not several.is_sure
    assert several.reason.endswith("for all events; so do Asia/Seoul, Asia/Chita, Asia/Dili and 1 more")
    late = choose_zone(ZoneFit(("Europe/Berlin",), 0.99876))
    assert not late.is_sure and "for 99.88% of the events, the most of all zones" in late.reason


def test_events_at_few_hours_tell_no_zone():
    assert choose_zone(ZoneFit((), 0.0)).name == "UTC"
    many = choose_zone(ZoneFit(("America/New_York", "UTC", *(f"Zone/{n}" for n in range(400))), 1.0))
    assert many.name == "UTC" and not many.is_sure and "do not tell" in many.reason
