"""The files that DuckDB reads: daily tables `events_20240131.parquet` in a folder, or the files of one table."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.warehouse.duckdb.csv_files import find_twice
from pipeline.warehouse.interface import WarehouseError

CSV_SUFFIXES = (".csv", ".tsv")


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


def table_files(path: Path) -> list[Path]:
    """The files of one table: a CSV or Parquet file, or the Parquet files of a folder.

    Raises:
        WarehouseError: there is no such file, or it is neither CSV nor Parquet.
    """
    if path.is_dir():
        parts = sorted(part for part in path.iterdir() if part.suffix.lower() == ".parquet" and part.is_file())
        if not parts:
            raise WarehouseError(
                f"{path}: no .parquet file in this folder; name a CSV file, or a folder of Parquet files"
            )
        return parts
    if not path.is_file():
        raise WarehouseError(f"{path}: no such file; name the table as CSV or Parquet, or a folder of Parquet files")
    if path.suffix.lower() not in (*CSV_SUFFIXES, ".parquet"):
        raise WarehouseError(f"{path}: neither CSV nor Parquet by its name; it must end in .csv, .tsv or .parquet")
    return [path]


def table_fingerprint(files: Sequence[Path]) -> str:
    """Changes when a file of the table does, or when one comes or goes."""
    if len(files) == 1:
        return fingerprint(files[0])
    names = "\n".join(f"{path.name} {fingerprint(path)}" for path in files)
    return hashlib.sha256(names.encode()).hexdigest()


def parquet_sql(files: Sequence[Path], columns: Mapping[Path, Sequence[str]]) -> str:
    """A SELECT of the union of a table's Parquet files.

    Args:
        files: the files.
        columns: the names of the columns of each file.

    Raises:
        WarehouseError: two columns of a file have one name, or the files have different columns.
    """
    first = columns[files[0]]
    for path in files:
        twice = find_twice(columns[path])
        if twice:
            one, other = (columns[path][place - 1] for place in twice)
            raise WarehouseError(f"{path}: columns '{one}' and '{other}' differ at most by case; rename one of them")
        odd = sorted(set(columns[path]) ^ set(first))
        if odd:
            raise WarehouseError(
                f"{path}: column '{odd[0]}' is not in every file of the folder; give all files the same columns"
            )
    paths = ", ".join(quote(path) for path in files)
    source = f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"
    return select_with_structs({name: quote_name(name) for name in first}, source, files[0])


def top_level(schema: Iterable[tuple[str, int | None]]) -> list[str]:
    """The names of the columns in a Parquet schema: name and number of children of each node, depth first."""
    names, below = [], 0
    for name, children in list(schema)[1:]:  # the first is the root
        if below:
            below -= 1
        else:
            names.append(name)
        below += children or 0
    return names


def select_with_structs(selected: Mapping[str, str], source: str, path: Path) -> str:
    """A SELECT in which columns `device.category` and `device.language` are the fields of a STRUCT `device`.

    A query names such a column as BigQuery's SQL names a field: device.category, with or without back-ticks.

    Args:
        selected: the SQL of each column by its name.
        source: what stands after FROM.
        path: the file, for the message.

    Raises:
        WarehouseError: `device` is a column too, or a part of a name is empty.
    """
    tree: dict[str, object] = {}
    for name, sql in selected.items():
        *above, last = name.split(".")
        level = tree
        for part in above:
            inner = level.setdefault(part, {})
            if not isinstance(inner, dict):
                raise WarehouseError(f"{path}: columns '{part}' and '{name}' cannot both be read; rename one of them")
            level = inner
        if "" in (*above, last) or last in level:
            raise WarehouseError(f"{path}: column '{name}' cannot be read under this name; rename it")
        level[last] = sql
    return f"SELECT {', '.join(f'{_struct(item)} AS {quote_name(name)}' for name, item in tree.items())} FROM {source}"


def quote(text: object) -> str:
    """A string literal of DuckDB's dialect."""
    return "'" + str(text).replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """A column's or table's name in DuckDB's dialect."""
    return '"' + name.replace('"', '""') + '"'


def _struct(item: object) -> str:
    if isinstance(item, dict):
        return (
            "STRUCT_PACK(" + ", ".join(f"{quote_name(name)} := {_struct(value)}" for name, value in item.items()) + ")"
        )
    return str(item)
