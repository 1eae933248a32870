"""What a run is doing, and the links that people look for: the run, each step's log, the Dataflow jobs."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from models.config import SettingsError
from runners.vertex.clients import Clients, call_options
from runners.vertex.dataflow_jobs import DataflowStatus, find_jobs

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

CONSOLE = "https://console.cloud.google.com"
ENDED_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclasses.dataclass(frozen=True)
class StepStatus:
    """One step of a run.

    Attributes:
        name: of the step.
        state: such as RUNNING; SKIPPED was taken from an earlier run.
        seconds: since it began, until it ended or until now; None if it has not begun.
        log: link to its log; None if it has no machine of its own.
        error: in one line; empty without one.
    """

    name: str
    state: str
    seconds: float | None
    log: str | None
    error: str


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """A run.

    Attributes:
        id: by which Vertex AI, its artifacts' folder and the labels of its Dataflow jobs name it.
        state: such as RUNNING.
        created: when it was submitted, as YYYY-MM-DDThh:mm:ssZ.
        seconds: since it began, until it ended or until now; None if it has not begun.
        parameters: of the run.
        link: to the console.
        error: in one line; empty without one.
        steps: in the order in which they began.
        dataflow: its Dataflow jobs.
    """

    id: str
    state: str
    created: str
    seconds: float | None
    parameters: dict[str, Any]
    link: str
    error: str
    steps: tuple[StepStatus, ...]
    dataflow: tuple[DataflowStatus, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED_STATES


def newest_run(clients: Clients, pipeline: str) -> str:
    """The id of the pipeline's newest run. Raises SettingsError if there was none."""
    found = next(iter(runs(clients, pipeline)), None)
    if found is None:
        raise SettingsError(f"pipeline '{pipeline}' had no run yet in {clients.project}, {clients.region}")
    return _last(found.name)


def runs(clients: Clients, pipeline: str) -> Iterator[aiplatform_v1.PipelineJob]:
    """The pipeline's runs, newest first, without their steps."""
    request = {"parent": clients.parent, "filter": f'pipeline_name="{pipeline}"', "order_by": "create_time desc"}
    return iter(clients.pipelines.list_pipeline_jobs(request, **call_options()))


def state_of(run: aiplatform_v1.PipelineJob) -> str:
    """Such as RUNNING."""
    return run.state.name.removeprefix("PIPELINE_STATE_")


def read_status(clients: Clients, run_id: str, *, with_dataflow: bool = True, patience: float = 15) -> RunStatus:
    """Asks for a run.

    Args:
        clients: of the project and region.
        run_id: of the run.
        with_dataflow: whether to look for its Dataflow jobs too.
        patience: see call_options.

    Raises:
        GoogleAPICallError: the service refused, or there is no such run.
    """
    name = f"{clients.parent}/pipelineJobs/{run_id}"
    job = clients.pipelines.get_pipeline_job(name=name, **call_options(patience))
    return status_of(clients, job, tuple(find_jobs(clients, job, run_id)) if with_dataflow else ())


def status_of(clients: Clients, job: aiplatform_v1.PipelineJob, dataflow: tuple[DataflowStatus, ...] = ()) -> RunStatus:
    """The status of a run as the service returned it."""
    run_id = _last(job.name)
    return RunStatus(
        id=run_id,
        state=state_of(job),
        created=_moment(job.create_time),
        seconds=_seconds(job),
        parameters={key: _plain(value) for key, value in sorted(job.runtime_config.parameter_values.items())},
        link=f"{CONSOLE}/vertex-ai/locations/{clients.region}/pipelines/runs/{run_id}?project={clients.project}",
        error=_one_line(job.error.message),
        steps=tuple(_step(task, clients.project) for task in _tasks(job, run_id)),
        dataflow=dataflow,
    )


def lines(status: RunStatus) -> list[str]:
    """The status as text."""
    shown = [f"{status.id}: {status.state}{_duration(status.seconds, ', ')}, submitted {status.created}"]
    shown.append("  " + ", ".join(f"{name} {value!r}" for name, value in status.parameters.items()))
    shown.append(f"  run: {status.link}")
    for step in status.steps:
        shown.append(f"  {step.name:<33}{step.state:<14}{_duration(step.seconds)}".rstrip())
        shown += [f"      error: {step.error}"] if step.error else []
        shown += [f"      log: {step.log}"] if step.log else []
    for job in status.dataflow:
        shown += [f"  {job.step} on Dataflow: {job.state}", f"      {job.link}"]
    shown += [f"  error: {status.error}"] if status.error else []
    return shown


def _step(task: Any, project: str) -> StepStatus:
    detail = task.executor_detail
    container, custom = detail.container_detail, detail.custom_job_detail
    attempts = [
        *container.failed_pre_caching_check_jobs,
        container.pre_caching_check_job,
        *container.failed_main_jobs,
        container.main_job,
        *custom.failed_jobs,
        custom.job,
    ]
    newest = next((name for name in reversed(attempts) if name), "")
    return StepStatus(
        name=task.task_name,
        state=task.state.name,
        seconds=_seconds(task),
        log=_log_link(_last(newest), _moment(task.create_time), project) if newest else None,
        error=_one_line(task.error.message),
    )


def _tasks(job: aiplatform_v1.PipelineJob, run_id: str) -> list[Any]:
    """The steps, as they began; Vertex AI lists the run itself, and the DAG of an exit handler, as tasks too."""
    tasks = job.job_detail.task_details
    dags = {task.parent_task_id for task in tasks}
    steps = [task for task in tasks if task.task_id not in dags and task.task_name != run_id]
    return sorted(steps, key=lambda task: (_moment(task.start_time or task.create_time) or "9999", task.task_id))


def _log_link(job_id: str, since: str, project: str) -> str:
    query = f'resource.type="ml_job"\nresource.labels.job_id="{job_id}"\ntimestamp>="{since}"'
    return f"{CONSOLE}/logs/query;query={quote(query, safe='')}?project={project}"


def _seconds(thing: Any) -> float | None:
    if not thing.start_time:
        return None
    end = thing.end_time or datetime.datetime.now(datetime.timezone.utc)
    return (end - thing.start_time).total_seconds()


def _duration(seconds: float | None, before: str = "") -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{before}{minutes} min {rest:02d} s" if minutes else f"{before}{rest} s"


def _moment(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _last(name: str) -> str:
    return name.rsplit("/", 1)[-1]
