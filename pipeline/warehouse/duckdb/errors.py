"""Rewords DuckDB's errors: they name the table, column or function, but show no value of the data."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import duckdb

from pipeline.warehouse.interface import WarehouseError

# Errors about the query; their first line names columns, tables and functions. Others may quote values.
_ABOUT_THE_QUERY = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException)
_QUOTED = re.compile(r"'.*'|\".*\"")
_BROKEN_PARQUET = re.compile(
    r"No magic bytes found at end of file '(?P<file>.*)'|File '(?P<small>.*)' too small to be a Parquet file"
)
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d.,e+-]*")


def describe(error: duckdb.Error) -> str:
    """One line about an error, without values of the data."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    if isinstance(error, _ABOUT_THE_QUERY):
        candidates = [line for line in lines[1:] if line.startswith("Candidate")]
        return " ".join([first, *candidates[:1]])
    broken = _BROKEN_PARQUET.search(first)
    if broken:
        return f"{broken['file'] or broken['small']}: the file is incomplete (still being written), or is not Parquet"
    if isinstance(error, duckdb.OutOfMemoryException):
        return "out of memory; raise warehouse.memory_limit"
    return _NUMBER.sub("(value)", _QUOTED.sub("(value)", first))


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Raises DuckDB's errors as WarehouseError."""
    try:
        yield
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB: {describe(error)}") from None
