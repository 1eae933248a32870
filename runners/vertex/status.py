"""The status of a run, with links to the run, each step's log and the Dataflow jobs."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from runners.vertex.clients import Clients, call_options
from runners.vertex.dataflow_jobs import DataflowStatus, find_jobs
from runners.vertex.kinds import TRAINING, PipelineKind, kind_of

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

CONSOLE = "https://console.cloud.google.com"
ENDED_STATES = ("SUCCEEDED", "FAILED", "CANCELLED")


@dataclasses.dataclass(frozen=True)
class StepStatus:
    """One step of a run.

    Attributes:
        name: name of the step.
        state: its state, such as RUNNING. SKIPPED means that an earlier run's outputs were reused.
        seconds: duration until its end, or until now; None if it has not started.
        log: link to its log; None if it runs on no machine.
        error: the error in one line; empty if there is none.
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
        id: its id on Vertex AI, in the folder of its artifacts and in the labels of its Dataflow jobs.
        state: its state, such as RUNNING.
        created: when it was submitted, as YYYY-MM-DDThh:mm:ssZ.
        seconds: duration until its end, or until now; None if it has not started.
        parameters: its parameters.
        link: link to the console.
        error: the error in one line; empty if there is none.
        steps: its steps, in the order in which they started.
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
        """Whether the run has ended."""
        return self.state in ENDED_STATES


def newest_run(clients: Clients, folder: DatasetFolder, kind: PipelineKind = TRAINING) -> str:
    """The id of the pipeline's newest run. Raises SettingsError if there is none."""
    found = next(runs(clients, folder, kind), None)
    if found is None:
        raise SettingsError(
            f"pipeline '{kind.title(folder)}' has no run in {clients.project}, {clients.region}; start one with "
            f"`submit{kind.option}`"
        )
    return last_part(found.name)


def runs(clients: Clients, folder: DatasetFolder, kind: PipelineKind = TRAINING) -> Iterator[aiplatform_v1.PipelineJob]:
    """The pipeline's runs, newest first, without their steps."""
    name = folder.pipeline_name
    request = {"parent": clients.parent, "filter": f'pipeline_name="{name}"', "order_by": "create_time desc"}
    found = clients.pipelines.list_pipeline_jobs(request, **call_options())
    return (run for run in found if kind_of(run.labels, folder) is kind)


def state_of(run: aiplatform_v1.PipelineJob) -> str:
    """The state of a run, such as RUNNING."""
    return run.state.name.removeprefix("PIPELINE_STATE_")


def read_status(clients: Clients, run_id: str, *, with_dataflow: bool = True, patience: float = 15) -> RunStatus:
    """Reads the status of a run.

    Args:
        clients: clients for the project and region.
        run_id: id of the run.
        with_dataflow: whether to find its Dataflow jobs as well.
        patience: see call_options.

    Raises:
        GoogleAPICallError: the service refused, or there is no such run.
    """
    name = f"{clients.parent}/pipelineJobs/{run_id}"
    job = clients.pipelines.get_pipeline_job(name=name, **call_options(patience))
    return status_of(clients, job, tuple(find_jobs(clients, job, run_id)) if with_dataflow else ())


def status_of(clients: Clients, job: aiplatform_v1.PipelineJob, dataflow: tuple[DataflowStatus, ...] = ()) -> RunStatus:
    """The status of a run that the service returned."""
    run_id = last_part(job.name)
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
        log=_log_link(last_part(newest), _moment(task.create_time), project) if newest else None,
        error=_one_line(task.error.message),
    )


def _tasks(job: aiplatform_v1.PipelineJob, run_id: str) -> list[Any]:
    """The steps in the order in which they started, without the run itself and the exit handler's DAG."""
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


def last_part(name: str) -> str:
    """The id in a resource name."""
    return name.rsplit("/", 1)[-1]
