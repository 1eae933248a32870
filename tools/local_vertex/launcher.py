"""Runs the tasks of a compiled job in order, with their inputs.

Unlike the service, it runs one task at a time and has no cache.
"""

from __future__ import annotations

import dataclasses
import graphlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tools.local_vertex.containers import Engine
from tools.local_vertex.job import JobError, parameters_of, upstream
from tools.local_vertex.placeholders import PlaceholderError, expand
from tools.local_vertex.steps import Outputs, Step, StepError, here, import_artifact, resolve, run_container
from tools.local_vertex.store import LOCATION, PROJECT_NUMBER, FilterError, Store

State = Literal["SUCCEEDED", "FAILED", "NOT_TRIGGERED"]


@dataclasses.dataclass
class Task:
    """The outcome of a task.

    Attributes:
        state: the service's name of its state. NOT_TRIGGERED means that a task before it failed.
        outputs: its outputs.
        seconds: wall time.
        error: why it failed, in one line.
    """

    state: State
    outputs: Outputs = dataclasses.field(default_factory=Outputs)
    seconds: float = 0.0
    error: str = ""


class Launcher:
    """One run of a job.

    Attributes:
        tasks: the outcome of each task, including those of nested DAGs.
        folder: the run's folder below the pipeline root, on this machine.
    """

    def __init__(
        self,
        job: dict[str, Any],
        run_id: str,
        *,
        engine: Engine,
        store: Store,
        logs: Path,
        say: Callable[[str], None],
        parameters: dict[str, Any] | None = None,
        fail_fast: bool = True,
        wait: Callable[[float], None] = time.sleep,
    ):
        """Prepares a run.

        Args:
            job: a job from load_job.
            run_id: the run's id, different for each run.
            engine: runs containers.
            store: the metadata of all runs.
            logs: the folder of the steps' logs.
            say: called with a line for each step that ends.
            parameters: values that replace the job's.
            fail_fast: whether no further task starts after a failure. Otherwise independent tasks still start.
            wait: called with the seconds to wait before a retry.

        Raises:
            JobError: a parameter is missing, unknown or of the wrong type.
        """
        self.tasks: dict[str, Task] = {}
        self._spec = job["pipelineSpec"]
        self._pipeline = self._spec["pipelineInfo"]["name"]
        self._run_id = run_id
        self._parameters = parameters_of(job, parameters)
        self._root = f"{job['runtimeConfig']['gcsOutputDirectory']}/{PROJECT_NUMBER}/{run_id}"
        self.folder = here(engine, self._root)
        self._engine, self._store, self._logs, self._say = engine, store, logs / run_id, say
        self._fail_fast, self._wait = fail_fast, wait
        self._placeholders = {
            "pipeline_job_name": run_id,
            "pipeline_job_resource_name": f"projects/{PROJECT_NUMBER}/locations/{LOCATION}/pipelineJobs/{run_id}",
            "pipeline_root": job["runtimeConfig"]["gcsOutputDirectory"],
        }

    def run(self) -> bool:
        """Runs all tasks. Returns whether all succeeded. Raises JobError if there was a run with this id."""
        if self.folder.exists():
            raise JobError(f"run '{self._run_id}' exists already: {self.folder}")
        self._logs.mkdir(parents=True, exist_ok=True)
        return not self._run_dag(self._spec["root"]["dag"], self._parameters)

    def _run_dag(self, dag: dict[str, Any], given: dict[str, Any]) -> str:
        """Runs the tasks of a component with the parameters `given`. Returns the first error, or an empty string."""
        tasks, done = dag["tasks"], {}
        for name in graphlib.TopologicalSorter({name: upstream(task) for name, task in tasks.items()}).static_order():
            waits_for = [done[other].state for other in upstream(tasks[name])]
            failed = any(task.state == "FAILED" for task in done.values())
            if tasks[name].get("triggerPolicy", {}).get("strategy") != "ALL_UPSTREAM_TASKS_COMPLETED" and (
                any(state != "SUCCEEDED" for state in waits_for) or (failed and self._fail_fast)
            ):
                done[name] = Task("NOT_TRIGGERED")
            else:
                done[name] = self._run_task(name, tasks[name], given, done)
            self.tasks[name] = done[name]
        return next((task.error for task in done.values() if task.state == "FAILED"), "")

    def _run_task(self, name: str, task: dict[str, Any], given: dict[str, Any], done: dict[str, Task]) -> Task:
        started = time.monotonic()
        component = self._spec["components"][task["componentRef"]["name"]]
        outputs, error, remark = Outputs(), "", ""
        try:
            step = self._step(name, task, component, given, done)
            if "dag" in component:
                error = self._run_dag(component["dag"], step.parameters)
            else:
                outputs, remark = self._execute(step)
        except (StepError, PlaceholderError, FilterError) as failure:
            error, remark = str(failure), "failed"
            self._say("\n".join(filter(None, [getattr(failure, "tail", ""), f"{name}: {error}"])))
        seconds = time.monotonic() - started
        if "dag" not in component:
            self._say(f"  {name:<34}{seconds:7.1f} s  {remark}".rstrip())
        return Task("FAILED" if error else "SUCCEEDED", outputs, seconds, error)

    def _step(
        self, name: str, task: dict[str, Any], component: dict[str, Any], given: dict[str, Any], done: dict[str, Task]
    ) -> Step:
        sources = task.get("inputs", {})
        artifacts = {}
        for key, source in sources.get("artifacts", {}).items():
            wanted = source["taskOutputArtifact"]
            artifacts[key] = done[wanted["producerTask"]].outputs.artifacts.get(wanted["outputArtifactKey"], [])
        declared = component.get("inputDefinitions", {}).get("parameters", {})
        parameters = {key: value["defaultValue"] for key, value in declared.items() if "defaultValue" in value}
        for key, source in sources.get("parameters", {}).items():
            parameters[key] = self._parameter(source, given, done)
        placeholders = self._placeholders | {"pipeline_task_name": name}
        return Step(
            name=name,
            component=component,
            executor=self._spec["deploymentSpec"]["executors"].get(component.get("executorLabel"), {}),
            retry=task.get("retryPolicy", {}),
            parameters=parameters,
            artifacts=artifacts,
            folder=f"{self._root}/{name}",
            placeholders=placeholders,
        )

    def _parameter(self, source: dict[str, Any], given: dict[str, Any], done: dict[str, Task]) -> Any:
        [(kind, value)] = source.items()
        if kind == "componentInputParameter":
            return given[value]
        if kind == "taskOutputParameter":
            producer, output = value["producerTask"], value["outputParameterKey"]
            if output not in done[producer].outputs.parameters:
                raise StepError(f"'{producer}' wrote no parameter '{output}'")
            return done[producer].outputs.parameters[output]
        if kind == "taskFinalStatus":
            return json.dumps(self._final_status(value["producerTask"], done[value["producerTask"]]))
        constant = value["constant"]
        return expand(constant, {}, self._placeholders) if isinstance(constant, str) else constant

    def _final_status(self, name: str, task: Task) -> dict[str, Any]:
        """PipelineTaskFinalStatus of the task that an exit handler waits for."""
        status: dict[str, Any] = {
            "state": task.state,
            "pipelineJobName": self._run_id,
            "pipelineJobResourceName": self._placeholders["pipeline_job_resource_name"],
            "pipelineTaskName": name,
        }
        return status | ({"error": {"code": 9, "message": task.error}} if task.error else {})

    def _execute(self, step: Step) -> tuple[Outputs, str]:
        """The outputs of a step, and a remark about them."""
        if "resolver" in step.executor:
            outputs = resolve(step, self._store, self._pipeline)
            found = [artifact["name"].rpartition("/")[2] for found in outputs.artifacts.values() for artifact in found]
            return outputs, f"found artifact {', '.join(found)}" if found else "found none"
        if "importer" in step.executor:
            outputs, remark = import_artifact(step, self._store), ""
        else:
            log = self._logs / f"{step.name}.log"
            outputs, attempts = run_container(step, self._store, self._engine, log, self._wait)
            remark = f"attempt {attempts}" if attempts > 1 else ""
        for key, artifacts in outputs.artifacts.items():
            for artifact in artifacts:
                self._store.keep(artifact, pipeline=self._pipeline, run=self._run_id, task=step.name, key=key)
        return outputs, remark
