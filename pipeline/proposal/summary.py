"""What `make init` shows of a proposal: on the terminal, and on the page of the profile."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence

from pipeline.profiling.profile import TableProfile
from pipeline.proposal.choices import Choice, Use
from pipeline.proposal.proposal import Proposal
from pipeline.proposal.wording import many, wrapped
from pipeline.report import formats
from pipeline.report.profile_page import LEFT_OUT, ColumnNote, Decision, ProfilePage

_LISTED = 12  # names of columns in a line of the terminal


def decisions(proposal: Proposal) -> list[Decision]:
    """What was decided, the most important first."""
    label, division = proposal.label, proposal.split
    key, date = proposal.the(Use.KEY), proposal.the(Use.DATE)
    test = f"test from {division.test_from}" if division.test_from else f"{division.test_percent} % test"
    numbers = sum(choice.use is Use.NUMBER for choice in proposal.learned)
    categories = len(proposal.learned) - numbers
    sliced = [choice.column.name for choice in proposal.learned if choice.is_slice]
    found = [
        Decision("Label", f"{label.column.name}: {label.counted()}", label.why_positive),
        Decision("Key", key.column.name if key else "none", proposal.key_reason),
        Decision("Date", date.column.name if date else "none", proposal.date_reason),
        Decision("Split", f"{test}, {division.eval_percent} % eval", division.test_reason),
        Decision("Features", f"{many(numbers, 'number')} and {many(categories, 'category')}", "see features.yaml"),
        Decision(
            "Slices",
            ", ".join(sliced) or "none",
            "few values, each with enough rows and positives"
            if sliced
            else "no category has few values, each with enough rows and positives",
        ),
        Decision(
            "Operating share",
            f"{proposal.operating_share:.0%}",
            f"about as many rows as positives ({label.base_rate:.1%})",
        ),
    ]
    if proposal.missing_texts:
        texts = ", ".join(repr(text) for text in proposal.missing_texts)
        rows = "; ".join(proposal.missing_texts.values())
        found.append(Decision("Missing", texts, f"as an empty field: {rows}"))
    return found


def lines(proposal: Proposal) -> Iterator[str]:
    """The lines on the terminal, from what was read to what to look at first."""
    profile = proposal.profile
    yield f"It has {profile.rows:,} rows and {len(profile.columns):,} columns{_read(profile)}."
    yield ""
    for decision in decisions(proposal):
        reason = f"; {decision.reason}" if decision.what != "Features" else ""
        yield from wrapped(f"  {decision.what:<16} ", f"{decision.choice}{reason}")
    left_out = proposal.left_out
    for place, choice in enumerate(left_out[:_LISTED]):
        what = "" if place else "Left out"
        yield from wrapped(f"  {what:<16} ", f"{choice.column.name}: {choice.reason}")
    if len(left_out) > _LISTED:
        yield f"  {'':<16} and {len(left_out) - _LISTED} more, each with its reason in the files"
    yield ""


def look_first(attention: Sequence[str]) -> Iterator[str]:
    """What to look at first, as lines on the terminal."""
    if not attention:
        yield "Look at first: nothing was left open. Read the reasons in dataset.yaml and features.yaml."
        return
    yield "Look at first:"
    for number, sentence in enumerate(attention[:_LISTED], start=1):
        yield from wrapped(f"  {number}. ", f"{sentence.removesuffix('.')}.")
    if len(attention) > _LISTED:
        yield f"  and {len(attention) - _LISTED} more on the page of the profile"


def page(proposal: Proposal, next_command: str) -> ProfilePage:
    """The page of the profile."""
    return ProfilePage(
        dataset=proposal.name,
        profile=_without_private_values(proposal),
        notes={choice.column.name: _note(choice) for choice in proposal.choices},
        decisions=decisions(proposal),
        next_command=next_command,
        attention=[f"{sentence}." for sentence in proposal.attention],
        associations=proposal.associations,
        positives=proposal.label.positives,
        days=proposal.days,
        made_at=f"{datetime.datetime.now():%Y-%m-%d %H:%M}",
    )


def _without_private_values(proposal: Proposal) -> TableProfile:
    columns = [
        dataclasses.replace(column, values=(), numbers=None) if column.name in proposal.private else column
        for column in proposal.profile.columns
    ]
    return dataclasses.replace(proposal.profile, columns=tuple(columns))


def _note(choice: Choice) -> ColumnNote:
    is_left_out = choice.use is Use.UNUSED or choice.is_left_out
    renamed = choice.name if choice.name and choice.name != choice.column.name else None
    return ColumnNote(LEFT_OUT if is_left_out else choice.use.value, choice.reason, renamed)


def _read(profile: TableProfile) -> str:
    return f", {formats.gib(profile.bytes_read)} read" if profile.bytes_read is not None else ""
