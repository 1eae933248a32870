"""The Parquet files of one table, with the types that BigQuery has for their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.warehouse.duckdb.dotted_names import select_with_structs
from pipeline.warehouse.duckdb.names import find_twice
from pipeline.warehouse.duckdb.quoting import quote, quote_name
from pipeline.warehouse.duckdb.types import as_bigquery
from pipeline.warehouse.interface import WarehouseError

Run = Callable[[str], list[tuple[Any, ...]]]


def column_names(run: Run, path: Path) -> list[str]:
    """The names of a file's columns as written; reading the file would rename doubles.

    Args:
        run: executes SQL and returns its rows.
        path: the file.

    Raises:
        WarehouseError: the file cannot be read.
    """
    try:
        return _top_level(run(f"SELECT name, num_children FROM parquet_schema({quote(path)})"))
    except WarehouseError as error:
        raise WarehouseError(f"{path}: {error}") from error


def union_sql(run: Run, columns: Mapping[Path, Sequence[str]]) -> str:
    """A SELECT of the union of files.

    Args:
        run: executes SQL and returns its rows.
        columns: the names of the columns of each file.

    Raises:
        WarehouseError: two columns of a file have one name, or the files have different columns.
    """
    first = next(iter(columns.values()))
    for path, names in columns.items():
        twice = find_twice(names)
        if twice:
            one, other = (names[place - 1] for place in twice)
            raise WarehouseError(f"{path}: columns '{one}' and '{other}' differ at most by case; rename one of them")
        odd = sorted(set(names) ^ set(first))
        if odd:
            raise WarehouseError(
                f"{path}: column '{odd[0]}' is not in every file of the folder; give all files the same columns"
            )
    paths = ", ".join(quote(path) for path in columns)
    source = f"read_parquet([{paths}], union_by_name = true, hive_partitioning = false)"
    types = {str(row[0]): str(row[1]) for row in run(f"DESCRIBE SELECT * FROM {source}")}
    return select_with_structs({name: as_bigquery(quote_name(name), types.get(name, "")) for name in first}, source)


def _top_level(schema: Iterable[tuple[str, int | None]]) -> list[str]:
    """The names of the columns in a Parquet schema: name and number of children of each node, depth first."""
    names, below = [], 0
    for name, children in list(schema)[1:]:  # the first is the root
        if below:
            below -= 1
        else:
            names.append(name)
        below += children or 0
    return names
