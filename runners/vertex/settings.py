"""Where and with what the pipeline runs on Vertex AI: `runners/vertex.yaml`."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings, SettingsError, load_settings
from pipeline.settings.dataset import TimeZone
from pipeline.settings.run import ProjectId, RunSettings

CloudFolder = Annotated[str, Field(pattern=r"^gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[^/\s]+)*$")]
Region = Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+\d+$")]
ServiceAccount = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.gserviceaccount\.com$")]
Labels = dict[
    Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")], Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]
]


class Resources(Settings):
    """What a step's machine has at least; none is left to Vertex AI.

    Attributes:
        cpu: cores.
        memory_gb: gigabytes of memory.
        accelerator: its type, such as NVIDIA_TESLA_T4.
        accelerators: how many of them.
    """

    cpu: Annotated[float, Field(gt=0, le=96)] | None = None
    memory_gb: Annotated[float, Field(gt=0, le=624)] | None = None
    accelerator: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]+$")] | None = None
    accelerators: Annotated[int, Field(ge=1, le=16)] = 1


class Retry(Settings):
    """How often a failed step is tried again.

    Attributes:
        count: at most so many times.
        backoff_seconds: wait before the first retry.
        backoff_factor: by which each further wait is longer.
        max_backoff_seconds: longest wait.
    """

    count: Annotated[int, Field(ge=0, le=10)] = 2
    backoff_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    backoff_factor: Annotated[float, Field(ge=1, le=10)] = 2
    max_backoff_seconds: Annotated[int, Field(ge=0, le=3600)] = 3600


class TrainerJob(Settings):
    """The machine of a Vertex AI custom job in which each Trainer runs, instead of in its step.

    Attributes:
        machine_type: of Compute Engine.
        accelerator: its type, such as NVIDIA_TESLA_T4.
        accelerators: how many of them.
    """

    machine_type: str = "n1-standard-8"
    accelerator: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]+$")] | None = None
    accelerators: Annotated[int, Field(ge=1, le=16)] = 1


class Dataflow(Settings):
    """Where the Beam steps that grow with the data run: StatisticsGen, Transform and the Evaluator.

    Attributes:
        region: none is Vertex AI's.
        temp_location: none is `dataflow-temp` below the pipeline root.
        image: the SDK container: the Dockerfile's target `dataflow`.
        machine_type: of the workers.
        disk_gb: of each worker.
        max_workers: most workers.
        service_account: of the workers; none is the job's.
        subnetwork: regions/<region>/subnetworks/<name>, or its URL.
        private_ips: workers without public addresses.
    """

    region: Region | None = None
    temp_location: CloudFolder | None = None
    image: str = Field(min_length=1)
    machine_type: str = "n1-standard-4"
    disk_gb: Annotated[int, Field(ge=10, le=65536)] = 50
    max_workers: Annotated[int, Field(ge=1, le=4000)] = 10
    service_account: ServiceAccount | None = None
    subnetwork: str | None = None
    private_ips: bool = False


class Schedule(Settings):
    """When the pipeline runs by itself, with caching off, up to the newest settled day of that moment.

    Attributes:
        cron: five fields: minute, hour, day of the month, month, day of the week.
        time_zone: name in the IANA database.
        max_concurrent_runs: a run beyond waits or is skipped, by `queue`.
        queue: whether it waits.
        start: first moment; none is now.
        end: no run after it; none is never.
    """

    cron: Annotated[str, Field(pattern=r"^\S+( \S+){4}$")]
    time_zone: TimeZone = "UTC"
    max_concurrent_runs: Annotated[int, Field(ge=1, le=100)] = 1
    queue: bool = False
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None

    @pydantic.model_validator(mode="after")
    def _in_order(self) -> Schedule:
        for name, moment in (("start", self.start), ("end", self.end)):
            if moment and moment.tzinfo is None:
                raise ValueError(f"{name} needs an offset from UTC, as in 2026-01-31T06:00:00+01:00 or ...Z")
        if self.start and self.end and self.start >= self.end:
            raise ValueError("end must be later than start")
        return self


class VertexSettings(RunSettings):
    """Where and with what the pipeline runs on Vertex AI (`runners/vertex.yaml`).

    Attributes:
        project: of the runs.
        region: of the runs, the metadata and the schedule.
        pipeline_root: folder of all artifacts, with a folder per data set.
        serving: where models are pushed to, with a folder per data set; none is `serving` below the pipeline root.
        image: of every step: the Dockerfile's target `pipeline`.
        service_account: as which steps run; none is Compute Engine's default account.
        network: projects/<number>/global/networks/<name>, for private services.
        kms_key: projects/.../cryptoKeys/<name>, of runs, custom jobs and Dataflow jobs; buckets have keys of their own.
        labels: of runs, custom jobs and Dataflow jobs.
        caching: whether a submitted run takes unchanged steps from earlier runs; a scheduled one never does.
        failure_policy: `fast` begins no further step after a failure; `slow` those that do not depend on it.
        alert_topic: projects/<project>/topics/<name>; told of each run that failed, by an exit handler.
        retries: of failed steps, by the step's name; `default` for all others.
        resources: of steps, likewise.
        trainer_job: none trains inside the pipeline's steps.
        dataflow: none runs Beam inside the pipeline's steps.
        schedule: none has no schedule.
    """

    project: ProjectId
    region: Region
    pipeline_root: CloudFolder
    serving: CloudFolder | None = None
    image: str = Field(min_length=1)
    service_account: ServiceAccount | None = None
    network: Annotated[str, Field(pattern=r"^projects/[^/]+/global/networks/[^/]+$")] | None = None
    kms_key: (
        Annotated[str, Field(pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$")] | None
    ) = None
    labels: Labels = Field(default_factory=dict)
    caching: bool = False
    failure_policy: Literal["fast", "slow"] = "fast"
    alert_topic: Annotated[str, Field(pattern=r"^projects/[^/]+/topics/[^/]+$")] | None = None
    retries: dict[str, Retry] = Field(default_factory=dict)
    resources: dict[str, Resources] = Field(default_factory=dict)
    trainer_job: TrainerJob | None = None
    dataflow: Dataflow | None = None
    schedule: Schedule | None = None

    @pydantic.model_validator(mode="after")
    def _fits_vertex(self) -> VertexSettings:
        if self.example_gen == "stock":
            raise ValueError("example_gen 'stock' needs a features table that exists before; on Vertex AI use 'arrow'")
        return self

    def root_of(self, dataset: str) -> str:
        """The pipeline root of one data set."""
        return f"{self.pipeline_root}/{dataset}"

    def serving_of(self, dataset: str) -> str:
        """Where its models are pushed to."""
        return f"{self.serving or f'{self.pipeline_root}/serving'}/{dataset}"

    def compiled(self, dataset: str) -> Path:
        """The compiled job, on this machine."""
        return self.output / dataset / "vertex" / "pipeline.json"

    def retry_of(self, step: str) -> Retry:
        """The retries of a step."""
        return self.retries.get(step, self.retries.get("default", Retry()))

    def resources_of(self, step: str) -> Resources | None:
        """The machine of a step."""
        return self.resources.get(step, self.resources.get("default"))

    def check_steps(self, steps: Iterable[str]) -> None:
        """Raises SettingsError if `retries` or `resources` name a step that the pipeline does not have."""
        known = ("default", *sorted(steps))
        for key in ("retries", "resources"):
            for step in getattr(self, key):
                if step not in known:
                    raise SettingsError(f"key '{key}.{step}': no such step; there are: {', '.join(known)}")


def load_vertex_settings(path: Path, overrides: dict[str, object] | None = None) -> VertexSettings:
    """Reads the file; `overrides` replace its values by dotted key. Raises SettingsError."""
    return load_settings(path, VertexSettings, overrides)
