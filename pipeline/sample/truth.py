"""Draws the sample's purchases with probabilities that the query's features determine.

Snapshots are as far apart as the label's horizon is long, so label windows tile time. For each snapshot in order, the
counts that the query sees in the lookback give the probability p of each user. The label is drawn with p, and purchases
are placed in that label window only. Browsing does not depend on purchases. So, given everything before a snapshot, the
probability of its label is exactly p, and no model can know more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.sample.calendar import SampleParameters
from pipeline.sample.users import (
    BUYING,
    DEVICES,
    MISSING,
    RELOADING,
    SESSION,
    SOURCE_SHARES,
    SOURCES,
    Users,
    new_sessions,
    without_clashes,
)

RECENT_DAYS = 7
BASE_LOG_ODDS = -4.0
UNKNOWN = -1  # label of a snapshot whose window is not over


@dataclass(frozen=True)
class Drawn:
    """Probabilities and labels drawn for one snapshot.

    Attributes:
        snapshot_day: epoch day of the snapshot.
        user: int64 [rows], users with an event in the lookback.
        probability: float64 [rows].
        label: int64 [rows], 0 or 1, or UNKNOWN.
    """

    snapshot_day: int
    user: np.ndarray
    probability: np.ndarray
    label: np.ndarray


def log_odds(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Log-odds of a purchase in the label window.

    Args:
        features: arrays [rows] by name, as the query of `schema/ga4` has them: counts over 1-7 days, `recency_days`,
            `device_category` and `source` (strings, "" where missing), and over the whole lookback `sessions_1_30`,
            `carts_1_30` and `purchases_1_30`.

    Returns:
        float64 [rows].
    """
    sessions, views = features["sessions_1_7"], features["item_views_1_7"]
    carts, checkouts = features["carts_1_7"], features["checkouts_1_7"]
    sessions_30, carts_30, purchases = features["sessions_1_30"], features["carts_1_30"], features["purchases_1_30"]
    recency, source = features["recency_days"], features["source"]
    at_desk = features["device_category"] != "mobile"

    # What adds up, with saturation.
    odds = BASE_LOG_ODDS + 0.3 * np.log1p(np.minimum(sessions, 10)) + 0.3 * np.log1p(np.minimum(sessions_30, 20))
    odds += 0.4 * np.log1p(views) + 0.3 * np.minimum(carts, 3) - 0.05 * np.minimum(recency, 30)
    odds += 0.5 * (source == "newsletter")
    # What depends on something else: carts mean more at a desk, purchases bring back who is still around and keep away
    # who is not, bots do not buy. (Purchases put items into carts too: larger weights than these feed on themselves.)
    odds += np.where(at_desk, 0.7, -0.5) * np.minimum(carts_30, 3)
    odds += 1.2 * (at_desk & (carts > 0) & (checkouts == 0))
    odds += np.where(recency <= RECENT_DAYS, 0.8, -1.2) * np.log1p(np.minimum(purchases, 4))
    odds -= 2.0 * ((sessions_30 >= 20) & (views == 0))
    return odds


def probability(features: Mapping[str, np.ndarray]) -> np.ndarray:
    """Probability of a purchase in the label window, float64 [rows]; features as in `log_odds`."""
    return 1.0 / (1.0 + np.exp(-log_odds(features)))


def draw_purchases(
    parameters: SampleParameters, users: Users, browsing: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, list[Drawn]]:
    """Draws labels snapshot by snapshot and places the purchases.

    Args:
        parameters: of the sample.
        users: their traits.
        browsing: SESSION records, sorted by day.
        rng: draws everything.

    Returns:
        SESSION records of the purchases, and what was drawn at each snapshot whose lookback lies in the tables' days
        and is settled.
    """
    bought, drawn, transactions = np.zeros(0, SESSION), [], 0
    first = parameters.warm_up_day + 1
    for snapshot in parameters.grid(first, parameters.end_day - parameters.gap_days):
        oldest = snapshot - parameters.lookback_days
        begin, end = np.searchsorted(browsing["day"], (oldest, snapshot))
        window = np.concatenate([browsing[begin:end], _between(bought, oldest, snapshot)])
        features = visible_features(window, users, snapshot)
        seen = np.flatnonzero(features["recency_days"] <= parameters.lookback_days)
        p = probability({name: values[seen] for name, values in features.items()})
        label = (rng.random(len(seen)) < p).astype(np.int64)
        block = range(snapshot + parameters.gap_days, snapshot + parameters.gap_days + parameters.horizon_days)
        new = _buy(seen[label == 1], block, transactions, rng)
        transactions += len(new)
        bought = np.concatenate([bought, _between(new, block.start, parameters.end_day + 1)])
        if oldest >= parameters.first_day and snapshot <= parameters.settled_day + 1:
            known = block[-1] <= parameters.settled_day
            drawn.append(Drawn(snapshot, seen, p, label if known else np.full_like(label, UNKNOWN)))
    return bought, drawn


def visible_features(window: np.ndarray, users: Users, snapshot: int) -> dict[str, np.ndarray]:
    """Features of `log_odds`, for all users, as the query sees them in the sessions of the lookback.

    `recency_days` is huge for users without a session.
    """
    count = len(users.first_day)
    recent = window[window["day"] >= snapshot - RECENT_DAYS]

    def per_user(sessions: np.ndarray, name: str) -> np.ndarray:
        return np.bincount(sessions["user"], weights=sessions[name], minlength=count)

    last_day = np.full(count, -(2**31))
    np.maximum.at(last_day, window["user"], window["day"])
    with_transaction = window[window["transaction"] != MISSING]
    _, first_events = np.unique(with_transaction["transaction"], return_index=True)  # some arrive twice
    return {
        "sessions_1_7": per_user(recent, "has_id"),
        "item_views_1_7": per_user(recent, "item_views"),
        "carts_1_7": per_user(recent, "carts"),
        "checkouts_1_7": per_user(recent, "checkouts"),
        "sessions_1_30": per_user(window, "has_id"),
        "carts_1_30": per_user(window, "carts"),
        "purchases_1_30": np.bincount(with_transaction["user"][first_events], minlength=count).astype(np.float64),
        "recency_days": (snapshot - last_day).astype(np.float64),
        "device_category": np.array([*DEVICES, ""])[users.device],
        "source": np.array([*SOURCES, ""])[users.source],
    }


def _buy(user: np.ndarray, block: range, first_transaction: int, rng: np.random.Generator) -> np.ndarray:
    """Purchase sessions of users within the days of a label window, at least one for each of them."""
    user = np.repeat(user, 1 + rng.poisson(0.12, len(user)))
    count = len(user)
    sessions = new_sessions(user, rng.integers(block.start, block.stop, count), BUYING, rng)
    sessions["source"] = rng.choice(len(SOURCES), count, p=SOURCE_SHARES)
    sessions["page_views"] = 3 + rng.poisson(2.0, count)
    sessions["scrolls"] = rng.binomial(sessions["page_views"], 0.35)
    sessions["item_views"] = 1 + rng.poisson(0.8, count)
    sessions["carts"] = 1 + rng.poisson(0.3, count)
    sessions["checkouts"] = 1
    sessions["purchases"] = 1 + (rng.random(count) < 0.04)  # the page is sent twice
    sessions["transaction"] = first_transaction + np.arange(count)
    # The page is opened again the next day. Not beyond the block: its label alone knows of this purchase.
    again = (rng.random(count) < 0.03) & (sessions["day"] + 1 < block.stop)
    reloads = new_sessions(user[again], sessions["day"][again] + 1, RELOADING, rng)
    reloads["source"] = SOURCES.index("(direct)")
    reloads["page_views"] = reloads["purchases"] = 1
    reloads["transaction"] = sessions["transaction"][again]
    return without_clashes(np.concatenate([sessions, reloads]))


def _between(sessions: np.ndarray, first: int, stop: int) -> np.ndarray:
    return sessions[(sessions["day"] >= first) & (sessions["day"] < stop)]
