"""The embedded warehouse: DuckDB reads Parquet and CSV files and keeps features tables in a temporary database."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.settings.run import DuckDBSettings
from pipeline.settings.source import EventSource, TableSource
from pipeline.warehouse.dialect import Statement, check_identifier, parse_select, to_duckdb
from pipeline.warehouse.duckdb import files as duckdb_files
from pipeline.warehouse.duckdb import parquet_files
from pipeline.warehouse.duckdb.column_uses import Use, column_uses
from pipeline.warehouse.duckdb.dotted_names import flat_names
from pipeline.warehouse.duckdb.doubles import check_doubles
from pipeline.warehouse.duckdb.errors import explained
from pipeline.warehouse.duckdb.quoting import quote, quote_name
from pipeline.warehouse.duckdb.text_table import TextTable
from pipeline.warehouse.duckdb.types import bigquery_type, needed_cast
from pipeline.warehouse.interface import ALL_TEXT, Column, Query, WarehouseError

BATCH_ROWS = 16_384
WIDE_COLUMNS = 400  # from here on, writing Parquet takes more memory than sorting
ROW_GROUP_ROWS = 32_768
LITTLE_MEMORY_MB, THREAD_MEMORY_MB, LITTLE_COLUMNS = 240, 30, 40  # sorts a million rows of 40 columns in seconds


class DuckDBWarehouse:
    """Implements pipeline.warehouse.interface.Warehouse.

    `read` returns rows in the order of create_table's `order_by`, whatever the number of threads.
    """

    def __init__(self, settings: DuckDBSettings, data: Path, source: EventSource | TableSource):
        """Opens a database in a temporary folder, which `close` removes. The data is opened when a query needs it.

        Args:
            settings: memory and threads.
            data: the folder of daily tables, or the CSV or Parquet file, or the folder of Parquet files.
            source: what the data is.
        """
        self._data = data
        self._source = source
        self._memory_limit = settings.memory_limit
        self._tables: set[str] = set()
        self._views: dict[str, str] = {}  # over events, by name: their SQL
        self._text: TextTable | None = None
        self._flat_names: Sequence[str] = ()  # of the source's columns
        self._translated: tuple[Query, Statement] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="propensity-duckdb-")
        config: dict[str, str | int] = {
            "memory_limit": settings.memory_limit,
            "temp_directory": str(Path(self._folder.name) / "spill"),
            "preserve_insertion_order": "true",
            "autoinstall_known_extensions": "false",  # a query must not make DuckDB fetch something
            # DuckDB 2.0 takes the ends in a Parquet file's statistics for those of all values; NaN is in none of them.
            "disabled_optimizers": "statistics_propagation",
            "force_compression": "uncompressed",  # the tables live for seconds: compressing them would take longest
        }
        if settings.threads:
            config["threads"] = settings.threads
        self._connection = duckdb.connect(str(Path(self._folder.name) / "features.duckdb"), config=config)
        self._connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        # BigQuery replaces bytes that are not UTF-8; DECODE fails at them.
        self._connection.execute("CREATE MACRO SAFE_CONVERT_BYTES_TO_STRING(bytes) AS DECODE(bytes)")
        self._is_open = True

    def source_tables(self, prefix: str) -> Mapping[str, str]:
        """See Warehouse; a table has the one name '', what follows its name."""
        if isinstance(self._source, TableSource):
            files = duckdb_files.table_files(self._data)
            return {"": duckdb_files.table_fingerprint(files)} if prefix == self._source.table else {}
        files = duckdb_files.daily_files(self._data, prefix)
        return {suffix: duckdb_files.table_fingerprint(paths) for suffix, paths in files.items()}

    def estimate(self, query: Query) -> int | None:
        """See Warehouse. DuckDB has no estimate; it checks that the query is valid."""
        self.columns(query)
        return None

    def columns(self, query: Query) -> list[Column]:
        """See Warehouse."""
        check_doubles(self._translate(query), self._execute)
        return [Column(name, bigquery_type(kind)) for name, kind in self._describe(query)]

    def create_table(self, name: str, query: Query, *, partition_by: str | None, order_by: Sequence[str]) -> None:
        """See Warehouse. DuckDB has no partitions."""
        casts = {column: needed_cast(kind) for column, kind in self._describe(query)}
        replaced = ", ".join(f'CAST("{column}" AS {kind}) AS "{column}"' for column, kind in casts.items() if kind)
        selected = f"* REPLACE ({replaced})" if replaced else "*"
        statement = self._translate(query)
        rows = f"SELECT {selected} FROM ({statement.sql})"
        if order_by:
            self._create_sorted(name, rows, statement.parameters, [check_identifier(c) for c in order_by], len(casts))
        else:
            self._execute(f'CREATE TABLE "{check_identifier(name)}" AS {rows}', statement.parameters)
        self._tables.add(name)

    def select(self, query: Query) -> list[dict[str, object]]:
        """See Warehouse."""
        statement = self._translate(query)
        rows, names = self._execute(statement.sql, statement.parameters)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def read(self, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Warehouse. Batches hold at most 16,384 rows, in the order of the table."""
        selected = ", ".join(f'"{check_identifier(column)}"' for column in columns)
        with contextlib.closing(self._connection.cursor()) as cursor, self._little_memory(len(columns)), explained():
            # A cursor: an open result would block every other query of the connection.
            reader = cursor.sql(f'SELECT {selected} FROM "{check_identifier(name)}"').to_arrow_reader(BATCH_ROWS)
            yield from reader

    def drop_table(self, name: str) -> None:
        """See Warehouse."""
        self._execute(f'DROP TABLE IF EXISTS "{check_identifier(name)}"')
        self._tables.discard(name)

    def close(self) -> None:
        """See Warehouse."""
        self._is_open = False
        self._connection.close()
        self._folder.cleanup()

    def __enter__(self) -> DuckDBWarehouse:
        """Returns itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""
        self.close()

    def _describe(self, query: Query) -> list[tuple[str, str]]:
        """Names and DuckDB types of a query's columns; a doubled name is in the list twice."""
        statement = self._translate(query)
        rows, _ = self._execute(f"DESCRIBE {statement.sql}", statement.parameters)
        return [(str(row[0]), str(row[1])) for row in rows]

    def _translate(self, query: Query) -> Statement:
        """The query in DuckDB's dialect. The last result is kept, since wide queries take long to parse."""
        if self._translated is None or self._translated[0] is not query:
            self._translated = None  # the views are those of another query until this one succeeds
            self._translated = (
                query,
                to_duckdb(query, lambda name: (self._locate(name, query),), lambda: self._flat_names),
            )
        return self._translated[1]

    def _execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> tuple[list[tuple], list[str]]:
        with explained():
            result = self._connection.execute(sql, dict(parameters) if parameters else None)
            names = [column[0] for column in result.description or ()]
            return result.fetchall(), names

    def _rows(self, sql: str) -> list[tuple]:
        return self._execute(sql)[0]

    def _create_sorted(
        self, name: str, rows: str, parameters: Mapping[str, object], order_by: Sequence[str], columns: int
    ) -> None:
        """Makes a sorted table. Long tables go through a Parquet file, so no step holds all rows in memory."""
        order = ", ".join(f'"{column}"' for column in order_by)
        if columns >= WIDE_COLUMNS:
            with explained(), contextlib.suppress(duckdb.OutOfMemoryException):
                self._connection.execute(f'CREATE TABLE "{name}" AS {rows} ORDER BY {order}', dict(parameters) or None)
                return
        unsorted = Path(self._folder.name) / f"{check_identifier(name)}.parquet"
        create = f'CREATE TABLE "{name}" AS SELECT * FROM read_parquet([{quote(unsorted)}]) ORDER BY {order}'
        options = f"FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
        try:
            with self._setting("preserve_insertion_order", "false", "true"):  # true would buffer far more
                self._execute(f"COPY ({rows}) TO {quote(unsorted)} ({options})", parameters)
            with explained():
                try:
                    with self._little_memory(columns):
                        self._connection.execute(create)
                except duckdb.OutOfMemoryException:
                    self._connection.execute(create)  # very wide rows need what the settings allow
        finally:
            unsorted.unlink(missing_ok=True)

    def _little_memory(self, columns: int) -> contextlib.AbstractContextManager[None]:
        """Lowers the memory limit, which DuckDB would fill with what it has read or written. Wide rows need more."""
        size, unit = self._memory_limit[:-2], self._memory_limit[-2:]
        (threads,) = self._connection.execute("SELECT current_setting('threads')").fetchall()[0]
        allowed = float(size) * {"MB": 1, "GB": 1000}[unit]
        little = min(allowed, (LITTLE_MEMORY_MB + threads * THREAD_MEMORY_MB) * max(1, columns / LITTLE_COLUMNS))
        return self._setting("memory_limit", f"{little:.0f}MB", self._memory_limit)

    @contextlib.contextmanager
    def _setting(self, name: str, value: str, afterwards: str) -> Iterator[None]:
        """Changes one of DuckDB's settings for a while."""
        self._execute(f"SET {name} = '{value}'")
        try:
            yield
        finally:
            if self._is_open:  # a reader may outlive the warehouse
                self._execute(f"SET {name} = '{afterwards}'")

    def _locate(self, name: str, query: Query) -> str:
        """The name of a table in DuckDB. Makes the source's tables when a query first reads them."""
        if name in self._tables:
            return name
        if isinstance(self._source, EventSource):
            self._view_events(name, query)
        elif name == self._source.table:
            self._load_table(query)
        else:
            raise WarehouseError(f"the query reads the table '{name}'; source.table of dataset.yaml names another")
        return name

    def _view_events(self, name: str, query: Query) -> None:
        """Makes a view over exactly the daily tables that the query names."""
        prefix = self._source.table_prefix
        if not name.startswith(prefix):
            raise WarehouseError(f"the query reads the table '{name}'; the source's are named {prefix}*")
        files = duckdb_files.daily_files(self._data, prefix)
        wanted = query.parameters.get("table_suffixes") if name == f"{prefix}*" else [name.removeprefix(prefix)]
        suffixes = list(files) if wanted is None else list(wanted)
        absent = [suffix for suffix in suffixes if suffix not in files]
        if absent or not suffixes:
            names = ", ".join(f"{prefix}{suffix}.parquet" for suffix in absent[:10]) or f"{prefix}YYYYMMDD.parquet"
            raise WarehouseError(f"{self._data}: no such file: {names}")
        sql = duckdb_files.events_sql({suffix: files[suffix] for suffix in suffixes}, prefix)
        if self._views.get(name) == sql:  # making a view opens every file
            return
        create = f'CREATE OR REPLACE VIEW "{name}" AS '
        self._execute(create + sql)
        rows, _ = self._execute(
            "SELECT data_type FROM duckdb_columns() WHERE table_name = $name AND column_name = 'event_params'",
            {"name": name},
        )
        completed = duckdb_files.with_value_fields(sql, rows[0][0] if rows else "")
        if completed != sql:
            self._execute(create + completed)
        self._views[name] = sql

    def _load_table(self, query: Query) -> None:
        """Makes the source's table: a view of Parquet files, or the text of a CSV file with types for this query."""
        source = self._source
        if not isinstance(source, TableSource):
            raise WarehouseError("only a table is loaded")
        files = duckdb_files.table_files(self._data)
        if duckdb_files.is_parquet(files[0]):
            columns = {path: parquet_files.column_names(self._rows, path) for path in files}
            sql = parquet_files.union_sql(self._rows, columns)
            self._execute(f"CREATE VIEW {quote_name(source.table)} AS {sql}")
            self._tables.add(source.table)
            self._flat_names = flat_names(columns[files[0]])
            return
        if self._text is None:
            self._text = TextTable(self._rows, self._data, files, source, Path(self._folder.name))
            self._flat_names = flat_names(self._text.columns)
        if query.roles == ALL_TEXT:
            uses = {column.lower(): {Use.TEXT} for column in self._text.columns}
        else:
            uses = column_uses(parse_select(query.sql), source.table, self._text.columns, query.roles)
        self._text.make_view(uses)
