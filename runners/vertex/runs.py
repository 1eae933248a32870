"""Starts, watches and cancels runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from runners.vertex.clients import Clients, call_options
from runners.vertex.status import RunStatus, read_status

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

#: Seconds without an answer from Vertex AI after which a watched run is given up.
_PATIENCE = 600


def create(clients: Clients, request: aiplatform_v1.CreatePipelineJobRequest) -> aiplatform_v1.PipelineJob:
    """Starts a run. The request names the run's id, so that it may be sent again where an answer was lost.

    Raises:
        Conflict: there is a run of this id, which an earlier command started.
        GoogleAPICallError: the service refused.
    """
    from google.api_core.exceptions import Conflict

    lost: list[Exception] = []
    try:
        return clients.pipelines.create_pipeline_job(request, **call_options(on_failure=lost.append))
    except Conflict:
        if not lost:
            raise
        return clients.pipelines.get_pipeline_job(  # an attempt had arrived, only its answer had not
            name=f"{request.parent}/pipelineJobs/{request.pipeline_job_id}", **call_options()
        )


def watch(clients: Clients, run_id: str, show: Callable[[str], object], *, every: float) -> RunStatus:
    """Shows each change of a step's state until the run has ended.

    Args:
        clients: of the run's project and region.
        run_id: of the run.
        show: takes a line.
        every: seconds between two looks.

    Returns:
        The last status, with its Dataflow jobs.

    Raises:
        GoogleAPICallError: the service refused, or did not answer for ten minutes.
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


def cancel(clients: Clients, run_id: str) -> None:
    """Stops a run. Raises GoogleAPICallError if there is none, or it has ended."""
    clients.pipelines.cancel_pipeline_job(name=f"{clients.parent}/pipelineJobs/{run_id}", **call_options())
