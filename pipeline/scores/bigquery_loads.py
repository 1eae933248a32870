"""Load jobs of days into partitions: their ids, so that a retry is the same job, and their schema."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery

from pipeline.scores.files import GCS, content_digest
from pipeline.scores.layout import DATE, ScoresError
from pipeline.scores.table import ScoringRun
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.scoring import ScoringSettings

#: Days after which a day's scores expire if the settings name none; without it, the data set's default would apply.
_KEPT_DAYS = 36_500
#: Jobs of the same content that may fail before a run gives up.
MOST_ATTEMPTS = 20
_DAY_MS = 24 * 60 * 60 * 1000
_TYPES = {
    pa.int64(): "INT64",
    pa.string(): "STRING",
    pa.date32(): "DATE",
    pa.float64(): "FLOAT64",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP",
}
_STANDARD_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64"}  # of the types for which the API uses older names


@dataclasses.dataclass(frozen=True)
class DayLoad:
    """The load of a file into the partition of a date.

    Attributes:
        settings: project, location and labels.
        table: project.dataset.table.
        date: of the partition.
        file: a local Parquet file, or one on Cloud Storage.
        base: of the job's id.
    """

    settings: BigQuerySettings
    table: str
    date: datetime.date
    file: str
    base: str

    @classmethod
    def of(
        cls,
        settings: BigQuerySettings,
        table: str,
        date: datetime.date,
        file: str,
        run: ScoringRun,
        records: Sequence[Mapping[str, Any]],
    ) -> DayLoad:
        """The load that a run makes.

        The id follows from table, date, model, content, and the run that wrote the day before. The last one tells a
        retry from a run that loads the same content once more, after another run has replaced it.

        Args:
            settings: project, location and labels.
            table: project.dataset.table.
            date: of the partition.
            file: the rows.
            run: who scored them.
            records: rows of the table of runs for the date, oldest first.
        """
        cut_off = {(record["run_id"], record["started_at"]) for record in unfinished(records)}
        before = [
            f"{record['run_id']} {record['started_at'].isoformat()}"
            for record in records
            if record["run_id"] != run.run_id or (record["run_id"], record["started_at"]) not in cut_off
        ]
        parts = [table, date.isoformat(), run.model_digest, content_digest(file), *before[-1:]]
        return cls(settings, table, date, file, f"scores_{date:%Y%m%d}_{_digest(parts)[:40]}")

    def next_job(self, client: bigquery.Client) -> tuple[str, bigquery.LoadJob | None]:
        """The id of the job to wait for, and the job if it has been started. Jobs that failed are passed over."""
        for attempt in range(MOST_ATTEMPTS):
            job_id = f"{self.base}_{attempt}"
            job = find_job(client, job_id, self.settings)
            if job is None or job.state != "DONE" or not job.error_result:
                return job_id, job
        raise ScoresError(
            f"{self.date}: {MOST_ATTEMPTS} load jobs into {self.table} have failed, the last one {job_id}; see its "
            "error in BigQuery's job history, and score the day again"
        )

    def finish(
        self, client: bigquery.Client, schema: pa.Schema, job_id: str, job: bigquery.LoadJob | None
    ) -> bigquery.LoadJob:
        """Starts the job unless it has been, and waits for its end.

        Raises:
            GoogleAPIError: the job failed.
        """
        if job is None:
            try:
                job = self._start(client, schema, job_id)
            except Conflict:  # started since: by an attempt of the same run that was taken for dead
                job = client.get_job(job_id, project=self.settings.project, location=self.settings.location)
        job.result()
        return job

    def _start(self, client: bigquery.Client, schema: pa.Schema, job_id: str) -> bigquery.LoadJob:
        options = bigquery.ParquetOptions()
        options.enable_list_inference = True  # the reasons are an ARRAY, not a STRUCT with one
        config = bigquery.LoadJobConfig(
            parquet_options=options,
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            schema=fields(schema),
            labels=dict(self.settings.labels),
        )
        arguments = {
            "destination": f"{self.table}${self.date:%Y%m%d}",
            "job_id": job_id,
            "job_config": config,
            "project": self.settings.project,
            "location": self.settings.location,
        }
        if self.file.startswith(GCS):
            return client.load_table_from_uri(self.file, **arguments)
        with open(self.file, "rb") as file:
            return client.load_table_from_file(file, **arguments)


def unfinished(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of rows of the table of runs, those of a day that a run began to write, but did not note as written."""
    done = {(r[DATE], r["run_id"], r["started_at"]) for r in records if r["written_at"] is not None}
    return [r for r in records if r["written_at"] is None and (r[DATE], r["run_id"], r["started_at"]) not in done]


def find_job(client: bigquery.Client, job_id: str, settings: BigQuerySettings) -> bigquery.LoadJob | None:
    """A job by its id; None if there is none."""
    try:
        return client.get_job(job_id, project=settings.project, location=settings.location)
    except NotFound:
        return None


def fields(schema: pa.Schema) -> list[bigquery.SchemaField]:
    """BigQuery's columns of layout.score_schema."""
    return [
        bigquery.SchemaField(field.name, _TYPES[field.type.value_type], mode="REPEATED")
        if pa.types.is_list(field.type)
        else bigquery.SchemaField(field.name, _TYPES[field.type], mode="NULLABLE" if field.nullable else "REQUIRED")
        for field in schema
    ]


def types_of(columns: Sequence[bigquery.SchemaField]) -> dict[str, str]:
    """Types by column, by their standard names."""
    names = {column.name: _STANDARD_NAMES.get(column.field_type, column.field_type) for column in columns}
    return {c.name: f"ARRAY<{names[c.name]}>" if c.mode == "REPEATED" else names[c.name] for c in columns}


def arrow_type(column: bigquery.SchemaField) -> pa.DataType:
    """The Arrow type of a key."""
    return pa.int64() if types_of([column])[column.name] == "INT64" else pa.string()


def score_table(name: str, schema: pa.Schema, scoring: ScoringSettings) -> bigquery.Table:
    """The score table as it is to be made."""
    table = bigquery.Table(name, schema=fields(schema))
    table.time_partitioning = partitioning(scoring)
    table.clustering_fields = [schema.names[0]]
    table.require_partition_filter = scoring.require_partition_filter
    table.description = "The scores of customers by snapshot date; made by the propensity pipeline."
    return table


def plain_table(name: str, columns: Mapping[str, str], description: str) -> bigquery.Table:
    """A table as it is to be made, without partitions.

    Args:
        name: its name with project and data set.
        columns: types by name.
        description: what it holds, in words.
    """
    table = bigquery.Table(name, schema=[bigquery.SchemaField(column, kind) for column, kind in columns.items()])
    table.description = f"{description}; made by the propensity pipeline."
    return table


def partitioning(scoring: ScoringSettings) -> bigquery.TimePartitioning:
    """By day of the snapshot date; each partition expires as the settings say."""
    days = scoring.expiry_days or _KEPT_DAYS
    return bigquery.TimePartitioning(field=DATE, type_="DAY", expiration_ms=days * _DAY_MS)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
