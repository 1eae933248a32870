"""A Trainer that runs as a Vertex AI custom job, through TFX's extension, instead of inside its step."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfx.dsl.components.base import executor_spec
from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer import executor as job_executor

from pipeline.components import trainer


class Executor(job_executor.GenericExecutor):
    """Starts the job and waits for its end. The job runs our Trainer's executor."""

    def _GetExecutorClass(self) -> type:
        return trainer.Executor


@dataclasses.dataclass(frozen=True)
class TrainerJob:
    """The custom job of each Trainer.

    Attributes:
        project: the job's project.
        region: the job's region.
        job_spec: Vertex AI's CustomJobSpec without the container's command.
        labels: the job's labels.
        kms_key: the key that encrypts the job's files; None for Google's own.
    """

    project: str
    region: str
    job_spec: dict[str, Any]
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    kms_key: str | None = None

    def custom_config(self, title: str) -> dict[str, Any]:
        """The part of a Trainer's `custom_config` that TFX's extension reads; `title` is the family's."""
        return {
            constants.ENABLE_VERTEX_KEY: True,
            constants.VERTEX_REGION_KEY: self.region,
            job_executor.TRAINING_ARGS_KEY: {
                "project": self.project,
                "display_name": f"Train{title}",
                "job_spec": self.job_spec,
                "labels": self.labels,
                "encryption_spec": {"kms_key_name": self.kms_key} if self.kms_key else {},
            },
        }

    def executor_spec(self) -> executor_spec.ExecutorClassSpec:
        """The executor that replaces the Trainer's."""
        return executor_spec.ExecutorClassSpec(Executor)
