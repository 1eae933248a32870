"""The score table in a DuckDB database file. Each day is one transaction."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.scores.layout import DATE, PERCENTILE, ScoresError, score_schema
from pipeline.scores.table import (
    FEATURES,
    FEATURES_COLUMNS,
    LATEST,
    RUNS,
    RUNS_COLUMNS,
    ScoredDay,
    ScoringRun,
    column_problem,
    is_expired,
    newest_before,
)
from pipeline.settings.run import DuckDBSettings
from pipeline.settings.scoring import ScoringSettings
from pipeline.warehouse.dialect import check_identifier
from pipeline.warehouse.duckdb.errors import describe
from pipeline.warehouse.duckdb.quoting import quote, quote_name

BATCH_ROWS = 16_384
_MEMORY_MB, _THREAD_MEMORY_MB = 340, 30  # at most: DuckDB would fill all that it may have with what it sorts
_TYPES = {  # DuckDB's, of the columns of layout.score_schema
    pa.int64(): "BIGINT",
    pa.string(): "VARCHAR",
    pa.date32(): "DATE",
    pa.float64(): "DOUBLE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}
_ENGINE_TYPES = {"INT64": "BIGINT", "STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMP WITH TIME ZONE"}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


class DuckDBScoreTable:
    """Implements pipeline.scores.table.ScoreTable.

    DuckDB lets one process write a file, or several read it. The file is opened for reading until something is written.
    A process that is killed leaves the day that it was writing as it was.
    """

    def __init__(self, path: Path, table: str, scoring: ScoringSettings, engine: DuckDBSettings):
        """Opens nothing yet.

        Args:
            path: the database file; `replace_days` makes it.
            table: the table's name.
            scoring: when days expire.
            engine: memory and threads.
        """
        self._path = path
        self._table = check_identifier(table)
        self._expiry_days = scoring.expiry_days
        self._engine = engine
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._writes = False  # whether it was opened for writing
        self.name = f"{table} in {path}"

    def check(self, schema: pa.Schema) -> None:
        """See ScoreTable."""
        found = self._found_columns(self._table)
        problem = column_problem(_columns(schema), found) if found else None
        if problem:
            raise ScoresError(
                f"the score table {self.name} {problem}; name another table in scoring.table, or move the file away"
            )

    def check_free(self, dates: Sequence[datetime.date], run_id: str) -> None:
        """See ScoreTable. Whoever has the file open holds a lock, readers too."""
        if self._path.exists():
            self._open_to_write()

    def scored_days(self) -> list[ScoredDay]:
        """See ScoreTable."""
        if not self._found_columns(self._table + RUNS):
            return []
        rows = self._execute(
            f'SELECT "{DATE}", day_rows, model_version, model_digest, run_id, epoch_us(scored_at) '
            f'FROM "{self._table}{RUNS}" '
            f'QUALIFY row_number() OVER (PARTITION BY "{DATE}" ORDER BY written_at DESC) = 1 ORDER BY "{DATE}"'
        )
        return [
            ScoredDay(*others, scored_at=_EPOCH + datetime.timedelta(microseconds=micros))
            for *others, micros in rows
            if not is_expired(others[0], self._expiry_days)
        ]

    def latest_before(self, date: datetime.date) -> ScoredDay | None:
        """See ScoreTable."""
        return newest_before(self.scored_days(), date)

    def replace_days(self, files: Mapping[datetime.date, str], run: ScoringRun) -> None:
        """See ScoreTable."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._open_to_write()
        for date in sorted(files):
            self._replace(date, files[date], run)

    def rows_of(self, date: datetime.date) -> Iterator[pa.RecordBatch]:
        """See ScoreTable. Highest score first."""
        columns = self._found_columns(self._table)
        if not columns:
            return
        key = next(iter(columns))
        schema = score_schema(key, next(kind for kind, name in _TYPES.items() if name == columns[key]))
        names = ", ".join(quote_name(name) for name in schema.names)
        query = (
            f'SELECT {names} FROM {quote_name(self._table)} WHERE "{DATE}" = DATE {quote(date)} '
            f'ORDER BY "{PERCENTILE}" DESC, {quote_name(key)}'
        )
        with self._explained(), contextlib.closing(self._connection().cursor()) as cursor:
            for batch in cursor.sql(query).to_arrow_reader(BATCH_ROWS):
                yield from pa.Table.from_batches([batch]).cast(schema).to_batches()

    def keep_features(self, date: datetime.date, run_id: str, features: str) -> None:
        """See ScoreTable."""
        self._open_to_write()
        table = quote_name(self._table + FEATURES)
        with self._transaction():
            self._execute(f"CREATE TABLE IF NOT EXISTS {table} ({_declared(FEATURES_COLUMNS)})")
            written_at = datetime.datetime.now(datetime.timezone.utc)
            self._execute(f"INSERT INTO {table} VALUES ($1, $2, $3, $4)", [date, run_id, written_at, features])

    def features_before(self, date: datetime.date) -> tuple[datetime.date, str] | None:
        """See ScoreTable."""
        if not self._found_columns(self._table + FEATURES):
            return None
        rows = self._execute(
            f'SELECT "{DATE}", features FROM {quote_name(self._table + FEATURES)} WHERE "{DATE}" < $1 '
            f'ORDER BY "{DATE}" DESC, written_at DESC LIMIT 1',
            [date],
        )
        return rows[0] if rows else None

    def close(self) -> None:
        """See ScoreTable."""
        if self._opened is not None:
            self._opened.close()
            self._opened, self._writes = None, False

    def __enter__(self) -> DuckDBScoreTable:
        """Returns itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""
        self.close()

    def _replace(self, date: datetime.date, file: str, run: ScoringRun) -> None:
        """Replaces a day, and deletes the days that have expired."""
        started = datetime.datetime.now(datetime.timezone.utc)
        schema = pq.read_schema(file)
        table, runs, latest = (quote_name(self._table + suffix) for suffix in ("", RUNS, LATEST))
        key = quote_name(schema.names[0])
        columns = ", ".join(f"{quote_name(name)} {kind}" for name, kind in _columns(schema).items())
        with self._transaction():
            self._execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            self._execute(f"CREATE TABLE IF NOT EXISTS {runs} ({_declared(RUNS_COLUMNS)})")
            self._execute(
                f"CREATE OR REPLACE VIEW {latest} AS SELECT * FROM {table} QUALIFY row_number() OVER "
                f'(PARTITION BY {key} ORDER BY "{DATE}" DESC, "{PERCENTILE}" DESC) = 1'
            )
            gone = [date.isoformat(), *self._expired_days()]
            self._execute(f'DELETE FROM {table} WHERE "{DATE}" IN (SELECT unnest($days::DATE[]))', {"days": gone})
            [(rows,)] = self._execute(f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet({quote(file)})")
            [(strange,)] = self._execute(
                f'SELECT count(*) FROM read_parquet({quote(file)}) WHERE "{DATE}" IS DISTINCT FROM DATE {quote(date)}'
            )
            if strange or not rows:
                raise ScoresError(f"{file}: {strange:,} of {rows:,} rows are not of {date}; nothing was written")
            self._execute(f'DELETE FROM {runs} WHERE "{DATE}" IN (SELECT unnest($days::DATE[]))', {"days": gone[1:]})
            self._execute(
                f"INSERT INTO {runs} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL)",
                [
                    *(date, rows, run.model_version, run.model_digest, run.run_id, run.scored_at),
                    *(started, datetime.datetime.now(datetime.timezone.utc)),
                ],
            )

    def _expired_days(self) -> list[str]:
        rows = self._execute(f'SELECT DISTINCT "{DATE}" FROM {quote_name(self._table + RUNS)}')
        return [date.isoformat() for (date,) in rows if is_expired(date, self._expiry_days)]

    def _found_columns(self, table: str) -> dict[str, str]:
        """Types by column; empty if there is no such table."""
        if not self._path.exists():
            return {}
        rows = self._execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database() AND "
            "schema_name = 'main' AND lower(table_name) = lower($name) ORDER BY column_index",
            {"name": table},
        )
        return dict(rows)

    def _open_to_write(self) -> None:
        if not self._writes:
            self.close()
            self._writes = True
        self._connection()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            config: dict[str, str | int] = {
                "memory_limit": self._engine.memory_limit,
                "autoinstall_known_extensions": "false",
                # See pipeline/warehouse/duckdb/engine.py.
                "disabled_optimizers": "statistics_propagation",
            }
            if self._engine.threads:
                config["threads"] = self._engine.threads
            with self._explained():
                self._opened = duckdb.connect(str(self._path), read_only=not self._writes, config=config)
                self._opened.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
                [(threads,)] = self._opened.execute("SELECT current_setting('threads')").fetchall()
                size, unit = float(self._engine.memory_limit[:-2]), self._engine.memory_limit[-2:]
                memory = min(size * {"MB": 1, "GB": 1000}[unit], _MEMORY_MB + threads * _THREAD_MEMORY_MB)
                self._opened.execute(f"SET memory_limit = '{memory:.0f}MB'")
        return self._opened

    def _execute(self, sql: str, parameters: Mapping[str, object] | Sequence[object] | None = None) -> list[tuple]:
        with self._explained():
            return self._connection().execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN TRANSACTION")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            with contextlib.suppress(duckdb.Error):  # the transaction may have ended with the error
                self._connection().execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            held = _HOLDER.search(str(error))
            if held or "Could not set lock" in str(error):
                who = f" ({Path(held['program']).name}, PID {held['pid']})" if held else ""
                raise ScoresError(
                    f"the score table {self.name} is open in another process{who}, perhaps a run that writes it; wait "
                    "until that has ended, or end it, and run again"
                ) from None
            raise ScoresError(f"the score table {self.name}: DuckDB: {describe(error)}") from None


def _declared(columns: Mapping[str, str]) -> str:
    """Columns with their types, as table.py has them, in a CREATE TABLE."""
    return ", ".join(f'"{name}" {_ENGINE_TYPES.get(kind, kind)}' for name, kind in columns.items())


def _columns(schema: pa.Schema) -> dict[str, str]:
    """DuckDB's types of the table's columns."""
    return {
        field.name: f"{_TYPES[field.type.value_type]}[]" if pa.types.is_list(field.type) else _TYPES[field.type]
        for field in schema
    }
