"""The table that is profiled: its columns, the SQL of their cells, and the statements that are run over it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from pipeline.warehouse.dialect import back_ticked, quoted
from pipeline.warehouse.interface import ALL_TEXT, Query, Warehouse

Item = TypeVar("Item")

#: Columns of one statement of aggregates. With more, parsing and planning take longer than scanning.
COLUMNS_AT_ONCE = 50
#: Cells that one statement groups by their value, where the engine runs in this machine's memory.
CELLS_AT_ONCE = 2_000_000
#: In a table of at least GROUPED_ROWS, what converts text is run once for each distinct value of a column, if there
#: are this many rows or more for each: grouping texts takes less time than matching and converting them.
GROUPED_ROWS, ROWS_PER_VALUE = 200_000, 10
ROWS_OF_VALUE = "rows_of_value"  # a column of Source.grouped

TEXT = frozenset({"STRING"})
NUMBERS = frozenset({"INT64", "FLOAT64", "NUMERIC", "BIGNUMERIC"})
DAYS = frozenset({"DATE", "DATETIME", "TIMESTAMP"})
# Types whose values have a text that can be counted.
COUNTED = TEXT | NUMBERS | DAYS | {"BOOL", "TIME"}


def column_sql(name: str) -> str:
    """SQL of a column, or of a field by its path (`device.category`), of the table with the alias t."""
    return "t." + ".".join(back_ticked(part) for part in name.split("."))


@dataclasses.dataclass(frozen=True)
class Cells:
    """A column and its BigQuery type."""

    name: str
    type: str

    @property
    def sql(self) -> str:
        """SQL of a cell; NULL where it is missing: an empty text, NaN."""
        column = column_sql(self.name)
        if self.type == "STRING":
            return f"NULLIF({column}, '')"
        return f"IF(IS_NAN({column}), NULL, {column})" if self.type == "FLOAT64" else column

    @property
    def text_sql(self) -> str:
        """SQL of a cell as text."""
        return self.sql if self.type == "STRING" else f"CAST({self.sql} AS STRING)"


class Source:
    """Runs statements over one table, and counts the bytes that BigQuery reads for them."""

    def __init__(self, warehouse: Warehouse, table: str, *, is_text: bool):
        """Takes the warehouse, the name by which a query reads the table, and whether it is a text file."""
        self._warehouse = warehouse
        self._table = table
        self._roles = ALL_TEXT if is_text else {}
        self._is_text = is_text
        self.from_ = f"FROM {quoted(table)} AS t"
        # An engine that can tell the bytes of a query scans a column anew in every statement, on many machines.
        self.is_billed = warehouse.estimate(self._query(f"SELECT COUNT(*) AS n {self.from_}")) is not None
        self.bytes_read = 0 if self.is_billed else None

    def select(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a statement with a small result. Raises WarehouseError."""
        query = self._query(sql)
        if self.bytes_read is not None:
            self.bytes_read += self._warehouse.estimate(query) or 0
        return self._warehouse.select(query)

    def at_once(self, rows: int) -> int:
        """How many columns of so many rows one statement groups."""
        return COLUMNS_AT_ONCE if self.is_billed else max(1, min(COLUMNS_AT_ONCE, CELLS_AT_ONCE // max(1, rows)))

    def grouped(self, name: str, rows: int, distinct: int) -> str | None:
        """A FROM clause with a row for each distinct value of a column, and ROWS_OF_VALUE; the alias is t too.

        Args:
            name: of the column.
            rows: with a value.
            distinct: its distinct values, at least about.

        Returns:
            None if grouping saves no time: in a short table, for a column of many values, and in a warehouse that bills
            by the bytes.
        """
        if self.is_billed or rows < GROUPED_ROWS or distinct * ROWS_PER_VALUE > rows:
            return None
        if "." in name or name.casefold() == ROWS_OF_VALUE:
            return None
        column = column_sql(name)
        return (
            f"FROM (SELECT {column} AS {back_ticked(name)}, COUNT(*) AS {ROWS_OF_VALUE} {self.from_} GROUP BY {column})"
            " AS t"
        )

    @contextlib.contextmanager
    def rows(self, name: str, sql: str, *, are_kept: bool) -> Iterator[tuple[str, str]]:
        """Rows that statements read: what the statements' WITH begins with, and the name of the rows.

        Args:
            name: what the rows are, an identifier.
            sql: gives the rows.
            are_kept: whether they are computed once, and kept in a table of the engine until the context ends. For an
                engine in this machine only.

        Raises:
            WarehouseError: the statement fails.
        """
        name = f"{self._table}_{name}"  # which is not the table itself
        if not are_kept:
            yield f"{name} AS ({sql}),", name
            return
        self._warehouse.create_table(name, self._query(sql), partition_by=None, order_by=())
        try:
            yield "", name
        finally:
            self._warehouse.drop_table(name)

    def long_form(self, table: str, cells: Sequence[str], kept: Sequence[str]) -> str:
        """A SELECT with a row for each cell of a table: `k`, the cell's place in the list, and `v`, the cell.

        Args:
            table: a WITH, whose columns the cells are.
            cells: names of columns of one type.
            kept: names of columns that stay beside each cell.
        """
        also = "".join(f", s.{name} AS {name}" for name in kept)
        if self.is_billed:  # reads the table once
            structs = ", ".join(f"STRUCT({place} AS k, s.{name} AS v)" for place, name in enumerate(cells))
            return f"SELECT e.k AS k, e.v AS v{also} FROM {table} AS s CROSS JOIN UNNEST([{structs}]) AS e"
        # DuckDB keeps the WITH in memory, and takes ten times as long for a list of structs.
        selects = [f"SELECT {place} AS k, s.{name} AS v{also} FROM {table} AS s" for place, name in enumerate(cells)]
        return " UNION ALL ".join(selects)

    def columns(self) -> list[Cells]:
        """The columns in the table's order, with each field of a STRUCT by its path."""
        return list(self._expanded("", f"SELECT t.* {self.from_}"))

    def _expanded(self, above: str, sql: str) -> Iterator[Cells]:
        for column in self._warehouse.columns(self._query(sql)):
            name = above + column.name
            if column.type == "STRUCT":
                inner = f"SELECT s.* FROM (SELECT {column_sql(name)} AS s {self.from_}) AS u"
                yield from self._expanded(f"{name}.", inner)
            else:
                yield Cells(name, "STRING" if self._is_text else column.type)

    def _query(self, sql: str) -> Query:
        return Query(sql, roles=self._roles)


def parts(items: Sequence[Item], size: int) -> Iterable[Sequence[Item]]:
    """The items in parts of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
