"""The pipelines that run on Vertex AI, training and scoring, and everything in which they differ.

Both have one name on Vertex AI, so that scoring finds the champion that training blessed. Their titles tell their runs
and schedules apart.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.scores.layout import UNCACHED
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.settings.run_parameters import Parameters, RunParameters, ScoringParameters
from pipeline.warehouse.extraction import Extraction, resolve, resolve_scoring
from pipeline.warehouse.interface import Warehouse
from runners.vertex.dataflow import RUN_ID_PLACEHOLDER
from runners.vertex.settings import Schedule, VertexSettings

if TYPE_CHECKING:
    from tfx.orchestration import pipeline as tfx_pipeline

LABEL = "pipeline"  # the label of runs that holds the title
_LONGEST_LABEL = 63


class PipelineKind(abc.ABC):
    """One of the pipelines.

    Attributes:
        name: its name in `--pipeline`.
        suffix: what its title adds to the pipeline's name.
        job_file: name of the compiled job's file.
        parameters: the class of its runs' parameters.
        schedule_key: the key of vertex.yaml with its schedule.
        uncached: steps that every run executes, even with caching.
        option: what a command needs so that it means this pipeline.
        compile_command: how to compile it.
    """

    name: str
    suffix: str = ""
    job_file: str
    parameters: type[Parameters]
    schedule_key: str
    uncached: tuple[str, ...] = ()
    option: str = ""
    compile_command: str = "make vertex-compile"

    def title(self, folder: DatasetFolder) -> str:
        """The display name of its runs and of its schedule, and the begin of its runs' ids."""
        return f"{folder.pipeline_name}{self.suffix}"

    def label(self, folder: DatasetFolder) -> str:
        """The value of LABEL."""
        return self.title(folder)[:_LONGEST_LABEL]

    def compiled(self, folder: DatasetFolder, settings: VertexSettings) -> Path:
        """Path of the compiled job on this machine."""
        return settings.compiled(folder.name, self.job_file)

    def schedule(self, settings: VertexSettings) -> Schedule | None:
        """When it runs by itself; None if it does not."""
        return getattr(settings, self.schedule_key)

    @abc.abstractmethod
    def default_parameters(self, folder: DatasetFolder, settings: VertexSettings) -> Parameters:
        """The parameters of a run if the user sets none."""

    @abc.abstractmethod
    def extraction(self, warehouse: Warehouse, folder: DatasetFolder, parameters: Any) -> Extraction:
        """What a run would read. Raises SettingsError or WarehouseError."""

    @abc.abstractmethod
    def create(self, folder: DatasetFolder, settings: VertexSettings) -> tfx_pipeline.Pipeline:
        """The pipeline, for KubeflowV2DagRunner. It imports TFX."""


class _Training(PipelineKind):
    name = "training"
    job_file = "pipeline.json"
    parameters = RunParameters
    schedule_key = "schedule"

    def default_parameters(self, folder: DatasetFolder, settings: VertexSettings) -> RunParameters:
        return RunParameters(as_of=folder.dataset.snapshots.as_of, sample_percent=settings.sample_percent)

    def extraction(self, warehouse: Warehouse, folder: DatasetFolder, parameters: RunParameters) -> Extraction:
        return resolve(warehouse, folder.up_to(parameters.as_of), parameters.sample_percent)

    def create(self, folder: DatasetFolder, settings: VertexSettings) -> tfx_pipeline.Pipeline:
        from pipeline.pipeline import create_pipeline

        return create_pipeline(
            name=folder.pipeline_name,
            root=settings.root_of(folder.name),
            serving=settings.serving_of(folder.name),
            folder=folder,
            run=settings,
            parameters=self.default_parameters(folder, settings),
            runtime_parameters=True,
            trainer_job=_trainer_job(settings),
        )


class _Scoring(PipelineKind):
    name = "scoring"
    suffix = "-scoring"
    job_file = "scoring.json"
    parameters = ScoringParameters
    schedule_key = "scoring_schedule"
    uncached = UNCACHED
    option = " --pipeline scoring"
    compile_command = "make vertex-compile PIPELINE=scoring"

    def default_parameters(self, folder: DatasetFolder, settings: VertexSettings) -> ScoringParameters:
        # Vertex AI replaces a placeholder that is the whole value of a step's constant. It does not in a run's
        # parameters, and a schedule's runs all have the same ones.
        return ScoringParameters(run_id=RUN_ID_PLACEHOLDER)

    def extraction(self, warehouse: Warehouse, folder: DatasetFolder, parameters: ScoringParameters) -> Extraction:
        return resolve_scoring(warehouse, folder.up_to(parameters.as_of), *parameters.period)

    def create(self, folder: DatasetFolder, settings: VertexSettings) -> tfx_pipeline.Pipeline:
        from pipeline.scoring_pipeline import create_scoring_pipeline

        return create_scoring_pipeline(
            name=folder.pipeline_name,
            root=settings.root_of(folder.name),
            score_table=_score_table(folder, settings),
            folder=folder,
            run=settings,
            parameters=self.default_parameters(folder, settings),
            runtime_parameters=True,
        )


TRAINING: PipelineKind = _Training()
SCORING: PipelineKind = _Scoring()
KINDS: Mapping[str, PipelineKind] = {kind.name: kind for kind in (TRAINING, SCORING)}


def kind_of(labels: Mapping[str, str], folder: DatasetFolder) -> PipelineKind:
    """The pipeline that a run with these labels belongs to. Runs without our labels are of the training pipeline."""
    return SCORING if labels.get(LABEL) == SCORING.label(folder) else TRAINING


def _score_table(folder: DatasetFolder, settings: VertexSettings) -> str:
    """For DuckDB, the database file of the score table, where Vertex AI mounts the bucket; for BigQuery, ""."""
    if not isinstance(settings.warehouse, DuckDBSettings):
        return ""
    return f"/gcs/{settings.root_of(folder.name).removeprefix('gs://')}/scores.duckdb"


def _trainer_job(settings: VertexSettings) -> Any:
    """The custom job that Trainers run in; None if they run in their steps."""
    if settings.trainer_job is None:
        return None
    from pipeline.training.trainer_job import TrainerJob

    machine: dict[str, Any] = {"machine_type": settings.trainer_job.machine_type}
    if settings.trainer_job.accelerator:
        machine["accelerator_type"] = settings.trainer_job.accelerator
        machine["accelerator_count"] = settings.trainer_job.accelerators
    worker = {"machine_spec": machine, "replica_count": 1, "container_spec": {"image_uri": settings.image}}
    places = {"service_account": settings.service_account, "network": settings.network}
    return TrainerJob(
        project=settings.project,
        region=settings.region,
        job_spec={"worker_pool_specs": [worker], **{key: value for key, value in places.items() if value}},
        labels=settings.labels,
        kms_key=settings.kms_key,
    )
