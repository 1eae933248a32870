"""Chooses the date of a row: the day from which on the label was not yet known. Other dates become ages on that day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.profiling.profile import Association, ColumnProfile, TableProfile
from pipeline.proposal.conversion import Readings
from pipeline.proposal.leaks import leak_reason
from pipeline.proposal.words import (
    AFTERWARDS_WORDS,
    BIRTH_WORDS,
    DATE_WORDS,
    OUTCOME_WORDS,
    SNAPSHOT_WORDS,
    START_WORDS,
    has_word,
    words,
)

#: A date that is missing in a larger share of the rows is not proposed as the date of a row.
MOST_MISSING_DATES = 0.01
#: Years beyond which the span of a date with an unknown name reads as birthdays rather than as rows over time.
LONGEST_SPAN_YEARS = 20
#: Distinct days that a date needs to be proposed, unless the key asks for one.
LEAST_DAYS = 10
SNAPSHOT, START, UNKNOWN, UNFIT = 3, 2, 1, 0


def rank(column: ColumnProfile) -> int:
    """How much the name of a date speaks for a day at which the row was looked at."""
    own = set(words(column.name))
    if has_word(column.name, BIRTH_WORDS) or own & AFTERWARDS_WORDS:
        return UNFIT
    if own <= DATE_WORDS or has_word(column.name, SNAPSHOT_WORDS - DATE_WORDS):
        return SNAPSHOT
    if has_word(column.name, OUTCOME_WORDS):
        return UNFIT
    return START if has_word(column.name, START_WORDS) else UNKNOWN


def date_candidates(
    profile: TableProfile, readings: Readings, associations: Mapping[str, Association], base_rate: float
) -> list[ColumnProfile]:
    """The columns that could be the date of a row, the likeliest first."""
    found = []
    for column in profile.columns:
        if not readings.is_date(column) or column.dates is None or rank(column) == UNFIT:
            continue
        if profile.rows - column.filled > MOST_MISSING_DATES * profile.rows or readings.of(column).rival:
            continue
        years = (column.dates.last - column.dates.first).days / 365
        if rank(column) == UNKNOWN and years > LONGEST_SPAN_YEARS:
            continue
        if leak_reason(column, associations.get(column.name), base_rate):
            continue
        found.append(column)
    return sorted(
        found, key=lambda column: (-rank(column), -column.dates.last.toordinal(), -column.dates.first.toordinal())
    )


def in_order_of_time(candidates: Sequence[ColumnProfile]) -> ColumnProfile | None:
    """The date by which to tell older rows from newer ones, or None if there is none with enough days."""
    return next((column for column in candidates if column.dates and column.dates.distinct >= LEAST_DAYS), None)


def age_name(name: str) -> str:
    """The name of the feature that a date becomes: `signup_date` is `days_since_signup`."""
    base = name
    for end in ("_date", "_day", "_at", "_on", "_time", "_timestamp", "Date", "At"):
        if base.endswith(end) and len(base) > len(end):
            base = base[: -len(end)]
            break
    return f"days_since_{base}"


def reason(chosen: ColumnProfile, candidates: Sequence[ColumnProfile]) -> str:
    """Why this date."""
    others = [column.name for column in candidates if column is not chosen]
    time = "the newest rows are the test"
    if not others:
        return f"the only date that may be the row's own; {time}"
    return f"the likeliest day of the row (others: {', '.join(others[:3])}); {time}"


def none_reason(profile: TableProfile, readings: Readings, candidates: Sequence[ColumnProfile]) -> str:
    """Why no date."""
    if candidates:
        return f"{candidates[0].name} has fewer than {LEAST_DAYS} days"
    found = [column for column in profile.columns if readings.is_date(column)]
    for column in found:
        reading = readings.of(column)
        if reading.form and reading.rival and rank(column) != UNFIT:
            both = f"{reading.form.value} and as {reading.rival.value}"
            return f"{column.name} reads as {both}; DATE={column.name} takes the first"
    if not found:
        return "the table has none"
    return "the dates in the table tell what came before or after, not when a row was looked at; DATE= names one"
