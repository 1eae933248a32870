"""Where and how the pipeline runs on Vertex AI: `runners/vertex.yaml`."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings, SettingsError, load_settings
from pipeline.settings.run import ProjectId, RunSettings
from pipeline.settings.source import TimeZone

CloudFolder = Annotated[
    str,
    Field(
        pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^/\s]+)*$", json_schema_extra={"form": "gs://bucket/folder"}
    ),
]
Region = Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+$", json_schema_extra={"form": "region, such as us-central1"})]
ServiceAccount = Annotated[
    str,
    Field(pattern=r"^[^@\s]+@[^@\s]+\.gserviceaccount\.com$", json_schema_extra={"form": "service account's e-mail"}),
]
Accelerator = Annotated[
    str,
    Field(pattern=r"^[A-Z][A-Z0-9_]+$", json_schema_extra={"form": "accelerator type, such as NVIDIA_TESLA_T4"}),
]
Labels = dict[
    Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")], Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]
]


class Resources(Settings):
    """The least that a step's machine has. Vertex AI chooses what you leave out."""

    cpu: float | None = Field(default=None, gt=0, le=96, description="Cores.")
    memory_gb: float | None = Field(default=None, gt=0, le=624, description="Memory in gigabytes.")
    accelerator: Accelerator | None = Field(default=None, description="Type of the accelerators.")
    accelerators: int = Field(default=1, ge=1, le=16, description="Number of accelerators.")


class Retry(Settings):
    """How often a failed step is tried again."""

    count: int = Field(default=2, ge=0, le=10, description="Most retries.")
    backoff_seconds: int = Field(default=60, ge=0, le=3600, description="Wait before the first retry, in seconds.")
    backoff_factor: float = Field(default=2, ge=1, le=10, description="Factor by which each wait grows.")
    max_backoff_seconds: int = Field(default=3600, ge=0, le=3600, description="Longest wait, in seconds.")


class TrainerJobSettings(Settings):
    """The machine of the Vertex AI custom job in which each Trainer runs. Without it, Trainers run in their steps."""

    machine_type: str = Field(default="n1-standard-8", description="Machine type of Compute Engine.")
    accelerator: Accelerator | None = Field(default=None, description="Type of the accelerators.")
    accelerators: int = Field(default=1, ge=1, le=16, description="Number of accelerators.")


class Dataflow(Settings):
    """How StatisticsGen, Transform, Evaluator and Scorer run on Dataflow. Without it, they run in their steps."""

    region: Region | None = Field(default=None, description="By default `region` of the runs.")
    temp_location: CloudFolder | None = Field(
        default=None, description="By default `dataflow-temp` below the pipeline root."
    )
    image: str = Field(min_length=1, description="The SDK container image: the Dockerfile's target `dataflow`.")
    machine_type: str = Field(default="n1-standard-4", description="Machine type of the workers.")
    disk_gb: int = Field(default=50, ge=10, le=65536, description="Disk of each worker in gigabytes.")
    max_workers: int = Field(default=10, ge=1, le=4000, description="Most workers.")
    service_account: ServiceAccount | None = Field(
        default=None, description="The account that workers run as. By default `service_account` of the steps."
    )
    subnetwork: str | None = Field(
        default=None,
        json_schema_extra={"form": "regions/region/subnetworks/name, or its URL"},
        description="The workers' subnetwork.",
    )
    private_ips: bool = Field(default=False, description="Whether workers have no public addresses.")


class Schedule(Settings):
    """When a pipeline runs by itself.

    A scheduled run reads up to the day that is the newest settled one when it starts. It never uses the cache.
    """

    cron: str = Field(
        pattern=r"^\S+( \S+){4}$",
        json_schema_extra={"form": "five fields"},
        description="Minute, hour, day of the month, month and day of the week.",
    )
    time_zone: TimeZone = Field(default="UTC", description="The time zone of `cron`.")
    max_concurrent_runs: int = Field(default=1, ge=1, le=100, description="Most runs at the same time.")
    queue: bool = Field(default=False, description="Whether a run beyond that number waits. Otherwise it is skipped.")
    start: datetime.datetime | None = Field(
        default=None, description="No run starts before it, such as 2026-01-31T06:00:00Z. By default now."
    )
    end: datetime.datetime | None = Field(
        default=None, description="No run starts after it. By default the schedule has no end."
    )

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Schedule:
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment and moment.tzinfo is None:
                raise ValueError(f"{name} needs an offset from UTC, as in 2026-01-31T06:00:00+01:00 or ...Z")
        if self.start and self.end and self.start >= self.end:
            raise ValueError("end must be later than start")
        return self


class VertexSettings(RunSettings):
    """Where and how the pipeline runs on Vertex AI: all settings of `runners/local.yaml`, and these.

    [vertex.md](vertex.md) shows how they work together.
    """

    project: ProjectId = Field(description="The project of the runs.")
    region: Region = Field(
        description="The region of runs, metadata and schedule. The bucket and BigQuery's data sets belong there too."
    )
    pipeline_root: CloudFolder = Field(description="The folder of all artifacts, with a folder per data set.")
    serving: CloudFolder | None = Field(
        default=None,
        description="The folder that models are pushed to, with a folder per data set. By default `serving` below the "
        "pipeline root.",
    )
    image: str = Field(min_length=1, description="The image of every step: the Dockerfile's target `pipeline`.")
    service_account: ServiceAccount | None = Field(
        default=None, description="The account that steps run as. By default Compute Engine's default account."
    )
    network: str | None = Field(
        default=None,
        pattern=r"^projects/[^/]+/global/networks/[^/]+$",
        json_schema_extra={"form": "projects/number/global/networks/name"},
        description="The network of private services.",
    )
    kms_key: str | None = Field(
        default=None,
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        json_schema_extra={"form": "projects/.../cryptoKeys/name"},
        description="The key that encrypts runs, custom jobs and Dataflow jobs (CMEK). Buckets and BigQuery data sets "
        "have default keys that you set there.",
    )
    labels: Labels = Field(
        default_factory=dict,
        description="Labels of runs, custom jobs and Dataflow jobs: lower-case letters, digits, `_` and `-`.",
    )
    caching: bool = Field(
        default=False,
        description="Whether a submitted run reuses unchanged steps of earlier runs. A scheduled run never does.",
    )
    failure_policy: Literal["fast", "slow"] = Field(
        default="fast",
        description="After a failure, `fast` starts no further step; `slow` starts those that do not depend on it.",
    )
    alert_topic: str | None = Field(
        default=None,
        pattern=r"^projects/[^/]+/topics/[^/]+$",
        json_schema_extra={"form": "projects/project/topics/name"},
        description="The Pub/Sub topic that gets a message for each failed run.",
    )
    retries: dict[str, Retry] = Field(
        default_factory=dict, description="Retries by the step's name; `default` for all other steps."
    )
    resources: dict[str, Resources] = Field(
        default_factory=dict, description="Machines by the step's name; `default` for all other steps."
    )
    trainer_job: TrainerJobSettings | None = Field(default=None, description="Runs each Trainer as a custom job.")
    dataflow: Dataflow | None = Field(default=None, description="Runs the large Beam steps on Dataflow.")
    schedule: Schedule | None = Field(default=None, description="Runs the training pipeline by itself.")
    scoring_schedule: Schedule | None = Field(
        default=None,
        description="Runs the scoring pipeline by itself, with the same keys as `schedule`. Each run scores the newest "
        "settled day.",
    )

    @pydantic.model_validator(mode="after")
    def _fits_vertex(self) -> VertexSettings:
        if self.example_gen == "stock":
            raise ValueError(
                "on Vertex AI example_gen must be 'arrow': 'stock' needs a features table that exists already"
            )
        return self

    def root_of(self, dataset: str) -> str:
        """The pipeline root of one data set."""
        return f"{self.pipeline_root}/{dataset}"

    def serving_of(self, dataset: str) -> str:
        """Where models of one data set are pushed."""
        return f"{self.serving or f'{self.pipeline_root}/serving'}/{dataset}"

    def compiled(self, dataset: str, file: str = "pipeline.json") -> Path:
        """Path of a compiled job on this machine; without `file` the training pipeline's."""
        return self.output / dataset / "vertex" / file

    def retry_of(self, step: str) -> Retry:
        """The retries of a step."""
        return self.retries.get(step, self.retries.get("default", Retry()))

    def resources_of(self, step: str) -> Resources | None:
        """The machine of a step."""
        return self.resources.get(step, self.resources.get("default"))

    def check_steps(self, steps: Iterable[str]) -> None:
        """Raises SettingsError if `retries` or `resources` name a step that is not in the pipeline."""
        known = ("default", *sorted(steps))
        for key in ("retries", "resources"):
            for step in getattr(self, key):
                if step not in known:
                    raise SettingsError(f"key '{key}.{step}': there is no such step; the steps are: {', '.join(known)}")


def load_vertex_settings(path: Path, overrides: dict[str, object] | None = None) -> VertexSettings:
    """Reads the file; `overrides` replace its values by dotted key. Raises SettingsError."""
    return load_settings(path, VertexSettings, overrides)
