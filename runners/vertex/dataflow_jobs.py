"""The Dataflow jobs of a run. Their names contain the run's id."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runners.vertex.clients import Clients
from runners.vertex.dataflow import RUN_ID_PLACEHOLDER

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

_ENDED_STATES = ("DONE", "FAILED", "CANCELLED", "UPDATED", "DRAINED")
_CONSOLE = "https://console.cloud.google.com/dataflow/jobs"


@dataclasses.dataclass(frozen=True)
class DataflowStatus:
    """A Dataflow job of a run.

    Attributes:
        step: the step that started it.
        state: its state, such as RUNNING.
        link: link to the console.
        name: its resource name, `projects/<project>/locations/<region>/jobs/<id>`.
    """

    step: str
    state: str
    link: str
    name: str

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.state in _ENDED_STATES


def find_jobs(clients: Clients, run: aiplatform_v1.PipelineJob, run_id: str) -> Iterator[DataflowStatus]:
    """Finds the Dataflow jobs of a run.

    Args:
        clients: clients for the run's project.
        run: the run with its pipeline spec, which names the jobs, their projects and regions.
        run_id: id of the run.

    Raises:
        GoogleAPICallError: the service refused.
    """
    for step, options in _dataflow_steps(run):
        name = options["job_name"].replace(RUN_ID_PLACEHOLDER, run_id)
        for job in _jobs_of_name(clients, options["project"], options["region"], name):
            yield DataflowStatus(
                step=step,
                state=job.get("currentState", "JOB_STATE_UNKNOWN").removeprefix("JOB_STATE_"),
                link=f"{_CONSOLE}/{options['region']}/{job['id']}?project={options['project']}",
                name=f"projects/{options['project']}/locations/{options['region']}/jobs/{job['id']}",
            )


def cancel_job(clients: Clients, job: DataflowStatus) -> None:
    """Asks Dataflow to cancel a job. Raises GoogleAPICallError if it refuses, for example because the job has ended."""
    clients.call("PUT", "dataflow", f"/v1b3/{job.name}", body={"requestedState": "JOB_STATE_CANCELLED"})


def _dataflow_steps(run: aiplatform_v1.PipelineJob) -> Iterator[tuple[str, dict[str, str]]]:
    """Each step that runs on Dataflow, with its Beam options."""
    from google.protobuf import json_format

    spec = json_format.MessageToDict(type(run).pb(run).pipeline_spec)
    for label, executor in spec.get("deploymentSpec", {}).get("executors", {}).items():
        arguments = executor.get("container", {}).get("args", [])
        if "--runner=DataflowRunner" in arguments:
            pairs = (text.removeprefix("--").partition("=") for text in arguments if text.startswith("--"))
            yield label.removesuffix("_executor"), {name: value for name, _, value in pairs}


def _jobs_of_name(clients: Clients, project: str, region: str, name: str) -> Iterator[dict[str, Any]]:
    """The jobs of a name; there are several if the step was retried."""
    params: dict[str, Any] = {"name": name, "filter": "ALL"}
    while True:
        page = clients.call("GET", "dataflow", f"/v1b3/projects/{project}/locations/{region}/jobs", params=params)
        yield from (job for job in page.get("jobs", []) if job["name"] == name)
        if not page.get("nextPageToken"):
            return
        params["pageToken"] = page["nextPageToken"]
