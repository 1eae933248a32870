"""Reads scores as parts that can be compared: a dict by date and a digest of the key, since no line may show a key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.scores.table import FEATURES, RUNS

#: Columns that must be equal. Probabilities may differ by what two trainings of one model may differ.
EXACT = ("percentile", "decile", "arm", "reasons")
_COLUMNS = ("probability", *EXACT, "model_version", "model_digest", "run_id", "scored_at")

Columns = dict[str, dict[str, Any]]


def scores(folder: Path) -> Columns:
    """The columns of a Scores artifact; see `_columns`."""
    import pyarrow.parquet as pq

    return _columns(row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist())


def table(database: Path) -> Columns:
    """The columns of the score table in a DuckDB database; see `_columns`."""
    import duckdb

    if not database.exists():
        return _columns(iter(()))
    with duckdb.connect(str(database), read_only=True) as connection:
        names = [name for (name,) in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()]
        [name] = [name for name in names if not name.endswith((RUNS, FEATURES))]
        found = connection.sql(f'SELECT * FROM "{name}"')
        columns = found.columns
        rows = found.fetchall()
    return _columns(dict(zip(columns, row, strict=True)) for row in rows)


def _columns(rows: Iterator[dict[str, Any]]) -> Columns:
    """By column the value of each row, and as `whole` a digest of all of a row's values."""
    found: Columns = {name: {} for name in (*_COLUMNS, "whole")}
    for row in rows:
        key = next(iter(row.values()))  # the first column
        name = f"{row['snapshot_date']} {hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"
        values = {column: row[column] for column in _COLUMNS}
        for column, value in values.items():
            found[column][name] = value
        values["scored_at"] = row["scored_at"].timestamp()  # in any time zone
        found["whole"][name] = hashlib.sha256(repr([*values.values()]).encode()).hexdigest()
    return found
