"""Builds the requests that start and schedule runs, from the compiled job and the settings. Sends nothing."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import hashlib
import json
from typing import TYPE_CHECKING, Any

from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run_parameters import Parameters
from runners.vertex.compiled import compile_again, tasks_of
from runners.vertex.kinds import LABEL, TRAINING, PipelineKind
from runners.vertex.settings import Schedule, VertexSettings

if TYPE_CHECKING:
    from google.cloud import aiplatform_v1

REQUEST_LABEL = "request"  # label of scheduled runs: a digest of the scheduled request
_FAILURE_POLICIES = {"fast": "PIPELINE_FAILURE_POLICY_FAIL_FAST", "slow": "PIPELINE_FAILURE_POLICY_FAIL_SLOW"}


@dataclasses.dataclass(frozen=True)
class Change:
    """The change that `apply` makes to an existing schedule.

    Attributes:
        request: the request for the change; None if nothing differs from the settings.
        fields: the fields that differ, by their names in the API.
    """

    request: aiplatform_v1.UpdateScheduleRequest | None
    fields: tuple[str, ...] = ()


def new_run_id(title: str, moment: datetime.datetime) -> str:
    """A run's id as Vertex AI forms it: `<title>-<YYYYMMDDhhmmss>`, in UTC."""
    return f"{title}-{moment.astimezone(datetime.timezone.utc):%Y%m%d%H%M%S}"


def run_document(
    job: dict[str, Any],
    folder: DatasetFolder,
    settings: VertexSettings,
    parameters: Parameters,
    *,
    caching: bool,
    kind: PipelineKind = TRAINING,
) -> dict[str, Any]:
    """Builds a PipelineJob of the REST API.

    Args:
        job: the compiled job.
        folder: its data set.
        settings: the settings that it was compiled with.
        parameters: parameters of the run. All of them are passed, because the service does not notice a missing one.
        caching: whether unchanged steps of earlier runs may be reused.
        kind: which pipeline the job is.

    Raises:
        SettingsError: the job has other parameters.
    """
    values = parameters.values_at_run_time()
    declared = job["pipelineSpec"]["root"].get("inputDefinitions", {}).get("parameters", {})
    if set(declared) != set(values):
        raise SettingsError(
            f"the compiled job has the parameters {', '.join(sorted(declared)) or 'none'}, but this version of the "
            f"package has {', '.join(sorted(values))}; {compile_again(kind)}"
        )
    document = {
        "displayName": kind.title(folder),
        "pipelineSpec": job["pipelineSpec"] if caching else _without_caching(job["pipelineSpec"]),
        "labels": {
            **job.get("labels", {}),
            **settings.labels,
            LABEL: kind.label(folder),
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
    """The request that starts a run. It is safe to repeat: a second run with the same id is refused."""
    from google.cloud.aiplatform_v1 import CreatePipelineJobRequest

    return _parsed({"parent": _parent(settings), "pipelineJob": run, "pipelineJobId": run_id}, CreatePipelineJobRequest)


def create_schedule(
    run: dict[str, Any], schedule: Schedule, settings: VertexSettings
) -> aiplatform_v1.CreateScheduleRequest:
    """The request that creates the schedule. Its display name is that of its runs, so that it can be found again."""
    from google.cloud.aiplatform_v1 import CreateScheduleRequest

    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:32]
    labelled = {**run, "labels": {**run["labels"], REQUEST_LABEL: digest}}
    document: dict[str, Any] = {
        "displayName": run["displayName"],
        "cron": f"TZ={schedule.time_zone} {schedule.cron}",
        # The first limits the runs that are being started, the second those that are under way.
        "maxConcurrentRunCount": schedule.max_concurrent_runs,
        "maxConcurrentActiveRunCount": schedule.max_concurrent_runs,
        "allowQueueing": schedule.queue,
        # No run id here: the service makes one for each run.
        "createPipelineJobRequest": {"parent": _parent(settings), "pipelineJob": labelled},
    }
    for key, moment in (("startTime", schedule.start), ("endTime", schedule.end)):
        if moment:
            document[key] = moment.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    return _parsed({"parent": _parent(settings), "schedule": document}, CreateScheduleRequest)


# Fields of a schedule that an update compares one by one.
_COMPARED = (
    "cron",
    "max_concurrent_run_count",
    "max_concurrent_active_run_count",
    "allow_queueing",
    "start_time",
    "end_time",
)


def update_schedule(
    existing: aiplatform_v1.Schedule, wanted: aiplatform_v1.Schedule, kind: PipelineKind = TRAINING
) -> Change:
    """The change that makes an existing schedule equal to the one in the settings.

    Raises:
        SettingsError: the service does not support this change.
    """
    from google.cloud.aiplatform_v1 import UpdateScheduleRequest

    if existing.state.name == "COMPLETED":
        raise SettingsError(
            f"the schedule {existing.name} is over and can no longer be changed; run `schedule delete`, then "
            "`schedule apply`"
        )
    if existing.end_time and not wanted.end_time:
        raise SettingsError(
            f"key '{kind.schedule_key}.end': the service cannot remove the end of the schedule {existing.name}; run "
            "`schedule delete`, then `schedule apply`"
        )
    fields = [
        name
        for name in _COMPARED
        # If the settings name no start, the service sets the time of creation.
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
    """A request as JSON of the REST API."""
    from google.protobuf import json_format

    return json_format.MessageToDict(type(request).pb(request))


def _parent(settings: VertexSettings) -> str:
    return f"projects/{settings.project}/locations/{settings.region}"


def _parsed(document: dict[str, Any], kind: Any) -> Any:
    """The document as a message. Fields that the client does not know are an error."""
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
    """Whether two scheduled runs differ.

    The digest in the labels stands for the pipeline, which the service may return in another form. Fields that people
    change in the console are compared by value.
    """
    return (
        any(existing.labels.get(name) != value for name, value in wanted.labels.items())
        or existing.runtime_config.parameter_values != wanted.runtime_config.parameter_values
        or existing.runtime_config.failure_policy != wanted.runtime_config.failure_policy
        or existing.service_account != wanted.service_account
    )
