"""Runs a data set's query.sql in the embedded warehouse over small daily tables made of Python rows."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.settings.dataset import EventSource
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import Column, Query

Row = dict[str, Any]  # of a daily table: nested as in the export
Rows = dict[tuple[str, datetime.date], Row]  # of a features table, by key and snapshot date

SCHEMA_ROOT = Path(__file__).parents[2] / "schema"
KEYS = {"ga4": "user_pseudo_id", "ga360": "fullVisitorId"}
CONVERSIONS = {"ga4": "purchase", "ga360": "transaction"}
DAY_FIELDS = {"ga4": "event_date", "ga360": "date"}


class Export:
    """Daily tables in a folder, and what query.sql makes of them.

    Attributes:
        kind: ga4 or ga360.
        sql: the data set's query.
    """

    def __init__(self, kind: str, schema: pa.Schema, folder: Path):
        """Takes an empty folder and the schema of a daily table."""
        self.kind = kind
        self.sql = (SCHEMA_ROOT / kind / "query.sql").read_text(encoding="utf-8")
        self._source = EventSource(kind=kind, conversion_event={"ga4": "purchase", "ga360": "transaction"}[kind])
        self._schema = schema
        self._folder = folder

    def features(
        self, rows: Iterable[Row], snapshots: Sequence[datetime.date], *, reads_more: bool = True, **parameters: Any
    ) -> Rows:
        """The features table over `rows`, each in the daily table of its own day.

        Args:
            rows: rows of daily tables, in any order.
            snapshots: the snapshot dates.
            reads_more: whether it reads all tables there are, as if there were other snapshots, so that the windows are
                the query's own doing; or those of the windows only, as a run with these snapshots does.
            **parameters: query parameters that differ from the defaults (lookback 30, gap 3, horizon 7, UTC).
        """
        suffixes = self._write(rows)
        values = self._parameters(suffixes, snapshots, parameters, reads_more)
        with self._open() as warehouse:
            table = warehouse.select(Query(self.sql, values))
        key = KEYS[self.kind]
        found = {(row.pop(key), row.pop("snapshot_date")): row for row in table}
        assert len(found) == len(table), "a key and date has two rows"
        return found

    def columns(self, rows: Iterable[Row], snapshots: Sequence[datetime.date]) -> list[Column]:
        """The columns of the features table."""
        suffixes = self._write(rows)
        with self._open() as warehouse:
            return warehouse.columns(Query(self.sql, self._parameters(suffixes, snapshots, {}, reads_more=True)))

    def _parameters(
        self, suffixes: Sequence[str], snapshots: Sequence[datetime.date], changed: Row, reads_more: bool
    ) -> Row:
        values = {
            "snapshot_dates": list(snapshots),
            "lookback_days": 30,
            "gap_days": 3,
            "horizon_days": 7,
            "conversion_event": CONVERSIONS[self.kind],
            "label_is": "conversion",
            "eligibility": "all",
            "time_zone": "UTC",
            "unknown_ids": ["", "(not set)"],
            **changed,
        }
        first = min(snapshots) - datetime.timedelta(days=values["lookback_days"])
        last = max(snapshots) + datetime.timedelta(days=values["gap_days"] + values["horizon_days"] - 1)
        read = [suffix for suffix in suffixes if reads_more or f"{first:%Y%m%d}" <= suffix <= f"{last:%Y%m%d}"]
        return {**values, "first_suffix": read[0], "last_suffix": read[-1], "table_suffixes": read}

    def _open(self) -> DuckDBWarehouse:
        settings = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)
        return DuckDBWarehouse(settings, self._folder, self._source)

    def _write(self, rows: Iterable[Row]) -> list[str]:
        for file in self._folder.glob("*.parquet"):
            file.unlink()
        days = defaultdict(list)
        for row in rows:
            days[row[DAY_FIELDS[self.kind]]].append(row)
        for day, of_day in days.items():
            table = pa.Table.from_pylist(of_day, schema=self._schema)
            pq.write_table(table, self._folder / f"{self._source.table_prefix}{day}.parquet")
        return sorted(days)


def features_of(rows: Rows) -> Rows:
    """The rows without their label."""
    return {key: {name: value for name, value in row.items() if name != "converted"} for key, row in rows.items()}


def in_columns_of(rows: Rows, expected: Rows) -> Rows:
    """The rows in the columns of `expected`, all of which they must have; a new feature needs no new expectation."""
    names = {name for row in expected.values() for name in row}
    assert all(names <= row.keys() for row in rows.values()), "a column is not returned"
    return {key: {name: value for name, value in row.items() if name in names} for key, row in rows.items()}


def labels_of(rows: Rows) -> dict[tuple[str, datetime.date], int]:
    """The labels alone."""
    return {key: row["converted"] for key, row in rows.items()}


def seen_outside(values: dict[int, Any], window: tuple[int, int]) -> set[Any]:
    """More than one value if a feature changes with something that happens outside its window.

    Args:
        values: the feature's value of each user, by the age in days of all that the user did.
        window: first and last day before the snapshot that the feature looks at.
    """
    return {value for age, value in values.items() if not window[0] <= age <= window[1]}


def differences(rows: Rows, others: Rows, tolerance: float = 0.0) -> list[str]:
    """The differences between two features tables, a line each: exact but for floats, whose bound is relative."""
    lines = [f"{key}: only in one of both" for key in sorted(rows.keys() ^ others.keys())]
    for key in sorted(rows.keys() & others.keys()):
        row, other = rows[key], others[key]
        lines += [f"{key} {name}: only in one of both" for name in sorted(row.keys() ^ other.keys())]
        for name in sorted(row.keys() & other.keys()):
            if not _equal(row[name], other[name], tolerance):
                lines.append(f"{key} {name}: {row[name]!r}, {other[name]!r}")
    return lines


def _equal(value: Any, other: Any, tolerance: float) -> bool:
    if type(value) is not type(other):
        return False
    if isinstance(value, float):
        return abs(value - other) <= tolerance * max(abs(value), abs(other))
    return value == other
