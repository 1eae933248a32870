"""The requests that start and schedule runs, built from the compiled job and the settings. Nothing is sent here."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import hashlib
import json
from typing import TYPE_CHECKING, Any

from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run_parameters import RunParameters
from runners.vertex.compiled import tasks_of
from runners.vertex.settings import Schedule, VertexSettings

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

REQUEST_LABEL = "request"  # of scheduled runs: a digest of what the schedule asks for
_FAILURE_POLICIES = {"fast": "PIPELINE_FAILURE_POLICY_FAIL_FAST", "slow": "PIPELINE_FAILURE_POLICY_FAIL_SLOW"}


@dataclasses.dataclass(frozen=True)
class Change:
    """What apply does about a schedule that is there.

    Attributes:
        request: None if it is as the settings want it.
        fields: that differ, as the API names them.
    """

    request: aiplatform_v1.UpdateScheduleRequest | None
    fields: tuple[str, ...] = ()


def new_run_id(pipeline_name: str, moment: datetime.datetime) -> str:
    """`<pipeline>-<YYYYMMDDhhmmss>`, in UTC, as Vertex AI names runs itself."""
    return f"{pipeline_name}-{moment.astimezone(datetime.timezone.utc):%Y%m%d%H%M%S}"


def run_document(
    job: dict[str, Any], folder: DatasetFolder, settings: VertexSettings, parameters: RunParameters, *, caching: bool
) -> dict[str, Any]:
    """A PipelineJob of the REST API.

    Args:
        job: the compiled job.
        folder: its data set.
        settings: with which it was compiled.
        parameters: of the run; the service does not notice a missing one, so that all are passed.
        caching: whether unchanged steps may be taken from earlier runs.

    Raises:
        SettingsError: the job has other parameters.
    """
    values = parameters.values()
    declared = job["pipelineSpec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    if set(declared) != set(values):
        raise SettingsError(
            f"the compiled job has the parameters {', '.join(sorted(declared)) or 'none'}, and this version of the "
            f"package {', '.join(sorted(values))}; compile it again: make vertex-compile"
        )
    document = {
        "displayName": folder.pipeline_name,
        "pipelineSpec": job["pipelineSpec"] if caching else _without_caching(job["pipelineSpec"]),
        "labels": {
            **job.get("labels", {}),
            **settings.labels,
            "pipeline": folder.pipeline_name[:63],
            "dataset": folder.name.lower()[:63],
        },
        "runtimeConfig": {
            "gcsOutputDirectory": settings.root_of(folder.name),
            "parameterValues": values,
            "failurePolicy": _FAILURE_POLICIES[settings.failure_policy],
        },
    }
    if settings.service_account:
        document["serviceAccount"] = settings.service_account
    if settings.network:
        document["network"] = settings.network
    if settings.kms_key:
        document["encryptionSpec"] = {"kmsKeyName": settings.kms_key}
    return document


def create_run(run: dict[str, Any], settings: VertexSettings, run_id: str) -> aiplatform_v1.CreatePipelineJobRequest:
    """The request that starts a run; with the same id a second one is refused, so that it may be repeated."""
    from google.cloud.aiplatform_v1 import CreatePipelineJobRequest

    return _parsed({"parent": _parent(settings), "pipelineJob": run, "pipelineJobId": run_id}, CreatePipelineJobRequest)


def create_schedule(
    run: dict[str, Any], schedule: Schedule, settings: VertexSettings
) -> aiplatform_v1.CreateScheduleRequest:
    """The request that makes the schedule; its display name is the pipeline's, by which it is found again."""
    from google.cloud.aiplatform_v1 import CreateScheduleRequest

    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:32]
    labelled = {**run, "labels": {**run["labels"], REQUEST_LABEL: digest}}
    document: dict[str, Any] = {
        "displayName": run["displayName"],
        "cron": f"TZ={schedule.time_zone} {schedule.cron}",
        "maxConcurrentRunCount": schedule.max_concurrent_runs,
        "allowQueueing": schedule.queue,
        # Without a run's id: the service makes one for each.
        "createPipelineJobRequest": {"parent": _parent(settings), "pipelineJob": labelled},
    }
    for key, moment in (("startTime", schedule.start), ("endTime", schedule.end)):
        if moment:
            document[key] = moment.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    return _parsed({"parent": _parent(settings), "schedule": document}, CreateScheduleRequest)


def update_schedule(existing: aiplatform_v1.Schedule, wanted: aiplatform_v1.Schedule) -> Change:
    """What makes a schedule like the one that the settings want.

    Raises:
        SettingsError: the service cannot change it so.
    """
    from google.cloud.aiplatform_v1 import UpdateScheduleRequest

    if existing.state.name == "COMPLETED":
        raise SettingsError(
            f"the schedule {existing.name} is over, and cannot be changed any more; "
            "`schedule delete`, then `schedule apply`"
        )
    if existing.end_time and not wanted.end_time:
        raise SettingsError(
            f"key 'schedule.end': the service cannot take the end away from the schedule {existing.name}; "
            "`schedule delete`, then `schedule apply`"
        )
    fields = [
        name
        for name in ("cron", "max_concurrent_run_count", "allow_queueing", "start_time", "end_time")
        # Without a start in the settings the service has set the moment of creation.
        if (name != "start_time" or wanted.start_time) and getattr(existing, name) != getattr(wanted, name)
    ]
    if _differs(existing.create_pipeline_job_request.pipeline_job, wanted.create_pipeline_job_request.pipeline_job):
        fields.append("create_pipeline_job_request")
    if not fields:
        return Change(None)
    changed = type(wanted)(wanted)
    changed.name = existing.name
    return Change(UpdateScheduleRequest(schedule=changed, update_mask={"paths": fields}), tuple(fields))


def as_json(request: Any) -> dict[str, Any]:
    """A request as the REST API has it."""
    from google.protobuf import json_format

    return json_format.MessageToDict(type(request).pb(request))


def _parent(settings: VertexSettings) -> str:
    return f"projects/{settings.project}/locations/{settings.region}"


def _parsed(document: dict[str, Any], kind: Any) -> Any:
    """The document as a message; a field that the client does not know is an error."""
    from google.protobuf import json_format

    message = kind()
    json_format.ParseDict(document, kind.pb(message))
    return message


def _without_caching(spec: dict[str, Any]) -> dict[str, Any]:
    spec = copy.deepcopy(spec)
    for task in tasks_of(spec).values():
        task["cachingOptions"] = {"enableCache": False}
    return spec


def _differs(existing: aiplatform_v1.PipelineJob, wanted: aiplatform_v1.PipelineJob) -> bool:
    """Whether a scheduled run is another one.

    The pipeline is compared by the digest in the labels, since the service may return it in another form; what people
    change by hand in the console, by its value.
    """
    return (
        any(existing.labels.get(name) != value for name, value in wanted.labels.items())
        or existing.runtime_config.parameter_values != wanted.runtime_config.parameter_values
        or existing.runtime_config.failure_policy != wanted.runtime_config.failure_policy
        or existing.service_account != wanted.service_account
    )
