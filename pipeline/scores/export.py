"""Writes scores to a CSV or Parquet file."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from pipeline.scores.layout import REASONS, ScoresError
from pipeline.scores.table import ScoreTable

SUFFIXES = (".csv", ".parquet")
_SEPARATOR = "; "  # between the reasons of a row of a CSV file


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...

    def close(self) -> None: ...


def check_target(path: Path) -> None:
    """Checks that a file can be written.

    Raises:
        ScoresError: its name does not end with .csv or .parquet, its folder does not exist or may not be written, or it
            is a folder.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ScoresError(f"EXPORT={path}: the file's name must end with .csv or .parquet")
    if path.is_dir():
        raise ScoresError(f"EXPORT={path}: this is a folder; name a file in it, such as {path / 'scores.csv'}")
    if not path.parent.is_dir():
        raise ScoresError(f"EXPORT={path}: there is no folder {path.parent}; make it, or name another file")
    if not os.access(path.parent, os.W_OK):
        raise ScoresError(f"EXPORT={path}: the folder {path.parent} cannot be written; name another file")


def export(table: ScoreTable, dates: Sequence[datetime.date], path: Path) -> int:
    """Writes the rows of days to a file, oldest day first. The file appears when it is complete.

    Within a day, a database file gives the highest score first; BigQuery gives rows in no order. CSV has the reasons in
    one column, with "; " between them.

    Args:
        table: where from.
        dates: the days.
        path: a .csv or .parquet file, which is replaced if it is there.

    Returns:
        The number of rows.

    Raises:
        ScoresError: see check_target; or a day has no scores, or the file cannot be written.
    """
    check_target(path)
    if not dates:
        raise ScoresError(f"EXPORT={path}: there is no day to export")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    rows = 0
    try:
        with contextlib.ExitStack() as stack:
            writer: _Writer | None = None
            for date in sorted(dates):
                before = rows
                for day_rows in _tables(table, date):
                    shown = day_rows if path.suffix.lower() == ".parquet" else _flat(day_rows)
                    if writer is None:
                        writer = _writer(partial, path.suffix.lower(), shown.schema)
                        stack.callback(writer.close)
                    writer.write_table(shown)
                    rows += len(shown)
                if rows == before:
                    raise ScoresError(f"EXPORT={path}: the score table {table.name} has no scores of {date}")
        os.replace(partial, path)
    except OSError as error:
        raise ScoresError(f"EXPORT={path}: cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _tables(table: ScoreTable, date: datetime.date) -> Iterator[pa.Table]:
    """The rows of a day, in tables."""
    for batch in table.rows_of(date):
        if batch.num_rows:
            yield pa.Table.from_batches([batch])


def _writer(path: Path, suffix: str, schema: pa.Schema) -> _Writer:
    if suffix == ".parquet":
        return pq.ParquetWriter(str(path), schema, compression="zstd")
    return pa_csv.CSVWriter(str(path), schema)


def _flat(rows: pa.Table) -> pa.Table:
    """The rows with their reasons as one text."""
    index = rows.schema.get_field_index(REASONS)
    return rows.set_column(index, REASONS, pc.binary_join(rows[REASONS].cast(pa.list_(pa.string())), _SEPARATOR))
