"""The interface of a warehouse. SQL is in BigQuery's dialect; each engine translates it to its own."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

Value = bool | int | float | str | datetime.date | Sequence[datetime.date] | Sequence[str]

#: Roles of a query that takes every column of a text file as the text in the file.
ALL_TEXT: Mapping[str, str] = {"*": "categorical"}


class WarehouseError(RuntimeError):
    """A query or its data cannot be used. The message names the table, column, file or row and says what to do."""


@dataclasses.dataclass(frozen=True)
class Query:
    """One SELECT in BigQuery's dialect.

    Attributes:
        sql: its text; tables without a project and data set are those of the source.
        parameters: values of the named parameters; a list is an ARRAY (of DATE or STRING), an empty one of STRING.
        roles: for outputs that the data set declares, `numeric`, `categorical`, `label`, `key` or `date`. An engine
            that reads text files takes the types of their columns from it. ALL_TEXT leaves every column as text.
    """

    sql: str
    parameters: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    roles: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a query's result: its name and BigQuery type (INT64, FLOAT64, BOOL, STRING, DATE, NUMERIC, ...)."""

    name: str
    type: str


class Warehouse(Protocol):
    """An engine that reads the source and makes features tables. Use it as a context manager."""

    def source_tables(self, prefix: str) -> Mapping[str, str]:
        """Names after `prefix` (`20240131`, `intraday_20240201`) of the source's tables, each with a fingerprint.

        A fingerprint changes when the table's content does (BigQuery: last change and bytes; DuckDB: the file's size
        and modification time).
        """

    def estimate(self, query: Query) -> int | None:
        """Bytes that a query would read, or None if the engine cannot tell.

        Raises:
            WarehouseError: the query is not valid.
        """

    def columns(self, query: Query) -> list[Column]:
        """Columns of a query's result, without running it; a name that is returned twice is in the list twice.

        Raises:
            WarehouseError: the query is not valid, or BigQuery would not take it.
        """

    def create_table(self, name: str, query: Query, *, partition_by: str | None, order_by: Sequence[str]) -> None:
        """Makes the table `name` from a query: `CREATE TABLE ... AS`. It replaces no table.

        Args:
            name: an identifier; each run has its own.
            query: gives the rows.
            partition_by: a DATE column, or None.
            order_by: columns that make the order of rows reproducible where the engine keeps one.

        Raises:
            WarehouseError: the query fails, or reads more than the settings allow.
        """

    def select(self, query: Query) -> list[dict[str, object]]:
        """Rows of a query with a small result. It can read the source and tables made by create_table, by name."""

    def read(self, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The table's rows as Arrow batches, a few of them in memory at a time."""

    def drop_table(self, name: str) -> None:
        """Deletes a table made by create_table, if it is there."""

    def close(self) -> None:
        """Frees connections and temporary files."""

    def __enter__(self) -> Warehouse:
        """Returns itself."""

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""
