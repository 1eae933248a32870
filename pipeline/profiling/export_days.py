"""The daily tables of an export by their names: which days there are, and of which kind. No engine is involved."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from pipeline.listing import listed
from pipeline.profiling.export_profile import ExportDays
from pipeline.settings.dataset import EventSource
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.snapshots import unknown_tables, usable_tables

_DAY = datetime.timedelta(days=1)
_KINDS = ("intraday", "fresh")
_NAMED = 5  # tables that a message names


def export_days(names: Iterable[str], source: EventSource, today: datetime.date, where: str) -> ExportDays:
    """Sorts the tables of an export.

    Args:
        names: of its tables, after the prefix (Warehouse.source_tables).
        source: which export.
        today: the date in UTC; the property may be a day ahead.
        where: how messages name the export.

    Raises:
        WarehouseError: there is no daily table of either kind, or a table is of a day to come.
    """
    known = list(names)
    tables = {kind: set(usable_tables(known, source.model_copy(update={"tables": kind}))) for kind in _KINDS}
    daily = set(usable_tables(known, source.model_copy(update={"tables": "daily"})))
    every = daily.union(*tables.values())
    if not every:
        raise WarehouseError(
            f"{where}: no daily table {source.table_prefix}YYYYMMDD" + (_holds(known, source) if known else "")
        )
    ahead = sorted(day for day in every if day > today + _DAY)
    if ahead:
        raise WarehouseError(
            f"{where}: {source.table_prefix}{ahead[-1]:%Y%m%d} is the table of a day to come (today is {today}); "
            "remove or rename it, or correct this machine's clock"
        )
    others = {kind: tuple(sorted(days - daily)) for kind, days in tables.items() if days - daily}
    return ExportDays(source.table_prefix, tuple(sorted(daily)), others, tuple(unknown_tables(known)))


def missing_between(days: Iterable[datetime.date]) -> tuple[datetime.date, ...]:
    """Days without a table between the first and the last of the given ones, ascending."""
    there = set(days)
    first, last = min(there), max(there)
    return tuple(day for n in range((last - first).days) if (day := first + n * _DAY) not in there)


def _holds(names: list[str], source: EventSource) -> str:
    shown = listed([f"{source.table_prefix}{name}" for name in sorted(names)], _NAMED)
    return f"; it holds {shown}, which are not named so"
