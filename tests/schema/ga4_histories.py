"""Random event histories that hold everything a real export may hold."""

import datetime
import random

from tests.schema.exports import Row
from tests.schema.ga4_events import event, micros

NAMES = ("page_view", "view_item", "add_to_cart", "begin_checkout", "purchase", "user_engagement", "scroll")
WEIGHTS = (40, 20, 10, 8, 8, 10, 4)
TRANSACTIONS = (None, "", "(not set)", "T1", "T2", "T3", "T4", "T5", "T6")


def histories(users: int, first: datetime.date, days: int, zone: str, seed: int) -> list[Row]:
    """Events of that many users, shuffled: few or many each, one a bot, and some without a user.

    Args:
        users: how many users.
        first: the first day.
        days: how many days.
        zone: the property's time zone, in which days begin.
        seed: the same seed gives the same events.
    """
    draw = random.Random(seed)
    events: list[Row] = []
    for number in range(users):
        user = f"{draw.randrange(10**9)}.{draw.randrange(10**9)}"
        n_sessions = 60 if number == 0 else draw.choice((1, 1, 2, 3, 5, 8, 20))
        for session in range(n_sessions):
            events += _session(draw, user, session + 1, first + datetime.timedelta(draw.randrange(days)), zone)
    events += [event(None, first + datetime.timedelta(day), session=1) for day in range(days)]
    # Sent again: the same row, or the same purchase in a later daily table.
    again = [dict(row) for row in events if row["event_name"] == "purchase" and draw.random() < 0.4]
    for row in again:
        if draw.random() < 0.6:
            later = _day(row) + datetime.timedelta(draw.choice((1, 1, 2, 8, 29, 31)))
            row["event_date"] = f"{min(later, first + datetime.timedelta(days - 1)):%Y%m%d}"
            row["event_timestamp"] += draw.choice((0, 86_400_000_000))
    draw.shuffle(events)
    return events + again


def _session(draw: random.Random, user: str, number: int, day: datetime.date, zone: str) -> list[Row]:
    """The events of one session; late ones bear the time of an earlier day, and consent may be missing."""
    late = draw.random() < 0.1
    at = f"{draw.randrange(24):02d}:{draw.randrange(60):02d}:{draw.randrange(60):02d}"
    start = micros(day - datetime.timedelta(draw.randrange(1, 4) if late else 0), at, zone)
    consent = draw.random() < 0.8
    session = draw.randrange(3) if draw.random() < 0.3 else draw.randrange(10**9)  # ids may come twice on a day
    return [
        event(
            user,
            day,
            draw.choices(NAMES, WEIGHTS)[0],
            timestamp=start + draw.choice((0, 0, 1, draw.randrange(3_600_000_000))),  # several at one instant
            first_touch=draw.choice((None, 0, start - draw.randrange(400) * 43_200_000_000)),
            session=session if consent else None,
            session_number=number if consent and draw.random() < 0.9 else None,
            engagement_ms=draw.choice((None, 0, draw.randrange(60_000))),
            engaged=draw.choice((None, "0", "1", 1, 0)),
            source=draw.choice((None, None, "", "mail", "google")),
            medium=draw.choice((None, None, "cpc", "email", "organic")),
            transaction=draw.choice(TRANSACTIONS),
            revenue=draw.choice((None, 0.0, round(draw.uniform(1, 500), 2), 1e-6 * draw.randrange(10**9))),
            device=draw.choice((None, "", "mobile", "desktop", "tablet")),
            os=draw.choice((None, "iOS", "Android")),
            browser=draw.choice((None, "Chrome", "Safari", "Fennec ü")),
            language=draw.choice((None, "en-us", "de")),
            country=draw.choice((None, "Côte d'Ivoire", "Germany", "日本")),
            region=draw.choice((None, "", "(not set)", "Hessen")),
            user_source=draw.choice((None, "google", "(direct)")),
            user_medium=draw.choice((None, "organic", "(none)")),
        )
        for _ in range(draw.choice((1, 1, 2, 4, 9)))
    ]


def _day(row: Row) -> datetime.date:
    return datetime.datetime.strptime(row["event_date"], "%Y%m%d").date()
