"""The score table on BigQuery. Each day is a load job into the partition of its date.

BigQuery replaces a partition at once when the job ends. The table of runs cannot change in the same moment: it gets a
row before the job, and another row after it. If the second one is missing, the partition itself says who wrote it.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery, bigquery_storage

from pipeline.scores import bigquery_loads as loads
from pipeline.scores.files import row_count, schema_of
from pipeline.scores.layout import (
    DATE,
    MODEL_DIGEST,
    MODEL_VERSION,
    PERCENTILE,
    RUN_ID,
    SCORED_AT,
    ScoresError,
    score_schema,
)
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
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.scoring import ScoringSettings
from pipeline.warehouse.bigquery.errors import describe
from pipeline.warehouse.bigquery.streams import in_parallel
from pipeline.warehouse.dialect import check_identifier, quoted, text_literal

_GIB = 2**30
_STREAMS = 4  # at most, for reading a day
_FIRST_DATE = "0001-01-01"  # in the view, since a query of the table may have to name dates


class BigQueryScoreTable:
    """Implements pipeline.scores.table.ScoreTable. rows_of has no order."""

    def __init__(
        self,
        settings: BigQuerySettings,
        table: str,
        scoring: ScoringSettings,
        *,
        client: bigquery.Client | None = None,
        read_client: bigquery_storage.BigQueryReadClient | None = None,
    ):
        """Does not connect yet; the first call looks for credentials.

        Args:
            settings: project, data set, limits and labels.
            table: the table's name.
            scoring: when days expire, and whether queries must name dates.
            client: for jobs and tables; by default one with the default credentials.
            read_client: for the Storage Read API; by default one with the default credentials.
        """
        self._settings = settings
        self._scoring = scoring
        self._given_client = client
        self._given_read_client = read_client
        dataset = settings.scores_dataset or settings.features_dataset
        self.name = f"{settings.project}.{dataset}.{check_identifier(table)}"

    def check(self, schema: pa.Schema) -> None:
        """See ScoreTable. It must also be partitioned by the snapshot date."""
        found = self._table()
        if found is None:
            return
        problem = column_problem(loads.types_of(loads.fields(schema)), loads.types_of(found.schema))
        partitioning = found.time_partitioning
        if not problem and (partitioning is None or (partitioning.field, partitioning.type_) != (DATE, "DAY")):
            problem = f"is not partitioned by the day of '{DATE}'"
        if problem:
            raise ScoresError(
                f"the score table {self.name} {problem}; name another table in scoring.table, or rename this one"
            )

    def check_free(self, dates: Sequence[datetime.date], run_id: str) -> None:
        """See ScoreTable. A run that was cut off has no job that still runs."""
        for record in loads.unfinished(self._records()):
            if record[DATE] in dates and record["run_id"] != run_id:
                with self._explained():
                    job = loads.find_job(self._client(), record["job_id"], self._settings)
                if job is not None and job.state != "DONE":
                    raise ScoresError(
                        f"{record[DATE]}: run {record['run_id']} is writing the score table {self.name} (job "
                        f"{record['job_id']}); wait until that job has ended, and run again"
                    )

    def scored_days(self) -> list[ScoredDay]:
        """See ScoreTable."""
        if self._table() is None:
            return []
        by_date: dict[datetime.date, list[bigquery.Row]] = {}
        for record in self._records():
            by_date.setdefault(record[DATE], []).append(record)
        found = [
            self._scored_day(date, records)
            for date, records in sorted(by_date.items())
            if not is_expired(date, self._scoring.expiry_days)
        ]
        return [day for day in found if day is not None]

    def latest_before(self, date: datetime.date) -> ScoredDay | None:
        """See ScoreTable."""
        return newest_before(self.scored_days(), date)

    def replace_days(self, files: Mapping[datetime.date, str], run: ScoringRun) -> None:
        """See ScoreTable. A retry of the same run finds the jobs that it has started, and waits for them."""
        schema = schema_of(files[min(files)])
        with self._explained():
            self._make_tables(schema)
        for date in sorted(files):
            records = [record for record in self._records() if record[DATE] == date]
            with self._explained():
                load = loads.DayLoad.of(self._settings, self.name, date, files[date], run, records)
                job_id, job = load.next_job(self._client())
                started = datetime.datetime.now(datetime.timezone.utc)
                values = (date, row_count(files[date]), *_identity(run), started)
                self._insert(RUNS, RUNS_COLUMNS, [*values, None, job_id])
                load.finish(self._client(), schema, job_id, job)
                self._insert(RUNS, RUNS_COLUMNS, [*values, datetime.datetime.now(datetime.timezone.utc), job_id])

    def rows_of(self, date: datetime.date) -> Iterator[pa.RecordBatch]:
        """See ScoreTable. Reads several streams at once."""
        found = self._table()
        if found is None:
            return
        schema = score_schema(found.schema[0].name, loads.arrow_type(found.schema[0]))
        project, dataset, table = self.name.split(".")
        types = bigquery_storage.types
        with self._explained():
            client = self._read_client()
            session = client.create_read_session(
                parent=f"projects/{self._settings.project}",
                read_session=types.ReadSession(
                    table=f"projects/{project}/datasets/{dataset}/tables/{table}",
                    data_format=types.DataFormat.ARROW,
                    read_options=types.ReadSession.TableReadOptions(
                        selected_fields=schema.names, row_restriction=f"{DATE} = DATE '{date.isoformat()}'"
                    ),
                ),
                max_stream_count=_STREAMS,
            )

            def batches(stream: bigquery_storage.types.ReadStream) -> Iterator[pa.RecordBatch]:
                for page in client.read_rows(stream.name).rows(session).pages:
                    rows = pa.Table.from_batches([page.to_arrow()]).select(schema.names)  # they come in another order
                    yield from rows.cast(schema).to_batches()

            yield from in_parallel([functools.partial(batches, stream) for stream in session.streams])

    def keep_features(self, date: datetime.date, run_id: str, features: str) -> None:
        """See ScoreTable."""
        description = f"The features of days of {self.name}, summed up"
        table = loads.plain_table(self.name + FEATURES, FEATURES_COLUMNS, description)
        values = (date, run_id, datetime.datetime.now(datetime.timezone.utc), features)
        with self._explained():
            self._make(table)
            self._insert(FEATURES, FEATURES_COLUMNS, values)

    def features_before(self, date: datetime.date) -> tuple[datetime.date, str] | None:
        """See ScoreTable."""
        sql = (
            f"SELECT {DATE}, features FROM `{self.name}{FEATURES}` WHERE {DATE} < @day "
            f"ORDER BY {DATE} DESC, written_at DESC LIMIT 1"
        )
        with self._explained():
            try:
                found = next(iter(self._query(sql, day=("DATE", date))), None)
            except NotFound:
                return None
        return None if found is None else (found[DATE], found["features"])

    def close(self) -> None:
        """See ScoreTable."""
        for client in (self._given_client, self._given_read_client):
            close = getattr(client, "close", None) or getattr(getattr(client, "transport", None), "close", None)
            if close:
                close()

    def __enter__(self) -> BigQueryScoreTable:
        """Returns itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""
        self.close()

    def _scored_day(self, date: datetime.date, records: Sequence[bigquery.Row]) -> ScoredDay | None:
        """What a partition holds, by the table of runs; by the partition itself if a run may have been cut off."""
        written = [record for record in records if record["written_at"] is not None]
        newest = max(written, key=lambda record: record["written_at"], default=None)
        cut_off = loads.unfinished(records)
        if cut_off and (newest is None or cut_off[-1]["started_at"] > newest["started_at"]):
            columns = ", ".join([MODEL_VERSION, MODEL_DIGEST, RUN_ID, SCORED_AT])
            sql = f"SELECT COUNT(*) AS day_rows, {columns} FROM `{self.name}` WHERE {DATE} = @day GROUP BY {columns}"
            with self._explained():
                newest = next(iter(self._query(sql, day=("DATE", date))), None)
        if newest is None:
            return None
        return ScoredDay(
            date, newest["day_rows"], *(newest[name] for name in (MODEL_VERSION, MODEL_DIGEST, RUN_ID, SCORED_AT))
        )

    def _make_tables(self, schema: pa.Schema) -> None:
        """Makes what is absent, and brings expiry and the filter of the score table up to the settings."""
        table = loads.score_table(self.name, schema, self._scoring)
        self._make(table)
        self._make(loads.plain_table(self.name + RUNS, RUNS_COLUMNS, f"Which model scored which day of {self.name}"))
        found = self._client().get_table(self.name)
        filtered = bool(found.require_partition_filter) == self._scoring.require_partition_filter
        if not filtered or found.time_partitioning.expiration_ms != table.time_partitioning.expiration_ms:
            found.require_partition_filter = self._scoring.require_partition_filter
            found.time_partitioning = table.time_partitioning
            self._client().update_table(found, ["require_partition_filter", "time_partitioning"])
        description = text_literal(f"Each customer's newest score in {self.name}; made by the propensity pipeline.")
        self._query(
            f"CREATE OR REPLACE VIEW `{self.name}{LATEST}` OPTIONS (description = {description}) AS\n"
            f"SELECT * FROM `{self.name}` WHERE {DATE} >= DATE '{_FIRST_DATE}'\n"
            f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {quoted(schema.names[0])} "
            f"ORDER BY {DATE} DESC, {PERCENTILE} DESC) = 1"
        )

    def _make(self, table: bigquery.Table) -> None:
        table.labels = dict(self._settings.labels)
        found = self._client().create_table(table, exists_ok=True)
        if found.expires is not None:  # by the data set's default, which is for features tables
            found.expires = None
            self._client().update_table(found, ["expires"])

    def _insert(self, suffix: str, columns: Mapping[str, str], values: Sequence[object]) -> None:
        parameters = {name: (kind, value) for (name, kind), value in zip(columns.items(), values, strict=True)}
        named = ", ".join(f"@{name}" for name in columns)
        self._query(f"INSERT INTO `{self.name}{suffix}` ({', '.join(columns)}) VALUES ({named})", **parameters)

    def _records(self) -> list[bigquery.Row]:
        """The table of runs, oldest first; none if it is absent."""
        with self._explained():
            try:
                return self._query(f"SELECT {', '.join(RUNS_COLUMNS)} FROM `{self.name}{RUNS}` ORDER BY started_at")
            except NotFound:
                return []

    def _query(self, sql: str, **parameters: tuple[str, object]) -> list[bigquery.Row]:
        config = bigquery.QueryJobConfig(
            query_parameters=[bigquery.ScalarQueryParameter(name, *value) for name, value in parameters.items()],
            labels=dict(self._settings.labels),
            maximum_bytes_billed=int(self._settings.max_gib * _GIB),
            use_legacy_sql=False,
        )
        return list(self._client().query(sql, job_config=config, location=self._settings.location).result())

    def _table(self) -> bigquery.Table | None:
        with self._explained():
            try:
                return self._client().get_table(self.name)
            except NotFound as error:
                if "Not found: Dataset" in str(error):
                    raise
                return None

    def _client(self) -> bigquery.Client:
        if self._given_client is None:
            self._given_client = bigquery.Client(project=self._settings.project, location=self._settings.location)
        return self._given_client

    def _read_client(self) -> bigquery_storage.BigQueryReadClient:
        if self._given_read_client is None:
            self._given_read_client = bigquery_storage.BigQueryReadClient()
        return self._given_read_client

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (GoogleAPIError, GoogleAuthError) as error:
            raise ScoresError(f"the score table {self.name}: BigQuery: {describe(error)}") from None


def _identity(run: ScoringRun) -> tuple[str, str, str, datetime.datetime]:
    return run.model_version, run.model_digest, run.run_id, run.scored_at
