"""Reads a compiled job. It refuses an invalid or unsupported job before anything runs."""

from __future__ import annotations

import graphlib
import json
import re
from pathlib import Path
from typing import Any

_KINDS = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "BOOLEAN": bool, "LIST": list, "STRUCT": dict}
_STRATEGIES = ("TRIGGER_STRATEGY_UNSPECIFIED", "ALL_UPSTREAM_TASKS_SUCCEEDED", "ALL_UPSTREAM_TASKS_COMPLETED")
_ITERATORS = ("artifactIterator", "parameterIterator", "iteratorPolicy")
_CLOUD_STORAGE = re.compile(r"(?<![\w.-])(?:gs://|/gcs/)")


class JobError(Exception):
    """The job is invalid, or this launcher does not support it. Nothing has run."""


def load_job(path: Path, *, buckets: str) -> dict[str, Any]:
    """Reads the PipelineJob that KubeflowV2DagRunner wrote.

    Args:
        path: the JSON file.
        buckets: the folder that replaces Cloud Storage, as steps see it. `gs://<bucket>/...` and `/gcs/<bucket>/...`
            become paths in it.

    Raises:
        JobError: see check_job.
    """
    job = json.loads(_CLOUD_STORAGE.sub(lambda _: f"{buckets}/", path.read_text(encoding="utf-8")))
    check_job(job)
    return job


def check_job(job: dict[str, Any]) -> None:
    """Raises JobError, which names the task, if the job is invalid or not supported."""
    spec = job["pipelineSpec"]
    version = spec.get("schemaVersion", "unknown")
    if version.split(".")[:2] != ["2", "1"]:
        raise JobError(
            f"pipeline spec {version} is not supported, only 2.1 is; compile with use_pipeline_spec_2_1=True"
        )
    _check_component("root", spec["root"], spec)


def parameters_of(job: dict[str, Any], given: dict[str, Any] | None = None) -> dict[str, Any]:
    """The values of the job's runtime parameters.

    Args:
        job: the job, with values in its `runtimeConfig`.
        given: values that replace them.

    Raises:
        JobError: a parameter is missing, unknown or of the wrong type.
    """
    declared = job["pipelineSpec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    values = job["runtimeConfig"].get("parameterValues", {}) | (given or {})
    unknown = sorted(values.keys() - declared.keys())
    if unknown:
        raise JobError(f"parameter '{unknown[0]}': the pipeline has no such parameter; it has {', '.join(declared)}")
    found = {}
    for name, definition in declared.items():
        if name not in values and "defaultValue" not in definition:
            raise JobError(f"parameter '{name}': it has neither a value nor a default")
        found[name] = values.get(name, definition.get("defaultValue"))
        if not _fits(found[name], definition["parameterType"]):
            raise JobError(f"parameter '{name}': {found[name]!r} is not of type {definition['parameterType']}")
    return found


def upstream(task: dict[str, Any]) -> list[str]:
    """The tasks that a task waits for, sorted."""
    inputs = task.get("inputs", {})
    sources = [*inputs.get("artifacts", {}).values(), *inputs.get("parameters", {}).values()]
    producers = {value["producerTask"] for source in sources for value in source.values() if "producerTask" in value}
    return sorted(producers | set(task.get("dependentTasks", [])))


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "BOOLEAN"
    if kind == "NUMBER_INTEGER" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, (int, float) if kind == "NUMBER_DOUBLE" else _KINDS[kind])


def _check_component(name: str, component: dict[str, Any], spec: dict[str, Any]) -> None:
    if "dag" not in component:
        return _check_executor(name, spec["deploymentSpec"]["executors"].get(component.get("executorLabel"), {}))
    tasks = component["dag"]["tasks"]
    for task_name, task in tasks.items():
        _check_control(task_name, task)
        callee = spec["components"].get(task["componentRef"]["name"])
        if callee is None:
            raise JobError(f"task '{task_name}': there is no component {task['componentRef']['name']}")
        for other in upstream(task):
            if other not in tasks:
                raise JobError(f"task '{task_name}' waits for '{other}', but component '{name}' has no such task")
        _check_inputs(task_name, task, callee, name, component)
        _check_artifacts(task_name, task, tasks, spec)
        _check_component(task_name, callee, spec)
    try:
        graphlib.TopologicalSorter({name: upstream(task) for name, task in tasks.items()}).prepare()
    except graphlib.CycleError as error:
        raise JobError(f"tasks wait for each other: {', '.join(error.args[1])}") from None
    return None


def _check_control(name: str, task: dict[str, Any]) -> None:
    trigger = task.get("triggerPolicy", {})
    if "condition" in trigger:
        raise JobError(f"task '{name}': conditions are not supported: {trigger['condition']}")
    if trigger.get("strategy", _STRATEGIES[0]) not in _STRATEGIES:
        raise JobError(f"task '{name}': trigger strategy {trigger['strategy']} is not supported")
    for key in _ITERATORS:
        if key in task:
            raise JobError(f"task '{name}': iterators are not supported ({key})")


def _check_inputs(
    name: str, task: dict[str, Any], callee: dict[str, Any], parent: str, component: dict[str, Any]
) -> None:
    """Checks that a task uses only outputs of its siblings and parameters of the component around it."""
    visible = component.get("inputDefinitions", {}).get("parameters", {})
    given = task.get("inputs", {}).get("parameters", {})
    for key, source in given.items():
        kind = next(iter(source))
        if kind not in ("runtimeValue", "componentInputParameter", "taskOutputParameter", "taskFinalStatus"):
            raise JobError(f"task '{name}': input '{key}' of kind {kind} is not supported")
        if kind == "runtimeValue" and "constant" not in source[kind]:
            raise JobError(f"task '{name}': input '{key}' has no constant value")
        if kind == "componentInputParameter" and source[kind] not in visible:
            raise JobError(f"task '{name}': component '{parent}' has no parameter '{source[kind]}'")
    for key, definition in callee.get("inputDefinitions", {}).get("parameters", {}).items():
        if key not in given and "defaultValue" not in definition and not definition.get("isOptional"):
            raise JobError(f"task '{name}': its input '{key}' has no value")


def _check_artifacts(name: str, task: dict[str, Any], siblings: dict[str, Any], spec: dict[str, Any]) -> None:
    for key, source in task.get("inputs", {}).get("artifacts", {}).items():
        if "taskOutputArtifact" not in source:
            raise JobError(f"task '{name}': input '{key}' of kind {next(iter(source))} is not supported")
        producer, output = (source["taskOutputArtifact"][part] for part in ("producerTask", "outputArtifactKey"))
        component = spec["components"].get(siblings[producer]["componentRef"]["name"], {})
        if output not in component.get("outputDefinitions", {}).get("artifacts", {}):
            raise JobError(f"task '{name}': '{producer}' has no output '{output}'")


def _check_executor(name: str, executor: dict[str, Any]) -> None:
    kind = next(iter(executor), "none")
    if kind not in ("container", "importer", "resolver"):
        raise JobError(f"task '{name}': executors of kind {kind} are not supported")
    if kind == "container" and "lifecycle" in executor[kind]:
        raise JobError(f"task '{name}': drivers of ExampleGens (lifecycle) are not supported")
