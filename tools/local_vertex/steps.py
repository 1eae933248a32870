"""Runs one task as Vertex AI's launcher does: resolves or imports an artifact, or runs a container."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.local_vertex.containers import Command, Engine, make_folder
from tools.local_vertex.placeholders import expand
from tools.local_vertex.store import Store

_TAIL = 15  # lines of a failed step's log to show

Artifacts = dict[str, list[dict[str, Any]]]


class StepError(Exception):
    """A step failed after all retries. `tail` is the end of its log."""

    def __init__(self, message: str, tail: str = ""):
        """Takes one line about the failure, and the last lines of the log."""
        super().__init__(message)
        self.tail = tail


@dataclasses.dataclass
class Outputs:
    """The outputs of a task, by key."""

    artifacts: Artifacts = dataclasses.field(default_factory=dict)
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Step:
    """A task with its inputs.

    Attributes:
        name: the task's name.
        component: its component in the job.
        executor: the component's executor in the job.
        retry: its retryPolicy; empty if there is none.
        parameters: values of the input parameters.
        artifacts: input artifacts; an empty list if a resolver found none.
        folder: folder of the task's outputs, as steps see it.
        placeholders: the run's placeholders, by name.
    """

    name: str
    component: dict[str, Any]
    executor: dict[str, Any]
    retry: dict[str, Any]
    parameters: dict[str, Any]
    artifacts: Artifacts
    folder: str
    placeholders: dict[str, str]

    def executor_input(self, outputs: Artifacts) -> dict[str, Any]:
        """ExecutorInput of pipeline spec 2.1, as JSON."""
        declared = self.component.get("outputDefinitions", {}).get("parameters", {})
        return {
            "inputs": {"parameterValues": self.parameters, "artifacts": _lists(self.artifacts)},
            "outputs": {
                "artifacts": _lists(outputs),
                "parameters": {key: {"outputFile": f"{self.folder}/{key}.parameter"} for key in declared},
                "outputFile": f"{self.folder}/executor_output.json",
            },
        }


def resolve(step: Step, store: Store, pipeline: str) -> Outputs:
    """Resolves artifacts. Finds none if an artifact that the filter refers to was not found."""
    found: Artifacts = {}
    for key, query in step.executor["resolver"]["outputArtifactQueries"].items():
        if all(step.artifacts.values()):
            text = expand(query["filter"], step.executor_input({}), step.placeholders)
            found[key] = store.newest(text, pipeline=pipeline)
        else:
            found[key] = []
    return Outputs(found)


def import_artifact(step: Step, store: Store) -> Outputs:
    """The artifact at the importer's URI. A new one if none is known there, or if the importer asks for it."""
    importer = step.executor["importer"]
    source = importer["artifactUri"]
    uri = step.parameters[source["runtimeParameter"]] if "runtimeParameter" in source else source["constant"]
    known = [] if importer.get("reimport") else store.imported(uri, importer["typeSchema"])
    [key] = step.component["outputDefinitions"]["artifacts"]
    return Outputs({key: known or [store.new(importer["typeSchema"], uri, importer.get("metadata"))]})


def run_container(
    step: Step, store: Store, engine: Engine, log: Path, wait: Callable[[float], None]
) -> tuple[Outputs, int]:
    """Runs the container until it succeeds or has no retries left. Also returns the number of attempts.

    Args:
        step: the task.
        store: names its artifacts.
        engine: runs the container.
        log: file for its output.
        wait: called with the seconds to wait before a retry.

    Raises:
        StepError: the container failed.
    """
    declared = step.component.get("outputDefinitions", {}).get("artifacts", {})
    artifacts = {
        key: [store.new(definition["artifactType"], f"{step.folder}/{key}", definition.get("metadata"))]
        for key, definition in declared.items()
    }
    executor_input = step.executor_input(artifacts)
    command = _command(step, executor_input)
    for folder in (step.folder, *(artifact["uri"] for [artifact] in artifacts.values())):
        make_folder(here(engine, folder))  # Cloud Storage has none
    (here(engine, step.folder) / "executor_input.json").write_text(json.dumps(executor_input, indent=1))
    retries = step.retry.get("maxRetryCount", 0)
    for attempt in range(retries + 1):
        if attempt:
            wait(_backoff(step.retry, attempt))
        code = engine.run(command, log)
        if code == 0:
            return _collect(step, artifacts, engine), attempt + 1
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL:]) if log.exists() else ""
    tries = f" after {retries + 1} attempts" if retries else ""
    killed = f" (killed; its limit is {command.memory_gb:g} GB of memory)" if code == 137 and command.memory_gb else ""
    raise StepError(f"exit code {code}{killed}{tries}; log: {log}", tail)


def here(engine: Engine, path: str) -> Path:
    """The path on this machine of a folder or file that steps see."""
    return engine.storage / Path(path).relative_to(engine.mount)


def _command(step: Step, executor_input: dict[str, Any]) -> Command:
    container = step.executor["container"]

    def expanded(texts: list[str]) -> tuple[str, ...]:
        return tuple(expand(text, executor_input, step.placeholders) for text in texts)

    return Command(
        image=container["image"],
        command=expanded(container.get("command", [])),
        args=expanded(container.get("args", [])),
        env={item["name"]: item["value"] for item in container.get("env", [])},
        cpu=container.get("resources", {}).get("cpuLimit"),
        memory_gb=container.get("resources", {}).get("memoryLimit"),
    )


def _backoff(retry: dict[str, Any], attempt: int) -> float:
    """Seconds to wait before retry number `attempt`, counted from 1."""
    first, most = (float(retry.get(key, "0s").rstrip("s")) for key in ("backoffDuration", "backoffMaxDuration"))
    seconds = first * retry.get("backoffFactor", 2.0) ** (attempt - 1)
    return min(seconds, most) if most else seconds


def _collect(step: Step, artifacts: Artifacts, engine: Engine) -> Outputs:
    """Merges the executor's outputs with the declared ones."""
    path = here(engine, f"{step.folder}/executor_output.json")
    said = json.loads(path.read_text()) if path.exists() else {}
    for key, value in said.get("artifacts", {}).items():
        [told], [artifact] = value["artifacts"], artifacts[key]
        artifact["uri"] = told.get("uri", artifact["uri"])
        artifact["metadata"].update(told.get("metadata", {}))
    parameters = dict(said.get("parameterValues", {}))
    for key in step.component.get("outputDefinitions", {}).get("parameters", {}):
        file = here(engine, f"{step.folder}/{key}.parameter")
        if key not in parameters and file.exists():
            parameters[key] = file.read_text()
    return Outputs(artifacts, parameters)


def _lists(artifacts: Artifacts) -> dict[str, Any]:
    return {key: {"artifacts": items} for key, items in artifacts.items()}
