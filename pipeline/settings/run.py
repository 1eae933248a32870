"""Where and how a pipeline runs: `runners/*.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings

IN_PROCESS_ROWS = 5_000_000

ExampleFormat = Literal["parquet", "tfrecord"]
ProjectId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{4,61}[a-z0-9]$", json_schema_extra={"form": "project id"})]


class DuckDBSettings(Settings):
    """The embedded engine. It runs inside the process and reads Parquet and CSV files."""

    engine: Literal["duckdb"] = Field(description="DuckDB.")
    memory_limit: str = Field(
        default="2GB",
        pattern=r"^\d+(\.\d+)?(MB|GB)$",
        json_schema_extra={"form": "number and MB or GB, such as 500MB"},
        description="Memory for its buffers. Beyond it, DuckDB spills to disk.",
    )
    threads: int = Field(default=0, ge=0, le=256, description="Threads of a query. 0 means one per core.")


class BigQuerySettings(Settings):
    """BigQuery, with the machine's default credentials."""

    engine: Literal["bigquery"] = Field(description="BigQuery.")
    project: ProjectId = Field(description="The project that pays for the queries and holds the features tables.")
    location: str = Field(description="The location of the data sets, such as EU or us-central1.")
    source: str = Field(
        pattern=r"^[a-z][a-z0-9-]{4,61}[a-z0-9]\.[A-Za-z0-9_]{1,1024}$",
        json_schema_extra={"form": "project.dataset"},
        description="Where the events or your table are.",
    )
    features_dataset: str = Field(
        pattern=r"^[A-Za-z0-9_]{1,1024}$",
        json_schema_extra={"form": "name of a data set"},
        description="The data set of `project` in which features tables are made.",
    )
    scores_dataset: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_]{1,1024}$",
        json_schema_extra={"form": "name of a data set"},
        description="The data set of `project` that holds the score table. Without it: `features_dataset`.",
    )
    expiry_hours: int = Field(
        default=72, ge=1, le=24 * 60, description="Hours after which a features table is deleted."
    )
    max_gib: float = Field(
        default=100, gt=0, description="A query does not run if its dry run says that it reads more GiB than this."
    )
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of jobs and tables.")


class RunSettings(Settings):
    """Where and how the pipeline runs. `make run SETTINGS=my.yaml` takes another file."""

    warehouse: DuckDBSettings | BigQuerySettings = Field(discriminator="engine", description="The query engine.")
    data: Path | None = Field(
        default=None,
        description="For DuckDB: the folder of daily tables, or the CSV or Parquet file. `DATA=` replaces it. "
        "Without it, `ga4` runs on the sample.",
    )
    output: Path = Field(
        default=Path("output"),
        description="The folder for artifacts, metadata, logs and pushed models, with a folder per data set. "
        "`OUTPUT=` replaces it. For Vertex AI, the folder of the compiled job.",
    )
    example_gen: Literal["arrow", "stock"] = Field(
        default="arrow",
        description="How BigQueryExampleGen reads: `arrow` reads Arrow batches from any engine; `stock` is TFX's own "
        "executor, for BigQuery only.",
    )
    executors: Literal["batched", "stock"] = Field(
        default="batched",
        description="The executors of StatisticsGen, Transform and Evaluator: `batched` works on Arrow batches; "
        "`stock` is TFX's own. With library versions that were not tested, the stock executors run, with a warning. "
        "See [performance.md](performance.md).",
    )
    example_format: ExampleFormat | None = Field(
        default=None,
        description="The format of raw and transformed examples. Without it: `tfrecord` where `example_gen` or "
        "`executors` is `stock`, `parquet` elsewhere.",
    )
    in_process_rows: int = Field(
        default=IN_PROCESS_ROWS,
        ge=0,
        description="Up to this number of rows, a batched executor works inside its step. With more rows, or if "
        "`beam_args` name a runner with separate workers, it starts a Beam pipeline.",
    )
    sample_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Percentage of the users (of the rows, without a key) whose rows are read, for trial runs. On "
        "Vertex AI it is a runtime parameter.",
    )
    schema_source: Literal["curated", "inferred"] = Field(
        default="curated",
        description="`curated` takes the data set's `schema.pbtxt`, if there is one. `inferred` infers a schema from "
        "the rows of the run.",
    )
    beam_args: tuple[str, ...] = Field(
        default=(),
        description="Beam options of the steps that run on Beam. Without `--sdk_container_image`, TFX packs itself "
        "for remote workers at the start of each step, which takes 2.5 s.",
    )

    @pydantic.model_validator(mode="after")
    def _fits_engine(self) -> RunSettings:
        if self.example_gen == "stock" and self.warehouse.engine != "bigquery":
            raise ValueError("example_gen 'stock' reads BigQuery only; with engine duckdb it must be 'arrow'")
        for setting in ("executors", "example_gen"):
            if getattr(self, setting) == "stock" and self.example_format == "parquet":
                raise ValueError(f"{setting} 'stock' works on tf.Examples; example_format must be 'tfrecord'")
        return self

    def beam_options(self) -> list[str]:
        """The Beam options of a step, including the number of rows up to which it needs no Beam."""
        return [*self.beam_args, f"--in_process_rows={self.in_process_rows}"]
