"""Which snapshot dates train and test, and which daily tables they need. Plain functions, no engine."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

from models.config import SettingsError
from pipeline.settings.dataset import Dataset, EventSource, Snapshots, Windows
from pipeline.warehouse.interface import WarehouseError

_DAILY = re.compile(r"\d{8}")
#: Start of the snapshot grid in days after 1970-01-01: Monday, 5 January 1970.
_MONDAY = 4
_DAY = datetime.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class SnapshotPlan:
    """What one run reads.

    Attributes:
        as_of: the newest day whose events are settled, and may be used.
        train_dates: snapshot dates of the train and eval splits, ascending.
        test_dates: snapshot dates of the test split, ascending, all later.
        table_suffixes: the tables to read, by what follows the prefix in their names; one for a day, ascending.
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
        source_tables: what follows the prefix in the names of the source's tables (Warehouse.source_tables).
        dataset: its source is events.
        today: the date in the property's time zone.

    Raises:
        SettingsError: explicit dates that overlap, are unsorted or are not settled; an unsettled `as_of`.
        WarehouseError: no table, days missing, or not days enough.
    """
    source, windows, snapshots = dataset.source, dataset.windows, dataset.snapshots
    if not isinstance(source, EventSource):
        raise SettingsError("source.kind 'table' has no snapshots")
    tables = usable_tables(source_tables, source)
    if not tables:
        raise WarehouseError(
            f"the source holds no table {source.table_prefix}YYYYMMDD that source.tables '{source.tables}' reads"
        )
    as_of = _as_of(max(tables), today, windows, snapshots)
    if snapshots.train_dates:
        train, test = snapshots.train_dates, snapshots.test_dates
    else:
        train, test = _grid_dates(as_of, windows, snapshots)
    _check_dates(train, test, as_of, windows)
    needed = _needed_days((*train, *test), windows)
    _check_days(needed, tables, source, (*train, *test))
    suffixes = sorted(tables[day] for day in needed if day in tables)
    return SnapshotPlan(as_of, tuple(train), tuple(test), tuple(suffixes))


def usable_tables(source_tables: Iterable[str], source: EventSource) -> Mapping[datetime.date, str]:
    """The one table for each day: the daily one, or, where `source.tables` allows another kind, that one."""
    tables: dict[datetime.date, str] = {}
    for suffix in source_tables:
        kind, _, date = suffix.rpartition("_")
        if kind not in ("", source.tables) or not _DAILY.fullmatch(date):
            continue
        try:
            day = datetime.datetime.strptime(date, "%Y%m%d").date()
        except ValueError:
            continue  # eight digits, but no date
        if not kind or day not in tables:
            tables[day] = suffix
    return tables


def _as_of(newest: datetime.date, today: datetime.date, windows: Windows, snapshots: Snapshots) -> datetime.date:
    settled = min(newest, min(today, newest + _DAY) - windows.settle_days * _DAY)
    if snapshots.as_of == "latest":
        return settled
    if snapshots.as_of > settled:
        raise SettingsError(
            f"snapshots.as_of is {snapshots.as_of}, but the newest settled day is {settled} (newest table {newest}, "
            f"today {today}, windows.settle_days {windows.settle_days}); choose that day or an earlier one"
        )
    return snapshots.as_of


def _grid_dates(
    as_of: datetime.date, windows: Windows, snapshots: Snapshots
) -> tuple[list[datetime.date], list[datetime.date]]:
    """The newest dates of the grid whose labels are settled for test, and the newest ones for train before those."""
    every = snapshots.every_days
    newest_test = _grid_date(as_of - (windows.label_end_days - 1) * _DAY, every)
    test = [newest_test - back * every * _DAY for back in reversed(range(snapshots.test))]
    newest_train = _grid_date(test[0] - (windows.label_end_days + windows.settle_days) * _DAY, every)
    train = [newest_train - back * every * _DAY for back in reversed(range(snapshots.train))]
    return train, test


def _grid_date(latest: datetime.date, every: int) -> datetime.date:
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
    """Every day that a feature or a label of a snapshot sees, ascending."""
    offsets = (*range(-windows.lookback_days, 0), *range(windows.gap_days, windows.label_end_days))
    return sorted({date + offset * _DAY for date in dates for offset in offsets})


def _check_days(
    needed: Sequence[datetime.date],
    tables: Mapping[datetime.date, str],
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
            f"no events table in the range {first} to {last}; the source's tables are of {min(tables)} to {max(tables)}"
        )
    if missing[-1] < min(tables):  # nothing is missing in between: the history is too short
        raise WarehouseError(
            f"not enough days: {len(dates)} snapshots need {len(needed)} days ({first} to {last}), {len(present)} are "
            f"there (the first is {min(tables)}); set snapshots.train, snapshots.test or windows.lookback_days lower"
        )
    listed = ", ".join(str(day) for day in missing[:10]) + (f" and {len(missing) - 10} more" if missing[10:] else "")
    raise WarehouseError(
        f"no events table for {listed}, within {first} to {last}; where there is none, list it in source.missing_days"
    )
