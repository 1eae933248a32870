"""What changed between two days of scores. Only counts and means leave this module, never a key."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.scores.layout import DECILE, PROBABILITY
from pipeline.scores.scratch import scratch_database
from pipeline.warehouse.duckdb.quoting import quote, quote_name

#: Deciles by which a customer must have moved to be counted as one who moved far.
FAR_DECILES = 3


@dataclasses.dataclass(frozen=True)
class DayChanges:
    """Two days side by side.

    Attributes:
        rows: of the earlier day and of the later one.
        mean: mean probability of each.
        top: rows in decile 1 of each.
        both: customers that both days have.
        top_both: customers in decile 1 of both days.
        up: customers of both days whose decile is better by FAR_DECILES or more than it was.
        down: those whose decile is worse by as much.
    """

    rows: tuple[int, int]
    mean: tuple[float, float]
    top: tuple[int, int]
    both: int
    top_both: int
    up: int
    down: int


def day_changes(before: Iterable[pa.RecordBatch], now: str, key: str) -> DayChanges | None:
    """Compares the rows of two days by their key.

    Args:
        before: the rows of the earlier day, with the columns of layout.score_schema.
        now: the Parquet file of the later day.
        key: the key's name.

    Returns:
        The changes; None if the earlier day has no rows.

    Raises:
        ScoresError: the file cannot be read.
    """
    name = quote_name(key)
    with scratch_database() as (connection, folder):
        earlier = folder / "earlier.parquet"
        if not _write(before, [key, PROBABILITY, DECILE], earlier):
            return None
        [found] = connection.execute(
            f"SELECT count(b.{DECILE}), count(n.{DECILE}), avg(b.{PROBABILITY}), avg(n.{PROBABILITY}), "
            f"count(*) FILTER (b.{DECILE} = 1), count(*) FILTER (n.{DECILE} = 1), "
            f"count(*) FILTER (b.{DECILE} IS NOT NULL AND n.{DECILE} IS NOT NULL), "
            f"count(*) FILTER (b.{DECILE} = 1 AND n.{DECILE} = 1), "
            f"count(*) FILTER (b.{DECILE} - n.{DECILE} >= {FAR_DECILES}), "
            f"count(*) FILTER (n.{DECILE} - b.{DECILE} >= {FAR_DECILES}) "
            f"FROM read_parquet({quote(earlier)}) AS b FULL JOIN read_parquet({quote(now)}) AS n ON b.{name} = n.{name}"
        ).fetchall()
    rows_before, rows_now, mean_before, mean_now, top_before, top_now, *others = found
    return DayChanges((rows_before, rows_now), (mean_before, mean_now), (top_before, top_now), *others)


def _write(batches: Iterable[pa.RecordBatch], columns: list[str], path: Path) -> int:
    """Writes some columns of the batches to a file, if there are rows; returns their number."""
    rows = 0
    with contextlib.ExitStack() as stack:
        writer = None
        for batch in batches:
            table = pa.Table.from_batches([batch]).select(columns)
            writer = writer or stack.enter_context(pq.ParquetWriter(path, table.schema))
            writer.write_table(table)
            rows += len(table)
    return rows
