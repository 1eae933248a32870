"""Chooses the snapshot dates of a scoring run, and the daily tables that they need. No engine is involved."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from models.config import SettingsError
from pipeline.listing import listed
from pipeline.settings.dataset import Dataset
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.snapshots import SnapshotPlan, grid_date, newest_settled, tables_of

_DAY = datetime.timedelta(days=1)
_NAMED = 10  # days that a message names; it counts the others


def plan_scoring(
    source_tables: Iterable[str],
    dataset: Dataset,
    today: datetime.date,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
) -> SnapshotPlan:
    """The snapshots to score: the day after the newest settled day, or the dates of the grid in a period.

    Args:
        source_tables: names of the source's tables after the prefix (Warehouse.source_tables).
        dataset: its source is events; `snapshots` decides about the grid and `as_of` only.
        today: the date in the property's time zone.
        first: of a back-fill, the first day of the period.
        last: of a back-fill, the last day of the period.

    Returns:
        A plan whose test dates are the snapshots. Its tables hold the lookback days of each snapshot and no later day,
        so no row can see what was not known on its date.

    Raises:
        SettingsError: `as_of` or `last` is not settled, or the grid has no date in the period.
        WarehouseError: there is no table, or days are missing.
    """
    names = list(source_tables)
    source, tables = tables_of(names, dataset)
    as_of = newest_settled(max(tables), today, dataset.windows, dataset.snapshots)
    dates = [as_of + _DAY]
    if first is not None and last is not None:
        dates = _period(first, last, as_of, dataset.snapshots.every_days)
    days = _lookback(dates, dataset.windows.lookback_days)
    missing = [day for day in days if day not in tables and day not in source.missing_days]
    if missing and missing[-1] < min(tables):
        earliest = min(tables) + dataset.windows.lookback_days * _DAY
        raise WarehouseError(
            f"the snapshot {dates[0]} looks back {dataset.windows.lookback_days} days, but the source's first table is "
            f"that of {min(tables)}; the first snapshot possible is {earliest}"
        )
    if missing:
        raise WarehouseError(
            f"no events table for {listed(missing, _NAMED)}: the snapshots from {dates[0]} to {dates[-1]} look back "
            f"{dataset.windows.lookback_days} days, and the source has tables from {min(tables)} to {max(tables)}. "
            "Choose other days, or list days that have no table in source.missing_days"
        )
    return SnapshotPlan(as_of, (), tuple(dates), tuple(sorted(tables[day] for day in days if day in tables)))


def _period(first: datetime.date, last: datetime.date, as_of: datetime.date, every_days: int) -> list[datetime.date]:
    if last > as_of + _DAY:
        raise SettingsError(
            f"TO={last} is not settled yet: the newest settled day is {as_of}, so the last snapshot can be "
            f"{as_of + _DAY}"
        )
    newest = grid_date(last, every_days)
    dates = [newest - back * every_days * _DAY for back in range((newest - first).days // every_days + 1)]
    if not dates:
        raise SettingsError(
            f"FROM={first} TO={last} holds no snapshot date: with snapshots.every_days {every_days}, the dates around "
            f"it are {newest} and {newest + every_days * _DAY}"
        )
    return sorted(dates)


def _lookback(dates: Sequence[datetime.date], days: int) -> list[datetime.date]:
    """Every day that a snapshot looks back to, ascending."""
    return sorted({date - back * _DAY for date in dates for back in range(1, days + 1)})
