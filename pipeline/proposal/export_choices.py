"""Decides which tables of an export to read and which event to predict. Pure functions."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
from collections.abc import Iterable

from models.config import SettingsError
from pipeline.profiling.export_days import missing_between
from pipeline.profiling.export_profile import EventProfile, ExportDays, ExportProfile, Outcome, ZoneFit

#: Events that are a conversion by their name, the first that there is.
CONVERSIONS = (
    *("purchase", "in_app_purchase", "ecommerce_purchase", "subscribe", "app_store_subscription_convert"),
    *("sign_up", "generate_lead", "qualify_lead", "close_convert_lead", "form_submit", "tutorial_complete"),
    *("begin_checkout", "join_group", "first_open"),
)
_BOUGHT = CONVERSIONS[:3]
#: Events that Google Analytics counts by itself: they say that somebody was there, not what they wanted.
AUTOMATIC = frozenset(
    {
        *("session_start", "first_visit", "user_engagement", "page_view", "screen_view", "scroll", "click"),
        *("app_update", "app_remove", "os_update", "app_exception", "notification_receive", "notification_dismiss"),
        *("firebase_campaign", "view_search_results"),
    }
)
#: An event by name is taken only if the newest snapshot has this many positives for one of the horizons.
LEAST_POSITIVES = 20
#: An event that fewer of its users have on a second day happens once: users who have it are no candidates any more.
MOST_REPEATERS = 0.05
#: Days without a table in a row that end the history: what is older is another time.
LONGEST_GAP = 14
#: If more time zones than this fit, UTC among them, the events are too few hours of the day to tell the zone.
MOST_ZONES = 300
_SHOWN_ZONES = 3  # others that a reason names
_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Tables:
    """Which tables to read.

    Attributes:
        kind: source.tables.
        reason: why.
        missing: days without a table since the last long gap, ascending.
        first: the first day of the history that counts.
        last: the newest day.
    """

    kind: str
    reason: str
    missing: tuple[datetime.date, ...]
    first: datetime.date
    last: datetime.date


@dataclasses.dataclass(frozen=True)
class Conversion:
    """The event to predict: its facts, why, and who gets rows."""

    event: EventProfile
    reason: str
    eligibility: str
    eligibility_reason: str

    def outcome(self, horizon: int) -> tuple[int, int] | None:
        """Rows and positives of a snapshot, or None if there are too few days to tell."""
        outcome: Outcome | None = self.event.outcomes.get(horizon)
        if outcome is None:
            return None
        if self.eligibility == "all":
            return outcome.rows, outcome.positives
        return outcome.new_rows, outcome.new_positives


@dataclasses.dataclass(frozen=True)
class Zone:
    """The time zone, why, and whether the events leave no other."""

    name: str
    reason: str
    is_sure: bool


def choose_zone(fit: ZoneFit) -> Zone:
    """The commonest time zone that fits; UTC if the events do not tell."""
    if not fit.zones or ("UTC" in fit.zones and len(fit.zones) > MOST_ZONES):
        return Zone("UTC", "the events do not tell it, so set the property's", False)
    others = fit.zones[1 : 1 + _SHOWN_ZONES]
    more = len(fit.zones) - 1 - len(others)
    also = f"; so do {', '.join(others)}" + (f" and {more} more" if more > 0 else "") if others else ""
    where = "for all events" if fit.share == 1.0 else f"for {fit.share:.2%} of the events, the most of all zones"
    reason = f"event_date is the day of event_timestamp there {where}{also}"
    return Zone(fit.zones[0], reason, fit.share == 1.0 and not others)


def choose_tables(days: ExportDays) -> Tables:
    """Daily tables if they do; another kind where only it has the days."""
    daily = _recent(days.daily)
    kind, reason = "daily", "complete days"
    newer = {
        other: len([day for day in of if not days.daily or day > days.daily[-1]]) for other, of in days.others.items()
    }
    best = max(days.others, key=lambda other: len(_recent(days.of_kind(other))), default=None)
    if best:
        filled = [day for day in days.others[best] if daily and daily[0] <= day <= daily[-1]]
        if not daily or len(_recent(days.of_kind(best))) > 2 * len(daily) or newer[best] > LONGEST_GAP:
            kind, reason = best, f"most days have no daily table, only {days.prefix}{best}_YYYYMMDD"
        elif filled:
            kind, reason = best, f"{len(filled)} days have no daily table, only {days.prefix}{best}_YYYYMMDD"
        else:
            reason += f"; the {newer[best]} newer {best} tables still change"
    read = _recent(days.of_kind(kind))
    return Tables(kind, reason, missing_between(read), read[0], read[-1])


def choose_conversion(profile: ExportProfile, wish: str | None) -> Conversion | None:
    """The event to predict, or None if only a person can tell.

    Raises:
        SettingsError: the wish is no event of the export.
    """
    if wish is not None:
        event = profile.event(wish)
        if event is None:
            alike = [other for other in profile.events if other.name.casefold() == wish.strip().casefold()]
            event = alike[0] if len(alike) == 1 else None
        if event is None:
            raise SettingsError(_no_such_event(wish, profile))
        return _conversion(event, "as you asked")
    there = [event for name in CONVERSIONS if (event := profile.event(name))]
    fit = [event for event in there if _most_positives(event) >= LEAST_POSITIVES]
    for event in fit or there:
        others = [other.name for other in there if other is not event]
        reason = f"{event.users:,} users have it"
        return _conversion(event, reason + (f"; other conversions by name: {', '.join(others)}" if others else ""))
    return None


def could_be_conversions(profile: ExportProfile) -> list[EventProfile]:
    """Events that a person may want to predict, those of the most users first."""
    return [event for event in profile.events if event.name not in AUTOMATIC and _most_positives(event) > 0]


def _conversion(event: EventProfile, reason: str) -> Conversion:
    once = event.repeaters <= MOST_REPEATERS * event.users
    if event.name in _BOUGHT or not once or event.users < LEAST_POSITIVES:
        return Conversion(event, reason, "all", "users who have converted may convert again")
    return Conversion(
        event,
        reason,
        "never_converted",
        f"{event.repeaters:,} of {event.users:,} users have it on a second day: who has done it is no candidate",
    )


def _most_positives(event: EventProfile) -> int:
    return max((outcome.positives for outcome in event.outcomes.values()), default=event.users)


def _recent(days: Iterable[datetime.date]) -> list[datetime.date]:
    """The days since the last long gap, ascending."""
    found: list[datetime.date] = []
    for day in sorted(days, reverse=True):
        if found and (found[-1] - day).days > LONGEST_GAP + 1:
            break
        found.append(day)
    return found[::-1]


def _no_such_event(wish: str, profile: ExportProfile) -> str:
    names = [event.name for event in profile.events]
    near = difflib.get_close_matches(wish, names, n=1, cutoff=0.5)
    return (
        f"LABEL={wish}: {profile.source} has no event '{wish}' from {profile.first} to {profile.last}"
        + (f"; did you mean '{near[0]}'?" if near else ".")
        + f" The events are: {', '.join(' '.join(name.split()) for name in names)}"
    )
