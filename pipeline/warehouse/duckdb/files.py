"""The files that DuckDB reads: daily tables `events_20240131.parquet` in a folder, or one CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.warehouse.duckdb.csv_files import find_delimiter
from pipeline.warehouse.interface import WarehouseError


def daily_files(folder: Path, prefix: str) -> dict[str, Path]:
    """The daily tables of a folder by what follows `prefix` in their names, sorted.

    Raises:
        WarehouseError: there is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise WarehouseError(f"{folder}: no such folder; it must hold daily tables {prefix}YYYYMMDD.parquet")
    files = {path.stem.removeprefix(prefix): path for path in sorted(folder.glob(f"{prefix}*.parquet"))}
    if not files:
        raise WarehouseError(f"{folder}: no daily table in it; files must be named {prefix}YYYYMMDD.parquet")
    return files


def fingerprint(path: Path) -> str:
    """Size and modification time of a file."""
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def events_sql(files: Iterable[Path], prefix: str) -> str:
    """A SELECT of the union of daily tables, with `_TABLE_SUFFIX` as a wildcard table of BigQuery has it."""
    paths = ", ".join(quote(path) for path in files)
    suffix = f"SUBSTR(PARSE_FILENAME(filename, true), {len(prefix) + 1})"
    return f"SELECT *, {suffix} AS _TABLE_SUFFIX FROM read_parquet([{paths}], union_by_name = true)"


def table_sql(path: Path) -> str:
    """A SELECT of a CSV or Parquet file; the types of a CSV file are inferred from all of its rows.

    Raises:
        WarehouseError: there is no such file, it is of another kind, or its header is missing.
    """
    check_table(path)
    if path.suffix.lower() == ".parquet":
        return f"SELECT * FROM read_parquet([{quote(path)}])"
    dialect = (
        f"delim = {quote(find_delimiter(path))}, quote = '\"', escape = '\"', comment = '', skip = 0, header = true"
    )
    return f"SELECT * FROM read_csv({quote(path)}, {dialect}, sample_size = -1, strict_mode = true)"


def check_table(path: Path) -> None:
    """Raises WarehouseError if there is no such file, or it is neither CSV nor Parquet."""
    if not path.is_file():
        raise WarehouseError(f"{path}: no such file; it must be the table, as CSV or Parquet")
    if path.suffix.lower() not in (".csv", ".tsv", ".parquet"):
        raise WarehouseError(f"{path}: neither CSV nor Parquet by its name; it must end in .csv, .tsv or .parquet")


def quote(text: object) -> str:
    """A string literal of DuckDB's dialect."""
    return "'" + str(text).replace("'", "''") + "'"
