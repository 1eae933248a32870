"""Renders the profile of an export: its events, its parameters, and what was decided. Imports no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pipeline.profiling.export_profile import EventProfile, ExportProfile
from pipeline.report import formats
from pipeline.report.profile_page import Decision
from pipeline.report.templates import render

#: Events that the page of an export lists, those of the most users first.
SHOWN_EVENTS = 100


@dataclasses.dataclass(frozen=True)
class Offer:
    """A parameter or an event beside the feature that it would make.

    Attributes:
        name: its name.
        holds: how often it is filled, and with what; no value that may identify somebody.
        sql: its line in query.sql; empty if it makes no feature.
        declaration: its line in features.yaml.
        reason: why it makes no feature.
    """

    name: str
    holds: str = ""
    sql: str = ""
    declaration: str = ""
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class ExportPage:
    """All that the page shows.

    Attributes:
        dataset: the name of the data set.
        profile: the facts.
        conversion: the event to predict.
        decisions: what was decided, the most important first.
        attention: sentences about what a person should look at first.
        offers: parameters and events that could become features.
        next_command: what to type next.
        made_at: when, as text.
    """

    dataset: str
    profile: ExportProfile
    conversion: str
    decisions: Sequence[Decision]
    attention: Sequence[str]
    offers: Sequence[Offer]
    next_command: str
    made_at: str = ""


def render_export(page: ExportPage) -> str:
    """The page of an export's profile: one self-contained HTML page, without scripts. All text is escaped."""
    profile = page.profile
    return render(
        "export_profile.html.j2",
        page=page,
        n_events=formats.count(profile.n_events),
        users=formats.count(profile.users),
        without_key=formats.count(profile.without_key) if profile.without_key else "",
        bytes_read=formats.gib(profile.bytes_read),
        horizons=[{"days": days, "snapshot": snapshot} for days, snapshot in profile.snapshots.items()],
        events=[_event(event, page) for event in profile.events[:SHOWN_EVENTS]],
        rarer=max(0, len(profile.events) - SHOWN_EVENTS),
        unfit=[offer for offer in page.offers if not offer.sql],
    )


def _event(event: EventProfile, page: ExportPage) -> dict[str, Any]:
    outcomes = [event.outcomes[horizon] for horizon in page.profile.snapshots]
    return {
        "name": event.name,
        "is_chosen": event.name == page.conversion,
        "users": formats.count(event.users),
        "share": formats.percent(event.users / page.profile.users) if page.profile.users else formats.NOTHING,
        "outcomes": [
            {"rate": formats.percent(outcome.base_rate, 2), "positives": formats.count(outcome.positives)}
            for outcome in outcomes
        ],
    }
