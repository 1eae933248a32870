"""The lists that init shows of an export: events with base rates, and parameters with the line that makes a feature."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from pipeline.listing import listed
from pipeline.profiling.export_profile import HORIZONS, EventProfile, ExportProfile, ParameterProfile
from pipeline.proposal.export_query import Candidate, is_number

#: The most events and parameters that a list shows.
MOST_SHOWN = 40
_LONGEST = 32  # characters of a name or a value
_VALUES = 5  # of a parameter


def event_lines(profile: ExportProfile) -> list[str]:
    """The events, those of the most users first, with base rate and positives for each horizon."""
    horizons = [horizon for horizon in HORIZONS if horizon in profile.snapshots]
    head = ["event", "users", "share", *(f"{horizon} days" for horizon in horizons)]
    rows = [head, *([event.name, *_figures(event, profile)] for event in profile.events[:MOST_SHOWN])]
    lines = [f"Events from {profile.first} to {profile.last}: {profile.n_events:,}, by {profile.users:,} users."]
    if profile.without_key:
        lines[0] += f" {profile.without_key:,} of the events have no user_pseudo_id and belong to no row."
    if horizons:
        dates = ", ".join(f"{horizon} days {profile.snapshots[horizon]}" for horizon in horizons)
        lines.append(
            f"For each horizon: of the users with an event in the {profile.lookback_days} days before the newest "
            f"snapshot, the share who have this event in the label window, and their number. Snapshots: {dates}."
        )
    lines += ["", *_table(rows)]
    if len(profile.events) > MOST_SHOWN:
        lines.append(f"and {len(profile.events) - MOST_SHOWN} rarer events")
    return lines


def parameter_lines(profile: ExportProfile, candidates: Sequence[Candidate]) -> list[str]:
    """The parameters with their share and values, and for each that would make a feature its line of SQL."""
    of_parameters = [candidate for candidate in candidates if candidate.parameter]
    useful = [candidate for candidate in of_parameters if candidate.line]
    lines = [f"Parameters of the newest {profile.parameter_days} days ({profile.parameter_events:,} events)."]
    if not of_parameters:
        lines.append("No event carries one.")
    if useful:
        lines.append(
            "Each line makes a feature. It stands in query.sql as a comment, and its declaration in features.yaml: "
            "remove the comment marks in both files, and type make schema."
        )
    for candidate in useful[:MOST_SHOWN]:
        lines += ["", *candidate_lines(candidate, profile, with_declaration=False)]
    unfit = [candidate for candidate in of_parameters if not candidate.line]
    if unfit:
        lines += ["", "Parameters that make no feature:"]
        lines += [f"  {_short(item.parameter.key)}: {item.reason}" for item in unfit[:MOST_SHOWN] if item.parameter]
        lines += [f"  and {len(unfit) - MOST_SHOWN} more"] if len(unfit) > MOST_SHOWN else []
    events = [candidate for candidate in candidates if candidate.event and candidate.line]
    if events:
        lines += ["", "Events that no feature counts yet:"]
        lines += [f"  {candidate.line.sql}" for candidate in events if candidate.line]
    return lines


def candidate_lines(candidate: Candidate, profile: ExportProfile, with_declaration: bool = True) -> list[str]:
    """What a parameter or event is, and the lines of query.sql and features.yaml that make a feature of it."""
    if candidate.parameter:
        lines = [f"{_short(candidate.parameter.key)}: {described(candidate.parameter, profile)}"]
    else:
        lines = [_short(candidate.event.name) if candidate.event else ""]
    if candidate.line is None:
        return [f"{lines[0]}; {candidate.reason}"]
    return [*lines, f"  {candidate.line.sql}", *([f"  {candidate.line.declaration}"] if with_declaration else [])]


def described(parameter: ParameterProfile, profile: ExportProfile) -> str:
    """How often a parameter is filled, where it stands, and its values unless they may identify somebody."""
    share = parameter.with_value / profile.parameter_events if profile.parameter_events else 0.0
    names = list(parameter.names)
    where = listed([_short(name) for name in names], 3)
    text = f"filled in {share:.1%} of the events ({where}); {parameter.distinct:,} values"
    if is_number(parameter):
        return f"{text}, numbers"
    if parameter.is_personal or not parameter.values:
        return text
    shown = ", ".join(f"{_short(value.value)}" for value in parameter.values[:_VALUES])
    return f"{text}: {shown}{', ...' if parameter.distinct > _VALUES else ''}"


def table_of_events(events: Iterable[EventProfile], profile: ExportProfile) -> list[str]:
    """A table of some events with base rate and positives for each horizon."""
    horizons = [horizon for horizon in HORIZONS if horizon in profile.snapshots]
    rows = [["event", "users", "share", *(f"{horizon} days" for horizon in horizons)]]
    return _table([*rows, *([event.name, *_figures(event, profile)] for event in events)])


def _figures(event: EventProfile, profile: ExportProfile) -> list[str]:
    cells = [f"{event.users:,}", f"{event.users / profile.users:.1%}" if profile.users else ""]
    for horizon in HORIZONS:
        if horizon in profile.snapshots:
            outcome = event.outcomes[horizon]
            cells.append(f"{outcome.base_rate:.2%} ({outcome.positives:,})")
    return cells


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under each other: the first to the left, the others to the right."""
    cells = [[_short(row[0]), *row[1:]] for row in rows]
    widths = [max(_width(row[place]) for row in cells) for place in range(len(cells[0]))]
    return [
        "  ".join(
            cell + " " * (width - _width(cell)) if place == 0 else " " * (width - _width(cell)) + cell
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _width(text: str) -> int:
    """Columns of a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 3] + "..."
