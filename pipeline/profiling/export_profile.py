"""What is known of an export in daily tables before it has a data set folder: facts only, no decisions."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from pipeline.profiling.profile import Frequency

#: The horizons for which a profile has base rates, in days.
HORIZONS = (7, 14, 30)


@dataclasses.dataclass(frozen=True)
class ExportDays:
    """The daily tables of an export.

    Attributes:
        prefix: what their names begin with: `events_` or `ga_sessions_`.
        daily: days that have a daily table, ascending.
        others: days that have a table of another kind (`intraday`, `fresh`) and no daily one, by kind; ascending.
        unknown: names, after the prefix, that are not those of an export's tables.
    """

    prefix: str
    daily: tuple[datetime.date, ...]
    others: Mapping[str, tuple[datetime.date, ...]]
    unknown: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> tuple[datetime.date, ...]:
        """Days that have a table if `source.tables` is this kind, ascending."""
        return tuple(sorted({*self.daily, *self.others.get(kind, ())}))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one snapshot would give with one event as the conversion.

    Attributes:
        rows: users with an event in the lookback.
        positives: those of them who convert in the label window.
        new_rows: users with an event in the lookback, but no conversion in it.
        new_positives: those of them who convert in the label window.
    """

    rows: int
    positives: int
    new_rows: int
    new_positives: int

    @property
    def base_rate(self) -> float:
        """The share of the positives."""
        return self.positives / self.rows if self.rows else 0.0


@dataclasses.dataclass(frozen=True)
class EventProfile:
    """One event.

    Attributes:
        name: its name.
        events: how often it occurs in the days that were read.
        users: users who have it.
        repeaters: users who have it on more than one day.
        outcomes: by horizon in days, of the newest snapshot whose labels are known. A horizon for which there are too
            few days is not there.
    """

    name: str
    events: int
    users: int
    repeaters: int
    outcomes: Mapping[int, Outcome]


@dataclasses.dataclass(frozen=True)
class ParameterProfile:
    """One key of event_params or user_properties.

    Attributes:
        column: `event_params` or `user_properties`.
        key: the key.
        events: events that carry it.
        names: names of the events that carry it, with their number; the most frequent first.
        filled: by value field (`string_value`, `int_value`, `double_value`, `float_value`), events with a value there.
        numeric_text: events whose string_value reads as a number.
        distinct: distinct values.
        values: the most frequent values that at least two users have. Not yet fit to be shown: see is_personal.
        is_personal: whether its name or its values look like those of an identifier, or of a person.
    """

    column: str
    key: str
    events: int
    names: Mapping[str, int]
    filled: Mapping[str, int]
    numeric_text: int
    distinct: int
    values: tuple[Frequency, ...]
    is_personal: bool

    @property
    def with_value(self) -> int:
        """Events with a value, in whichever field."""
        return sum(self.filled.values())


@dataclasses.dataclass(frozen=True)
class ZoneFit:
    """How the export's days fit the time zones.

    Attributes:
        zones: names of the IANA database for which most events have the day that event_date says.
        share: the share of the events for which it does.
    """

    zones: tuple[str, ...]
    share: float


@dataclasses.dataclass(frozen=True)
class FeatureFill:
    """The rows that a data set's query gives for some snapshots, and which features have a value there.

    Attributes:
        rows: its rows.
        positives: rows with label 1.
        filled: by feature, rows with a value; a number of 0 is none.
    """

    rows: int
    positives: int
    filled: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class ExportProfile:
    """An export.

    Attributes:
        source: how messages name it.
        days: its tables.
        first: the first day that was read for `events`.
        last: the last day that was read for `events`.
        lookback_days: the lookback of the outcomes.
        snapshots: by horizon in days, the snapshot of the outcomes.
        n_events: events in those days.
        users: users in those days.
        without_key: events without a user; they are not counted in `events`.
        events: by users, the most frequent first.
        zone: how the days fit the time zones.
        parameters: by column and events, the most frequent first.
        parameter_days: newest days that were read for `parameters`.
        parameter_events: events in those days.
        bytes_read: bytes that profiling read on BigQuery; None where the engine cannot tell.
        notes: what could not be found out, and why.
    """

    source: str
    days: ExportDays
    first: datetime.date
    last: datetime.date
    lookback_days: int
    snapshots: Mapping[int, datetime.date]
    n_events: int
    users: int
    without_key: int
    events: tuple[EventProfile, ...]
    zone: ZoneFit
    parameters: tuple[ParameterProfile, ...]
    parameter_days: int
    parameter_events: int
    bytes_read: int | None = None
    notes: tuple[str, ...] = ()

    def event(self, name: str) -> EventProfile | None:
        """The event of this name, or None."""
        return next((event for event in self.events if event.name == name), None)
