"""What `make init` shows of a proposal for an export: on the terminal, and on the page of the profile."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence

from pipeline.profiling.export_profile import ExportProfile
from pipeline.proposal import export_lists
from pipeline.proposal.export_choices import Conversion, Tables
from pipeline.proposal.export_query import Candidate
from pipeline.proposal.export_schedule import Schedule
from pipeline.proposal.wording import many, wrapped
from pipeline.report.export_page import ExportPage, Offer
from pipeline.report.profile_page import Decision
from pipeline.settings.source import EventSource


def decisions(
    schedule: Schedule,
    conversion: Conversion,
    tables: Tables,
    zone_reason: str,
    left_out: Mapping[str, Sequence[str]],
) -> tuple[Decision, ...]:
    """What was decided, the most important first.

    Args:
        schedule: windows and snapshots.
        conversion: what to predict.
        tables: which tables to read.
        zone_reason: why this time zone.
        left_out: features that are left out, by reason.
    """
    dataset, reasons = schedule.dataset, schedule.reasons
    source, windows, snapshots = dataset.source, dataset.windows, dataset.snapshots
    assert isinstance(source, EventSource)
    who = "all users" if source.eligibility == "all" else "users who have not converted"
    found = [
        Decision("Conversion", source.conversion_event, conversion.reason),
        Decision("Rows", who, conversion.eligibility_reason),
        Decision("Horizon", many(windows.horizon_days, "day"), reasons["horizon_days"]),
        Decision("Lookback", many(windows.lookback_days, "day"), reasons["lookback_days"]),
        Decision("Gap", many(windows.gap_days, "day"), reasons["gap_days"]),
        Decision("Test", many(snapshots.test, "snapshot"), reasons["test"]),
        Decision("Train", many(snapshots.train, "snapshot"), reasons["train"]),
        Decision(
            "Snapshots",
            "every day" if snapshots.every_days == 1 else f"every {snapshots.every_days} days",
            reasons["every_days"],
        ),
        Decision("Time zone", source.time_zone, zone_reason),
        Decision("Tables", source.tables, tables.reason),
    ]
    if source.missing_days:
        found.append(Decision("Missing days", f"{len(source.missing_days)}", "the export has no table of these days"))
    found += [Decision("Left out", many(len(names), "feature"), reason) for reason, names in left_out.items()]
    return tuple(found)


def lines(found: Sequence[Decision]) -> Iterator[str]:
    """The decisions as lines on the terminal."""
    for decision in found:
        yield from wrapped(f"  {decision.what:<16} ", f"{decision.choice}; {decision.reason}")


def page(
    name: str,
    profile: ExportProfile,
    found: Sequence[Decision],
    attention: Sequence[str],
    offered: Sequence[Candidate],
    next_command: str,
) -> ExportPage:
    """The page of the profile."""
    return ExportPage(
        dataset=name,
        profile=profile,
        conversion=found[0].choice,
        decisions=found,
        attention=[f"{sentence.removesuffix('.')}." for sentence in attention],
        offers=[_offer(candidate, profile) for candidate in offered],
        next_command=next_command,
        made_at=f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
    )


def _offer(candidate: Candidate, profile: ExportProfile) -> Offer:
    line = candidate.line
    if candidate.parameter:
        name, holds = candidate.parameter.key, export_lists.described(candidate.parameter, profile)
    else:
        name, holds = (candidate.event.name if candidate.event else ""), "an event that no feature counts"
    return Offer(name, holds, line.sql if line else "", line.declaration if line else "", candidate.reason)
