"""Chooses the snapshot dates for training and testing, and the daily tables that they need. No engine is involved."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from models.config import SettingsError
from pipeline.listing import listed
from pipeline.settings.dataset import Dataset, EventSource, Snapshots, Windows
from pipeline.warehouse.interface import WarehouseError

_TABLE = re.compile(r"(?:(?P<kind>intraday|fresh)_)?(?P<date>[0-9]{8})")
_NAMED = 5  # tables that a message names; it counts the others
#: Start of the snapshot grid in days after 1970-01-01: Monday, 5 January 1970.
_MONDAY = 4
_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class SnapshotPlan:
    """The snapshots and tables of one run.

    Attributes:
        as_of: the newest day whose events are settled.
        train_dates: snapshot dates of the train and eval splits, ascending.
        test_dates: snapshot dates of the test split, ascending and later than train_dates.
        table_suffixes: the tables to read, one per day, by the part of their names after the prefix; ascending.
    """

    as_of: datetime.date
    train_dates: tuple[datetime.date, ...]
    test_dates: tuple[datetime.date, ...]
    table_suffixes: tuple[str, ...]

    @property
    def snapshot_dates(self) -> tuple[datetime.date, ...]:
        """All snapshot dates, ascending."""
        return (*self.train_dates, *self.test_dates)

    @property
    def first_suffix(self) -> str:
        """The smallest table suffix."""
        return self.table_suffixes[0]

    @property
    def last_suffix(self) -> str:
        """The greatest table suffix."""
        return self.table_suffixes[-1]


def plan_snapshots(source_tables: Iterable[str], dataset: Dataset, today: datetime.date) -> SnapshotPlan:
    """Chooses the snapshot dates and the tables that they need.

    Args:
        source_tables: names of the source's tables after the prefix (Warehouse.source_tables).
        dataset: its source is events.
        today: the date in the property's time zone.

    Raises:
        SettingsError: explicit dates overlap, are unsorted or are not settled; `as_of` is not settled.
        WarehouseError: there is no table, days are missing, or there are too few days.
    """
    windows, snapshots = dataset.windows, dataset.snapshots
    names = list(source_tables)
    source, tables = tables_of(names, dataset)
    as_of = newest_settled(max(tables), today, windows, snapshots)
    if snapshots.train_dates:
        train, test = snapshots.train_dates, snapshots.test_dates
    else:
        train, test = _grid_dates(as_of, windows, snapshots)
    _check_dates(train, test, as_of, windows)
    suffixes = _suffixes((*train, *test), tables, names, source, windows)
    return SnapshotPlan(as_of, tuple(train), tuple(test), suffixes)


def newest_snapshot(source_tables: Iterable[str], dataset: Dataset, today: datetime.date) -> SnapshotPlan:
    """The newest snapshot whose labels are known, and the tables that it needs; a plan with one test date.

    Args:
        source_tables: as in plan_snapshots.
        dataset: its source is events; `snapshots` decides about the grid and `as_of` only.
        today: as in plan_snapshots.

    Raises:
        SettingsError: see plan_snapshots.
        WarehouseError: there is no table, days are missing, or there are too few days.
    """
    names = list(source_tables)
    source, tables = tables_of(names, dataset)
    as_of = newest_settled(max(tables), today, dataset.windows, dataset.snapshots)
    latest = as_of - (dataset.windows.label_end_days - 1) * _DAY
    dates = (grid_date(latest, dataset.snapshots.every_days),)
    return SnapshotPlan(as_of, (), dates, _suffixes(dates, tables, names, source, dataset.windows))


def usable_tables(source_tables: Iterable[str], source: EventSource) -> Mapping[datetime.date, str]:
    """The one table for each day: the daily one, or else the kind of table that `source.tables` allows."""
    tables: dict[datetime.date, str] = {}
    for suffix in source_tables:
        kind, day = _kind_and_day(suffix)
        if day is not None and kind in ("daily", source.tables) and (kind == "daily" or day not in tables):
            tables[day] = suffix
    return tables


def unknown_tables(source_tables: Iterable[str]) -> list[str]:
    """Names, after the prefix, that are not those of an export's tables; sorted."""
    return sorted(suffix for suffix in source_tables if _kind_and_day(suffix)[1] is None)


def unknown_tables_note(source_tables: Iterable[str], source: EventSource) -> list[str]:
    """A note that names the tables or files that a run does not read because it does not understand their names."""
    unknown = _unknown(source_tables, source).removeprefix("; ")
    return [unknown] if unknown else []


def _unknown(names: Iterable[str], source: EventSource) -> str:
    """A clause that names tables or files with other names than an export's, or nothing."""
    prefix = source.table_prefix
    unknown = [f"{prefix}{name}" for name in unknown_tables(names)]
    return f"; not read, because the name is not {prefix}YYYYMMDD: {listed(unknown, _NAMED)}" if unknown else ""


def _kind_and_day(suffix: str) -> tuple[str, datetime.date | None]:
    """The kind (daily, intraday, fresh) and day of a table's name; no day if it is not a table of the export."""
    match = _TABLE.fullmatch(suffix)
    if not match:
        return "", None
    try:
        day = datetime.datetime.strptime(match["date"], "%Y%m%d").date()
    except ValueError:  # eight digits, but no date
        return "", None
    return match["kind"] or "daily", day


def _other_kind_advice(names: Iterable[str], source: EventSource, days: Iterable[datetime.date] | None = None) -> str:
    """How to read tables of another kind, if there are some (of these days); a clause that follows a semicolon."""
    wanted = None if days is None else set(days)
    found: dict[str, set[datetime.date]] = {}
    for kind, day in map(_kind_and_day, names):
        if day is not None and kind not in ("daily", source.tables) and (wanted is None or day in wanted):
            found.setdefault(kind, set()).add(day)
    return "".join(
        f"; for {len(of_kind)} of them there is a table {source.table_prefix}{kind}_YYYYMMDD: to read it, set "
        f"source.tables: {kind}"
        for kind, of_kind in sorted(found.items())
    )


def tables_of(names: Sequence[str], dataset: Dataset) -> tuple[EventSource, Mapping[datetime.date, str]]:
    """The source, and its usable tables. Raises if it is not events, or if there are none."""
    source = dataset.source
    if not isinstance(source, EventSource):
        raise SettingsError("snapshots are for events; source.kind is 'table'")
    tables = usable_tables(names, source)
    if not tables:
        others = listed([f"{source.table_prefix}{name}" for name in sorted(names)], _NAMED) or "no such table"
        raise WarehouseError(
            f"the source holds no table {source.table_prefix}YYYYMMDD that source.tables '{source.tables}' reads; it "
            f"holds {others}{_other_kind_advice(names, source)}"
        )
    return source, tables


def _suffixes(
    dates: Sequence[datetime.date],
    tables: Mapping[datetime.date, str],
    names: Sequence[str],
    source: EventSource,
    windows: Windows,
) -> tuple[str, ...]:
    """The tables that the snapshots need. Raises WarehouseError for days that are missing."""
    needed = _needed_days(dates, windows)
    _check_days(needed, tables, names, source, dates)
    return tuple(sorted(tables[day] for day in needed if day in tables))


def newest_settled(
    newest: datetime.date, today: datetime.date, windows: Windows, snapshots: Snapshots
) -> datetime.date:
    """The newest settled day, or `snapshots.as_of`. Raises SettingsError if that is not settled."""
    settled = min(newest, min(today, newest + _DAY) - windows.settle_days * _DAY)
    if snapshots.as_of == "latest":
        return settled
    if snapshots.as_of > settled:
        raise SettingsError(
            f"snapshots.as_of is {snapshots.as_of}, but the newest settled day is {settled} (newest table {newest}, "
            f"today {today}, windows.settle_days {windows.settle_days}); set that day or an earlier one"
        )
    return snapshots.as_of


def _grid_dates(
    as_of: datetime.date, windows: Windows, snapshots: Snapshots
) -> tuple[list[datetime.date], list[datetime.date]]:
    """Train and test dates: the newest grid dates with settled labels test; the newest ones far enough before train."""
    every = snapshots.every_days
    newest_test = grid_date(as_of - (windows.label_end_days - 1) * _DAY, every)
    test = [newest_test - back * every * _DAY for back in reversed(range(snapshots.test))]
    newest_train = grid_date(test[0] - (windows.label_end_days + windows.settle_days) * _DAY, every)
    train = [newest_train - back * every * _DAY for back in reversed(range(snapshots.train))]
    return train, test


def grid_date(latest: datetime.date, every: int) -> datetime.date:
    """The last date of the grid that is not after `latest`."""
    days = latest.toordinal() - datetime.date(1970, 1, 1).toordinal()
    return latest - ((days - _MONDAY) % every) * _DAY


def _check_dates(
    train: Sequence[datetime.date], test: Sequence[datetime.date], as_of: datetime.date, windows: Windows
) -> None:
    for key, dates in (("train_dates", train), ("test_dates", test)):
        for date, following in itertools.pairwise(dates):
            if date >= following:
                problem = "twice" if date == following else f"before {following}"
                raise SettingsError(f"snapshots.{key} names {date} {problem}; they must ascend, each once")
    end = windows.label_end_days
    for date in (*train, *test):
        last = date + (end - 1) * _DAY
        if last > as_of:
            raise SettingsError(
                f"snapshot {date}: its label window ends on {last}, but the newest settled day is {as_of}; the newest "
                f"snapshot possible now is {as_of - (end - 1) * _DAY}"
            )
    known = train[-1] + (end + windows.settle_days) * _DAY
    if known > test[0]:
        raise SettingsError(
            f"snapshots.train_dates and test_dates overlap: the labels of {train[-1]} are settled on {known}, "
            f"after the first test snapshot {test[0]}; the last training snapshot may be "
            f"{test[0] - (end + windows.settle_days) * _DAY}"
        )


def _needed_days(dates: Iterable[datetime.date], windows: Windows) -> list[datetime.date]:
    """Every day that a row depends on, ascending.

    The gap is among them: a purchase that arrived there and again in the label window is not a new conversion. So a row
    is the same whichever other snapshots the run has.
    """
    offsets = range(-windows.lookback_days, windows.label_end_days)
    return sorted({date + offset * _DAY for date in dates for offset in offsets})


def _check_days(
    needed: Sequence[datetime.date],
    tables: Mapping[datetime.date, str],
    names: Iterable[str],
    source: EventSource,
    dates: Sequence[datetime.date],
) -> None:
    missing = [day for day in needed if day not in tables and day not in source.missing_days]
    if not missing:
        return
    first, last = needed[0], needed[-1]
    present = [day for day in needed if day in tables]
    if not present:
        raise WarehouseError(
            f"no events table in the range {first} to {last}; the source has tables from {min(tables)} to {max(tables)}"
        )
    if missing[-1] < min(tables):  # nothing is missing in between: the history is too short
        raise WarehouseError(
            f"not enough days: {len(dates)} snapshots need {len(needed)} days ({first} to {last}), but the source has "
            f"{len(present)} of them (its first is {min(tables)}); lower snapshots.train, snapshots.test or "
            f"windows.lookback_days{_unknown(names, source)}"
        )
    raise WarehouseError(
        f"no events table for {listed(missing, 10)}, within {first} to {last}; list days that have none in "
        f"source.missing_days{_other_kind_advice(names, source, missing)}{_unknown(names, source)}"
    )
