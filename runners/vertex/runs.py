"""Starts, watches and cancels runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from runners.vertex import errors
from runners.vertex.clients import Clients, call_options
from runners.vertex.dataflow_jobs import cancel_job
from runners.vertex.status import RunStatus, read_status

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

#: Seconds without an answer from Vertex AI after which a watched run is given up.
_PATIENCE = 600


def create(clients: Clients, request: aiplatform_v1.CreatePipelineJobRequest) -> aiplatform_v1.PipelineJob:
    """Starts a run. The request names the run's id, so that it can be repeated when a response was lost.

    Raises:
        Conflict: an earlier command started a run with this id.
        GoogleAPICallError: the service refused.
    """
    from google.api_core.exceptions import Conflict

    lost: list[Exception] = []
    try:
        return clients.pipelines.create_pipeline_job(request, **call_options(on_failure=lost.append))
    except Conflict:
        if not lost:
            raise
        return clients.pipelines.get_pipeline_job(  # an attempt succeeded, but its response was lost
            name=f"{request.parent}/pipelineJobs/{request.pipeline_job_id}", **call_options()
        )


def watch(clients: Clients, run_id: str, show: Callable[[str], object], *, every: float) -> RunStatus:
    """Shows each change of a step's state until the run has ended.

    Args:
        clients: clients for the run's project and region.
        run_id: id of the run.
        show: called with each line.
        every: seconds between two requests.

    Returns:
        The last status, with its Dataflow jobs.

    Raises:
        GoogleAPICallError: the service refused, or did not answer for _PATIENCE seconds.
    """
    shown: dict[str, str] = {}
    while True:
        status = read_status(clients, run_id, with_dataflow=False, patience=_PATIENCE)
        for step in status.steps:
            if shown.get(step.name) != step.state:
                show(f"  {time.strftime('%H:%M:%S')}  {step.name:<33}{step.state}")
                shown[step.name] = step.state
        if status.ended:
            return read_status(clients, run_id)
        time.sleep(every)


def cancel(clients: Clients, run_id: str, show: Callable[[str], object], *, dry_run: bool = False) -> list[Exception]:
    """Stops a run and the Dataflow jobs of its steps, which Vertex AI leaves running.

    Args:
        clients: clients for the run's project and region.
        run_id: id of the run. If it has ended, only its Dataflow jobs are stopped.
        show: called with a line for the run and for each job.
        dry_run: whether to show the lines only.

    Returns:
        The errors of the jobs that could not be stopped; each of them was shown, with the link to the job.

    Raises:
        GoogleAPICallError: there is no such run, or it has ended and no job of it is left.
    """
    action = "would cancel" if dry_run else "cancelling"
    had_ended = read_status(clients, run_id, with_dataflow=False).ended
    if not had_ended:
        if not dry_run:
            _cancel_run(clients, run_id)
        show(f"{action} {run_id}; its running steps are stopped")
    running = [job for job in read_status(clients, run_id).dataflow if not job.ended and job.state != "CANCELLING"]
    if had_ended and not running:
        if dry_run:
            show(f"{run_id} has ended, and so have its Dataflow jobs: there is nothing to cancel")
        else:
            _cancel_run(clients, run_id)  # Vertex AI refuses this, and names the state of the run
    failures: list[Exception] = []
    for job in running:
        show(f"{action} the Dataflow job of {job.step}: {job.link}")
        try:
            if not dry_run:
                cancel_job(clients, job)
        except errors.handled() as error:
            failures.append(error)
            said = errors.describe(error, project=clients.project, region=clients.region)
            show(f"  it could not be cancelled: {said}. Stop it in the console.")
    return failures


def _cancel_run(clients: Clients, run_id: str) -> None:
    clients.pipelines.cancel_pipeline_job(name=f"{clients.parent}/pipelineJobs/{run_id}", **call_options())
