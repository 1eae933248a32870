"""How and where a pipeline runs: `runners/*.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings

IN_PROCESS_ROWS = 5_000_000

ExampleFormat = Literal["parquet", "tfrecord"]
ProjectId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,61}[a-z0-9]$")]


class DuckDBSettings(Settings):
    """The embedded engine.

    Attributes:
        engine: duckdb.
        memory_limit: most memory for its buffers; beyond it, it spills to disk.
        threads: threads of a query; 0 is one per core.
    """

    engine: Literal["duckdb"]
    memory_limit: Annotated[str, Field(pattern=r"^\d+(\.\d+)?(MB|GB)$")] = "2GB"
    threads: Annotated[int, Field(ge=0, le=256)] = 0


class BigQuerySettings(Settings):
    """BigQuery.

    Attributes:
        engine: bigquery.
        project: pays for the queries and holds the features tables.
        location: of the data sets, such as EU or us-central1.
        source: `project.dataset` of the events or the table.
        features_dataset: data set of `project` in which features tables are made.
        expiry_hours: when a features table is deleted.
        max_gib: most GiB that the query may read; a dry run is held against it first.
        labels: labels of jobs and tables.
    """

    engine: Literal["bigquery"]
    project: ProjectId
    location: str
    source: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,61}[a-z0-9]\.[A-Za-z0-9_]{1,1024}$")]
    features_dataset: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,1024}$")]
    expiry_hours: Annotated[int, Field(ge=1, le=24 * 60)] = 72
    max_gib: Annotated[float, Field(gt=0)] = 100
    labels: dict[str, str] = Field(default_factory=dict)


class RunSettings(Settings):
    """Where and with what a pipeline runs, here (`runners/local.yaml`) or on Vertex AI (`runners/vertex.yaml`).

    Attributes:
        warehouse: the engine.
        data: for DuckDB: the folder of daily tables, or the CSV or Parquet file.
        output: where artifacts, metadata and pushed models go; of Vertex AI, the compiled job.
        example_gen: `arrow` (batch by batch, any engine) or `stock` (TFX's own executor, BigQuery only).
        executors: of StatisticsGen, Transform and Evaluator: `batched` (ours, on Arrow batches) or `stock` (TFX's own).
        example_format: `parquet` or `tfrecord`; None is `tfrecord` where stock executors need it, `parquet` elsewhere.
        in_process_rows: most rows that a batched executor processes inside its step; more go to a Beam pipeline.
        sample_percent: share of the users (of the rows, where there is no key) whose rows are read; for trial runs.
        schema_source: `curated` (schema.pbtxt of the data set, if it has one) or `inferred`.
        beam_args: Beam options of the steps that run on Beam.
    """

    warehouse: DuckDBSettings | BigQuerySettings = Field(discriminator="engine")
    data: Path | None = None
    output: Path = Path("output")
    example_gen: Literal["arrow", "stock"] = "arrow"
    executors: Literal["batched", "stock"] = "batched"
    example_format: ExampleFormat | None = None
    in_process_rows: Annotated[int, Field(ge=0)] = IN_PROCESS_ROWS
    sample_percent: Annotated[int, Field(ge=1, le=100)] = 100
    schema_source: Literal["curated", "inferred"] = "curated"
    beam_args: tuple[str, ...] = ()

    @pydantic.model_validator(mode="after")
    def _fits_engine(self) -> RunSettings:
        if self.example_gen == "stock" and self.warehouse.engine != "bigquery":
            raise ValueError("example_gen 'stock' reads BigQuery only; with engine duckdb it must be 'arrow'")
        for setting in ("executors", "example_gen"):
            if getattr(self, setting) == "stock" and self.example_format == "parquet":
                raise ValueError(f"{setting} 'stock' works on tf.Examples; example_format must be 'tfrecord'")
        return self

    def beam_options(self) -> list[str]:
        """The Beam options of a step, and among them up to how many rows it needs no Beam."""
        return [*self.beam_args, f"--in_process_rows={self.in_process_rows}"]
