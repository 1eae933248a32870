"""The events of one day of the sample as plain arrays: their types, order, times and items."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from pipeline.sample.users import MISSING

EVENT_NAMES = (
    "session_start",
    "first_visit",
    "page_view",
    "scroll",
    "user_engagement",
    "view_item",
    "add_to_cart",
    "begin_checkout",
    "purchase",
)
SESSION_START, FIRST_VISIT, PAGE_VIEW, SCROLL, ENGAGEMENT, VIEW_ITEM, ADD_TO_CART, CHECKOUT, PURCHASE = range(9)
# Where events of each type lie within a session: the earliest place, and the range after it (any unit).
EARLIEST = np.array([0.0, 0.1, 0.3, 0.5, 2.0, 1.0, 3.0, 9.0, 10.0])
SPREAD = np.array([0.0, 0.0, 6.0, 6.0, 9.0, 6.0, 5.0, 0.5, 0.5])
FIRST_PAGE_POSITION = 0.2
PAUSE_SECONDS = 25.0
MICROS = 1_000_000

PRODUCTS = 400
MOST_ITEMS = 3
NO_ITEMS, ONE_ITEM, SEVERAL_ITEMS = range(3)
ITEMS_OF_EVENT = np.array([NO_ITEMS] * 5 + [ONE_ITEM, ONE_ITEM, SEVERAL_ITEMS, SEVERAL_ITEMS])


@dataclass(frozen=True)
class DayEvents:
    """Events in session order, arrays [events]; sessions are positions in the day's SESSION records.

    Attributes:
        session: int64, the event's session.
        name: int8, code into EVENT_NAMES.
        position: int64, 0 for a session's first event.
        is_entrance: bool, whether it is the first page view of its session.
        micros: int64, microseconds since the session began.
        pause_ms: int64, milliseconds since the previous event.
    """

    session: np.ndarray
    name: np.ndarray
    position: np.ndarray
    is_entrance: np.ndarray
    micros: np.ndarray
    pause_ms: np.ndarray


@dataclass(frozen=True)
class DayItems:
    """Items of all events of a day.

    Attributes:
        offsets: int64 [events + 1], where each event's items begin.
        product: int64 [items].
        price: float64 [items].
        quantity: int64 [items].
        revenue: float64 [events], the sum of price x quantity over the event's items.
    """

    offsets: np.ndarray
    product: np.ndarray
    price: np.ndarray
    quantity: np.ndarray
    revenue: np.ndarray


def draw_events(
    sessions: np.ndarray, is_first: np.ndarray, seconds_left: np.ndarray, rng: np.random.Generator
) -> DayEvents:
    """Draws the order and time of a day's events.

    Args:
        sessions: SESSION records of the day.
        is_first: bool [sessions], whether it is the user's first session ever.
        seconds_left: int64 [sessions], seconds from the session's start to the end of the day. All its events fit in.
        rng: draws order and pauses.
    """
    count = len(sessions)
    counts = np.zeros((count, len(EVENT_NAMES)), np.int64)
    counts[:, SESSION_START] = 1
    counts[:, FIRST_VISIT] = is_first
    counts[:, ENGAGEMENT] = is_engaged(sessions)
    for name, field in (
        (PAGE_VIEW, "page_views"),
        (SCROLL, "scrolls"),
        (VIEW_ITEM, "item_views"),
        (ADD_TO_CART, "carts"),
        (CHECKOUT, "checkouts"),
        (PURCHASE, "purchases"),
    ):
        counts[:, name] = sessions[field]
    name = np.repeat(np.tile(np.arange(len(EVENT_NAMES), dtype=np.int8), count), counts.ravel())
    per_session = counts.sum(axis=1)
    session = np.repeat(np.arange(count), per_session)
    total = len(name)

    is_new_type = np.r_[True, (name[1:] != name[:-1]) | (session[1:] != session[:-1])][:total]
    is_entrance = is_new_type & (name == PAGE_VIEW)
    place = np.where(is_entrance, FIRST_PAGE_POSITION, EARLIEST[name] + SPREAD[name] * rng.random(total))
    order = np.argsort(session * 16 + place, kind="stable")
    name, is_entrance, place = name[order], is_entrance[order], place[order]

    begin = (np.cumsum(per_session) - per_session)[session]
    position = np.arange(total) - begin
    pause = np.where(place <= FIRST_PAGE_POSITION, 0, rng.exponential(PAUSE_SECONDS * MICROS, total)).astype(np.int64)
    elapsed = np.cumsum(pause)
    elapsed -= elapsed[begin]  # no pause before a session's first event
    longest = np.zeros(count, np.int64)
    np.maximum.at(longest, session, elapsed)
    room = seconds_left * MICROS - 1000  # events of a session are at least one microsecond apart
    shrink = np.minimum(1.0, room / np.maximum(longest, 1))[session]
    micros = (elapsed * shrink).astype(np.int64) + position
    return DayEvents(session, name, position, is_entrance, micros, (pause * shrink).astype(np.int64) // 1000)


def is_engaged(sessions: np.ndarray) -> np.ndarray:
    """Whether GA4 counts the sessions as engaged, bool [sessions]: more than one page view, or a purchase."""
    return (sessions["page_views"] > 1) | (sessions["purchases"] > 0)


def draw_items(name: np.ndarray, transaction: np.ndarray, rng: np.random.Generator) -> DayItems:
    """Draws the items of events. A purchase's items depend on its transaction alone, so repeated events have the same.

    Args:
        name: int8 [events], codes into EVENT_NAMES.
        transaction: int64 [events], MISSING where nothing is bought.
        rng: draws the items of all other events.
    """
    kind = ITEMS_OF_EVENT[name]
    bought = transaction != MISSING
    several = np.where(bought, 1 + scramble(transaction) % MOST_ITEMS, rng.integers(1, MOST_ITEMS + 1, len(name)))
    items = np.where(kind == SEVERAL_ITEMS, several, kind)
    offsets = np.r_[0, np.cumsum(items)]
    event = np.repeat(np.arange(len(name)), items)
    slot = np.arange(len(event)) - offsets[event]
    ordered = scramble(transaction[event] * MOST_ITEMS + slot + PRODUCTS) % PRODUCTS
    product = np.where(bought[event], ordered, rng.integers(0, PRODUCTS, len(event)))
    price = product_prices()[product]
    quantity = 1 + (product % 7 == 0)
    revenue = np.bincount(event, weights=price * quantity, minlength=len(name))
    return DayItems(offsets, product, price, quantity.astype(np.int64), np.round(revenue, 2))


def scramble(value: np.ndarray) -> np.ndarray:
    """Non-negative pseudo-random int64 numbers that depend on the int64 `value` alone (SplitMix64's finaliser)."""
    mixed = np.asarray(value).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(1)).astype(np.int64)


@functools.lru_cache(maxsize=1)
def product_prices() -> np.ndarray:
    """Price of each product, float64 [PRODUCTS]."""
    return np.round(np.exp(2.5 + 2.0 * (scramble(np.arange(PRODUCTS)) % 1000) / 1000), 2)
