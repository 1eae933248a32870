"""The compiled job that `make vertex-compile` wrote. Reading it checks that it still fits the settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from runners.vertex.kinds import TRAINING, PipelineKind
from runners.vertex.settings import VertexSettings


def read_job(
    folder: DatasetFolder, settings: VertexSettings, settings_file: Path, kind: PipelineKind = TRAINING
) -> dict[str, Any]:
    """Reads the compiled job.

    Args:
        folder: the data set.
        settings: the settings of Vertex AI.
        settings_file: the file that they were read from.
        kind: which pipeline.

    Raises:
        SettingsError: the job is missing, older than a file that it depends on, or compiled for other settings.
    """
    path = kind.compiled(folder, settings)
    again = compile_again(kind)
    try:
        job = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; compile the pipeline first: {kind.compile_command}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: not a compiled job ({error}); {again}") from None
    sources = [settings_file, *(sorted(folder.path.iterdir()) if folder.path else [])]
    for source in sources:
        if source.stat().st_mtime > path.stat().st_mtime:
            raise SettingsError(f"{path} is older than {source}; {again}")
    _check_target(job, folder, settings, path, again)
    return job


def compile_again(kind: PipelineKind) -> str:
    """What to do about a job that does not fit."""
    return f"compile it again: {kind.compile_command}"


def tasks_of(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All tasks of a pipeline spec by name, including those of nested DAGs."""
    dags = [spec["root"]["dag"], *(part["dag"] for part in spec["components"].values() if "dag" in part)]
    return {name: task for dag in dags for name, task in dag["tasks"].items()}


def _check_target(job: dict[str, Any], folder: DatasetFolder, settings: VertexSettings, path: Path, again: str) -> None:
    """Raises SettingsError if the job in this folder was compiled for other settings."""
    try:
        executors = job["pipelineSpec"]["deploymentSpec"]["executors"].values()
        compiled = {
            "pipeline_root": {job["runtimeConfig"]["gcsOutputDirectory"]},
            "image": {executor["container"]["image"] for executor in executors if "container" in executor},
        }
    except (KeyError, TypeError) as error:
        raise SettingsError(f"{path}: not a compiled job (no {error}); {again}") from None
    for key, wanted in (("pipeline_root", settings.root_of(folder.name)), ("image", settings.image)):
        if wanted not in compiled[key]:
            found = ", ".join(sorted(compiled[key])) or "none"
            raise SettingsError(f"{path} was compiled for {key} {found}, but the settings say {wanted}; {again}")
