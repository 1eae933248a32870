"""The visitors of the sample's shop: users with fixed traits, and their sessions without purchases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.sample.calendar import SampleParameters

MISSING = -1  # code of a category that is NULL in the export

DEVICES = ("mobile", "desktop", "tablet")
SYSTEMS = ("Android", "iOS", "Windows", "Macintosh", "Linux")
BROWSERS = ("Chrome", "Safari", "Edge", "Firefox", "Samsung Internet")
LANGUAGES = ("en-us", "en-gb", "de", "fr", "es-es", "ja", "pt-br")
COUNTRIES = ("United States", "United Kingdom", "Germany", "France", "Spain", "Japan", "India", "Canada", "Brazil")
REGIONS_PER_COUNTRY = 6
SOURCES = ("google", "(direct)", "facebook.com", "newsletter", "bing", "google", "partner.example")
MEDIUMS = ("organic", "(none)", "referral", "email", "organic", "cpc", "affiliate")
SOURCE_SHARES = (0.36, 0.24, 0.11, 0.08, 0.06, 0.10, 0.05)
DIRECT = SOURCES.index("(direct)")

OLDEST_USER_DAYS = 120  # a user's first visit is at most so many days before the first simulated day
RETURNS_PER_USER = 4.0
MOST_RETURNS = 300
BOT_SHARE = 0.002
WEEKDAY_FACTORS = np.array([1.0, 0.97, 0.95, 0.93, 0.9, 0.72, 0.8])  # Monday to Sunday
SEASON_PEAK = 335  # day of the year: early December
LATEST_START = 82_000  # second of the day; the shortest local day has 82,800
SECOND_CLASSES = 3  # kinds of session; see `new_sessions`
BROWSING, BUYING, RELOADING = range(SECOND_CLASSES)

SESSION = np.dtype(
    [
        ("user", np.int32),
        ("day", np.int32),  # epoch day, local
        ("second", np.int32),  # of the local day
        ("has_id", np.bool_),  # False: the export has no ga_session_id
        ("source", np.int8),  # of this session; the user's first source is a trait
        ("page_views", np.int16),
        ("scrolls", np.int16),
        ("item_views", np.int16),
        ("carts", np.int16),
        ("checkouts", np.int16),
        ("purchases", np.int16),  # purchase events; 2 when one arrives twice
        ("transaction", np.int32),  # MISSING where nothing is bought
    ]
)


@dataclass(frozen=True)
class Users:
    """Traits of the users, arrays of length [users]; categories are codes into the tuples above, or MISSING.

    Attributes:
        first_day: epoch day of the first visit.
        earlier_sessions: sessions before the simulated days.
        interest: standard normal, clipped; the higher it is, the more pages and items a session has.
        is_bot: whether the user is a bot: many sessions of one page.
        has_consent: whether the user's events have a user_pseudo_id.
        is_logged_in: whether the user's events have a user_id.
        device, system, browser, language, country, region, source: categories.
    """

    first_day: np.ndarray
    earlier_sessions: np.ndarray
    interest: np.ndarray
    is_bot: np.ndarray
    has_consent: np.ndarray
    is_logged_in: np.ndarray
    device: np.ndarray
    system: np.ndarray
    browser: np.ndarray
    language: np.ndarray
    country: np.ndarray
    region: np.ndarray
    source: np.ndarray


def draw_users_and_sessions(parameters: SampleParameters, rng: np.random.Generator) -> tuple[Users, np.ndarray]:
    """Draws the users and their browsing sessions on the simulated days.

    Returns:
        The users, and SESSION records sorted by day. A user's sessions never begin in the same second.
    """
    users = parameters.users
    first_day = rng.integers(parameters.warm_up_day - OLDEST_USER_DAYS, parameters.end_day + 1, users)
    is_bot = rng.random(users) < BOT_SHARE
    device = rng.choice(3, users, p=[0.56, 0.38, 0.06])
    device[is_bot] = DEVICES.index("desktop")
    source = rng.choice(len(SOURCES), users, p=SOURCE_SHARES)
    user, day = _visits(first_day, is_bot, parameters, rng)
    simulated = day >= parameters.warm_up_day
    traits = Users(
        first_day=first_day,
        earlier_sessions=np.bincount(user[~simulated], minlength=users),
        interest=np.clip(rng.normal(size=users), -2.5, 2.5),
        is_bot=is_bot,
        has_consent=rng.random(users) >= 0.05,
        is_logged_in=rng.random(users) < 0.12,
        device=_with_missing(device, 0.02, rng),
        system=np.where(device == 1, rng.integers(2, 5, users), rng.integers(0, 2, users)),
        browser=_with_missing(rng.choice(len(BROWSERS), users, p=[0.55, 0.27, 0.07, 0.07, 0.04]), 0.01, rng),
        language=_with_missing(rng.choice(7, users, p=[0.5, 0.1, 0.1, 0.1, 0.08, 0.06, 0.06]), 0.04, rng),
        country=_with_missing(
            rng.choice(len(COUNTRIES), users, p=[0.42, 0.1, 0.09, 0.07, 0.06, 0.06, 0.08, 0.07, 0.05]), 0.03, rng
        ),
        region=rng.integers(0, REGIONS_PER_COUNTRY, users),
        source=_with_missing(source, 0.04, rng),
    )
    sessions = _browse(user[simulated], day[simulated], source, traits, rng)
    return traits, without_clashes(sessions[np.argsort(sessions["day"], kind="stable")])


def _visits(
    first_day: np.ndarray, is_bot: np.ndarray, parameters: SampleParameters, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """User and epoch day of each visit up to the newest table, including visits before the simulated days."""
    users = len(first_day)
    rate = np.exp(rng.normal(0.0, 1.2, users) - 1.2**2 / 2)  # a few users make most of the visits
    returns = np.minimum(rng.poisson(RETURNS_PER_USER * rate), MOST_RETURNS)
    returns[is_bot] = 60 + rng.poisson(150, is_bot.sum())
    user = np.repeat(np.arange(users), 1 + returns)
    visit = np.arange(len(user)) - np.repeat(np.cumsum(1 + returns) - (1 + returns), 1 + returns)
    # Half of the returns gather around a burst of interest, so recency predicts; the others spread over months.
    burst = (first_day + rng.exponential(12.0, users))[user] + np.abs(rng.normal(0.0, 3.0, len(user)))
    spread = first_day[user] + rng.exponential(40.0, len(user))
    day = np.where(rng.random(len(user)) < 0.5, burst, spread).astype(np.int64)
    day = np.where(is_bot[user], first_day[user] + 3 * (visit // 15), day)  # bots: 15 sessions every third day
    day[visit == 0] = first_day
    kept = (visit == 0) | is_bot[user] | (rng.random(len(user)) < activity(day))
    kept &= day <= parameters.end_day
    return user[kept], day[kept]


def activity(day: np.ndarray) -> np.ndarray:
    """Share of the drawn visits that happen on epoch days: by weekday, and by season with a peak before Christmas."""
    season = 0.9 + 0.1 * np.cos(2 * np.pi * (np.asarray(day) % 365.25 - SEASON_PEAK) / 365.25)
    return WEEKDAY_FACTORS[(np.asarray(day) + 3) % 7] * season  # 1970-01-01 was a Thursday


def _browse(
    user: np.ndarray, day: np.ndarray, first_source: np.ndarray, traits: Users, rng: np.random.Generator
) -> np.ndarray:
    """The browsing sessions with their counts of events."""
    count = len(user)
    interest = traits.interest[user]
    sessions = new_sessions(user, day, BROWSING, rng)
    page_views = 1 + rng.poisson(np.exp(0.4 + 0.3 * interest))
    page_views[traits.is_bot[user]] = 1
    item_views = rng.binomial(page_views, np.where(traits.is_bot[user], 0.0, 0.42))
    carts = rng.binomial(item_views, np.clip(0.09 * np.exp(0.5 * interest), 0.0, 0.8))
    other = rng.choice(len(SOURCES), count, p=SOURCE_SHARES)
    sessions["source"] = np.where(rng.random(count) < 0.6, first_source[user], other)
    sessions["page_views"] = page_views
    sessions["scrolls"] = rng.binomial(page_views, 0.35)
    sessions["item_views"] = item_views
    sessions["carts"] = carts
    sessions["checkouts"] = (carts > 0) & (rng.random(count) < 0.35)
    return sessions


def new_sessions(user: np.ndarray, day: np.ndarray, kind: int, rng: np.random.Generator) -> np.ndarray:
    """SESSION records at a random time of their day, with all counts 0."""
    count = len(user)
    sessions = np.zeros(count, SESSION)
    sessions["user"], sessions["day"] = user, day
    hour = np.where(rng.random(count) < 0.6, rng.normal(12.5, 3.0, count), rng.normal(20.0, 1.8, count))
    second = (hour * 3600).astype(np.int32) % (LATEST_START - SECOND_CLASSES)
    # Sessions of different kinds begin in different seconds, so their ids differ.
    sessions["second"] = second - second % SECOND_CLASSES + kind
    sessions["has_id"] = rng.random(count) >= 0.03
    sessions["transaction"] = MISSING
    return sessions


def without_clashes(sessions: np.ndarray) -> np.ndarray:
    """Drops sessions that begin in the same second as another one of the same user: they would share an id."""
    key = (sessions["user"].astype(np.int64) << 34) | (sessions["day"].astype(np.int64) << 17) | sessions["second"]
    _, kept = np.unique(key, return_index=True)
    return sessions[np.sort(kept)]


def _with_missing(codes: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(len(codes)) < share, MISSING, codes)
