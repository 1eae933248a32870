"""The warehouse on BigQuery: query jobs make the features table, and the Storage Read API returns it as Arrow."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery, bigquery_storage

from pipeline.settings.dataset import EventSource, TableSource
from pipeline.settings.run import BigQuerySettings
from pipeline.warehouse.bigquery.errors import describe
from pipeline.warehouse.bigquery.streams import in_parallel
from pipeline.warehouse.dialect import (
    Statement,
    check_identifier,
    parameter_type,
    quoted,
    text_literal,
    to_bigquery,
)
from pipeline.warehouse.interface import Column, Query, Value, WarehouseError

_progress = logging.getLogger("propensity.progress")

_GIB = 2**30
#: Days after which a partition of a features table would expire. The table as a whole expires long before.
_PARTITION_EXPIRY_DAYS = 36_500
_STREAMS = 4  # at most, for reading a table
_STANDARD_NAMES = {  # of the types for which the API uses older names
    "INTEGER": "INT64",
    "FLOAT": "FLOAT64",
    "BOOLEAN": "BOOL",
    "RECORD": "STRUCT",
}


class BigQueryWarehouse:
    """Implements pipeline.warehouse.interface.Warehouse.

    Every query has a dry run first and is refused if it would read more than `settings.max_gib`. BigQuery does not keep
    the order of rows, so `order_by` has no effect.
    """

    def __init__(
        self,
        settings: BigQuerySettings,
        source: EventSource | TableSource,
        *,
        client: bigquery.Client | None = None,
        read_client: bigquery_storage.BigQueryReadClient | None = None,
    ):
        """Does not connect yet; the first call looks for credentials.

        Args:
            settings: project, data sets, limits and labels.
            source: what the data is.
            client: for jobs and tables; by default one with the default credentials.
            read_client: for the Storage Read API; by default one with the default credentials.
        """
        self._settings = settings
        self._source = source
        self._given_client = client
        self._given_read_client = read_client
        self._tables: set[str] = set()

    def source_tables(self, prefix: str) -> Mapping[str, str]:
        """See Warehouse. One free query of the data set's metadata replaces a call for each table."""
        sql = (
            "SELECT table_id, last_modified_time, row_count, size_bytes "
            f"FROM `{self._settings.source}.__TABLES__` WHERE STARTS_WITH(table_id, @prefix)"
        )
        job = self._run(Statement(sql, {"prefix": prefix}))
        with _explained():
            rows = sorted(job.result(), key=lambda row: row["table_id"])
        return {
            row["table_id"].removeprefix(prefix): f"{row['last_modified_time']}-{row['row_count']}-{row['size_bytes']}"
            for row in rows
        }

    def estimate(self, query: Query) -> int | None:
        """See Warehouse."""
        return self._dry_run(query).total_bytes_processed

    def columns(self, query: Query) -> list[Column]:
        """See Warehouse."""
        fields = self._dry_run(query).schema or ()
        return [
            Column(
                field.name,
                "ARRAY" if field.mode == "REPEATED" else _STANDARD_NAMES.get(field.field_type, field.field_type),
            )
            for field in fields
        ]

    def create_table(self, name: str, query: Query, *, partition_by: str | None, order_by: Sequence[str]) -> None:
        """See Warehouse. The table expires after `settings.expiry_hours`."""
        self._guard(query)
        statement = self._translate(query)
        pairs = self._settings.labels.items()
        labels = ", ".join(f"({text_literal(key)}, {text_literal(value)})" for key, value in pairs)
        options = {
            "expiration_timestamp": f"TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {self._settings.expiry_hours} HOUR)",
            "description": text_literal("One row per example of a training run; made by the propensity pipeline."),
            **({"labels": f"[{labels}]"} if labels else {}),
        }
        if partition_by:  # else the data set's default would delete the partitions of old snapshots
            options["partition_expiration_days"] = str(_PARTITION_EXPIRY_DAYS)
        sql = "\n".join(
            [
                f"CREATE TABLE `{self._full_name(name)}`",
                *([f"PARTITION BY {quoted(partition_by)}"] if partition_by else []),
                f"OPTIONS ({', '.join(f'{key} = {value}' for key, value in options.items())})",
                f"AS\n{statement.sql}",
            ]
        )
        job = self._run(Statement(sql, statement.parameters))
        with _explained():
            job.result()
        self._tables.add(name)

    def select(self, query: Query) -> list[dict[str, object]]:
        """See Warehouse."""
        job = self._run(self._translate(query))
        with _explained():
            return [dict(row.items()) for row in job.result()]

    def text(self, query: Query) -> str:
        """A query without parameters as BigQuery runs it, with full table names; for other clients."""
        return self._translate(query).sql

    def read(self, name: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Warehouse. Reads several streams at once: columns in the given order, rows in none."""
        project, dataset, table = self._full_name(name).split(".")
        wanted = [check_identifier(column) for column in columns]
        with _explained():
            client = self._read_client()
            session = client.create_read_session(
                parent=f"projects/{project}",
                read_session=bigquery_storage.types.ReadSession(
                    table=f"projects/{project}/datasets/{dataset}/tables/{table}",
                    data_format=bigquery_storage.types.DataFormat.ARROW,
                    read_options=bigquery_storage.types.ReadSession.TableReadOptions(selected_fields=wanted),
                ),
                max_stream_count=_STREAMS,
            )

            def batches(stream: bigquery_storage.types.ReadStream) -> Iterator[pa.RecordBatch]:
                for page in client.read_rows(stream.name).rows(session).pages:
                    yield _in_order(page.to_arrow(), wanted)

            yield from in_parallel([functools.partial(batches, stream) for stream in session.streams])

    def drop_table(self, name: str) -> None:
        """See Warehouse."""
        with _explained():
            self._client().delete_table(self._full_name(name), not_found_ok=True)
        self._tables.discard(name)

    def close(self) -> None:
        """See Warehouse."""
        for client in (self._given_client, self._given_read_client):
            close = getattr(client, "close", None) or getattr(getattr(client, "transport", None), "close", None)
            if close:
                close()

    def __enter__(self) -> BigQueryWarehouse:
        """Returns itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""
        self.close()

    def _guard(self, query: Query) -> None:
        """Makes a dry run, shows how much the query would read, and refuses more than the limit."""
        gib = (self.estimate(query) or 0) / _GIB
        _progress.info("BigQuery will read %.2f GiB (limit %g)", gib, self._settings.max_gib)
        if gib > self._settings.max_gib:
            raise WarehouseError(
                f"the query would read {gib:.2f} GiB, and warehouse.max_gib is {self._settings.max_gib:g}; "
                "raise it, or read fewer days"
            )

    def _dry_run(self, query: Query) -> bigquery.QueryJob:
        return self._run(self._translate(query), dry_run=True)

    def _run(self, statement: Statement, *, dry_run: bool = False) -> bigquery.QueryJob:
        config = bigquery.QueryJobConfig(
            query_parameters=[_parameter(name, value) for name, value in statement.parameters.items()],
            labels=dict(self._settings.labels),
            use_legacy_sql=False,
        )
        if dry_run:
            config.dry_run, config.use_query_cache = True, False
        else:
            config.maximum_bytes_billed = int(self._settings.max_gib * _GIB)
        with _explained():
            return self._client().query(statement.sql, job_config=config, location=self._settings.location)

    def _translate(self, query: Query) -> Statement:
        return to_bigquery(query, self._locate)

    def _locate(self, name: str) -> Sequence[str]:
        """Project, data set and table for a name in a query: a table made here, or one of the source."""
        if name in self._tables:
            return self._full_name(name).split(".")
        known = self._source.table_prefix if isinstance(self._source, EventSource) else self._source.table
        if not name.startswith(known) or (isinstance(self._source, TableSource) and name != known):
            raise WarehouseError(f"the query reads the table '{name}'; dataset.yaml's source is '{known}'")
        return (*self._settings.source.split("."), name)

    def _full_name(self, name: str) -> str:
        return f"{self._settings.project}.{self._settings.features_dataset}.{check_identifier(name)}"

    def _client(self) -> bigquery.Client:
        if self._given_client is None:
            self._given_client = bigquery.Client(project=self._settings.project, location=self._settings.location)
        return self._given_client

    def _read_client(self) -> bigquery_storage.BigQueryReadClient:
        if self._given_read_client is None:
            self._given_read_client = bigquery_storage.BigQueryReadClient()
        return self._given_read_client


def _parameter(name: str, value: Value) -> bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter:
    kind = parameter_type(name, value)
    if kind.startswith("ARRAY<"):
        return bigquery.ArrayQueryParameter(name, kind[len("ARRAY<") : -1], list(value))
    return bigquery.ScalarQueryParameter(name, kind, value)


def _in_order(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """The batch with its columns in the given order; the service returns them in the table's order."""
    arrays = [batch.column(batch.schema.get_field_index(column)) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        raise WarehouseError(f"BigQuery: {describe(error)}") from None
