"""Counts, in the warehouse, what the decisions about columns need to know beyond the profile."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.profiling.profile import ColumnProfile
from pipeline.profiling.table_profiler import TableProfiler
from pipeline.proposal import columns
from pipeline.proposal.columns import Surroundings
from pipeline.proposal.conversion import Readings


def with_counts(
    around: Surroundings,
    others: Sequence[ColumnProfile],
    date: ColumnProfile | None,
    raw: Readings,
    profiler: TableProfiler,
) -> Surroundings:
    """The surroundings with the date of the row, dates that lie after it, and the frequent values of wide categories.

    Args:
        around: what is known so far.
        others: the columns to decide about.
        date: the row's date; None without one.
        raw: how the profiler's queries read the columns.
        profiler: of the table.

    Raises:
        WarehouseError: a query fails.
    """
    if date is not None:
        dated = [column for column in others if raw.is_date(column) and column.filled]
        counts = profiler.counts([f"({raw.date_sql(one)}) > ({raw.date_sql(date)})" for one in dated]) if dated else []
        later = {column.name: count for column, count in zip(dated, counts, strict=True)}
        around = dataclasses.replace(around, row_date=around.readings.date_sql(date), later=later)
    wide = [column.name for column in others if columns.needs_count_of_values(column, around)]
    frequent = profiler.frequent(wide, columns.ROWS_PER_VALUE) if wide else {}
    return dataclasses.replace(around, frequent=frequent)
