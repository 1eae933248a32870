"""The parts of Vertex AI that the command line calls, on a local server; other services' are in support_services.

What is not known to be accepted by the real service is refused with its way of saying so (400 with the field named).
"""

import re

from tests.runners.cloud.server import Call, FakeCloud, Refusal, bad_field, denied, page, route, serving
from tests.runners.cloud.services import REGION

__all__ = ["PARENT", "PROJECT", "REGION", "Call", "FakeCloud", "Refusal", "bad_field", "denied", "serving"]

PROJECT = "my-project"
PARENT = f"projects/{PROJECT}/locations/{REGION}"
_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")
_RUN_ID = re.compile(r"[a-z][-a-z0-9]{0,126}")
_SCHEDULE_FIELDS = {  # that an update may name
    "displayName",
    "cron",
    "startTime",
    "endTime",
    "maxRunCount",
    "maxConcurrentRunCount",
    "maxConcurrentActiveRunCount",
    "allowQueueing",
    "createPipelineJobRequest",
}


# Vertex AI: runs


@route("POST", r"/v1/(projects/[^/]+/locations/[^/]+)/pipelineJobs")
def _create_run(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    run_id = call.query.get("pipelineJobId") or f"run-{len(cloud.runs)}"
    if not _RUN_ID.fullmatch(run_id):
        raise bad_field("pipeline_job_id", f"not a valid id: {run_id}")
    check_run(call.body)
    name = f"{match[1]}/pipelineJobs/{run_id}"
    if name in cloud.runs:
        raise Refusal(409, f"The PipelineJob with ID {run_id} already exists.")
    moment = cloud.now()
    cloud.runs[name] = {
        **call.body,
        "name": name,
        "createTime": moment,
        "updateTime": moment,
        "state": "PIPELINE_STATE_PENDING",
    }
    return cloud.runs[name]


@route("GET", r"/v1/(projects/[^/]+/locations/[^/]+)/pipelineJobs")
def _list_runs(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    found = [run for name, run in cloud.runs.items() if name.startswith(match[1] + "/")]
    for key, wanted in _equalities(call.query.get("filter", ""), {"pipeline_name"}):
        assert key == "pipeline_name"
        found = [run for run in found if run["pipelineSpec"]["pipelineInfo"]["name"] == wanted]
    if call.query.get("orderBy") == "create_time desc":
        found.sort(key=lambda run: run["createTime"], reverse=True)
    part, token = page(found, call.query)
    listed = [{key: value for key, value in run.items() if key not in ("jobDetail", "pipelineSpec")} for run in part]
    return {"pipelineJobs": listed, "nextPageToken": token}


@route("GET", r"/v1/(projects/[^/]+/locations/[^/]+/pipelineJobs/[^/:]+)")
def _get_run(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    run = _known(cloud.runs, match[1], "PipelineJob")
    coming = cloud.coming[match[1].rsplit("/", 1)[-1]]
    run.update(coming.pop(0) if coming else {})
    return run


@route("POST", r"/v1/(projects/[^/]+/locations/[^/]+/pipelineJobs/[^/:]+):cancel")
def _cancel_run(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    run = _known(cloud.runs, match[1], "PipelineJob")
    if is_ended(run):
        raise Refusal(400, f"{run['name']} is in state {run['state']}, it cannot be cancelled.", "FAILED_PRECONDITION")
    run["state"] = "PIPELINE_STATE_CANCELLING"
    return {}


@route("DELETE", r"/v1/(projects/[^/]+/locations/[^/]+/pipelineJobs/[^/:]+)")
def _delete_run(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    if not is_ended(_known(cloud.runs, match[1], "PipelineJob")):
        raise Refusal(400, f"{match[1]} has not ended, it cannot be deleted.", "FAILED_PRECONDITION")
    del cloud.runs[match[1]]
    return _operation(match[1])


def is_ended(run: dict) -> bool:
    """Whether a run is in a last state."""
    return run["state"] in ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED")


def check_run(document: object) -> None:
    """Checks the body of CreatePipelineJob, and the pipeline in it. Raises Refusal."""
    from google.cloud.aiplatform_v1.types import PipelineJob

    _check_fields(document, PipelineJob, "pipeline_job")
    for key in ("name", "state", "jobDetail", "createTime", "error", "scheduleName"):
        if key in document:
            raise bad_field(f"pipeline_job.{key}", "is output only")
    for key in ("displayName", "pipelineSpec", "runtimeConfig"):
        if not document.get(key):
            raise bad_field(f"pipeline_job.{key}", "is required")
    for key, value in document.get("labels", {}).items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise bad_field("pipeline_job.labels", f"not a valid label: {key}={value}")
    config, spec = document["runtimeConfig"], document["pipelineSpec"]
    if not config.get("gcsOutputDirectory", "").startswith("gs://"):
        raise bad_field("pipeline_job.runtime_config.gcs_output_directory", "is not a folder of Cloud Storage")
    _check_spec(spec)
    _check_parameters(spec["root"].get("inputDefinitions", {}).get("parameters", {}), config.get("parameterValues", {}))


def _check_fields(document: object, kind: type, field: str) -> None:
    from google.protobuf import json_format

    if not isinstance(document, dict):
        raise bad_field(field, "is required")
    try:
        json_format.ParseDict(document, kind.pb()())
    except json_format.ParseError as error:
        raise bad_field(field, str(error)) from None


def _check_spec(spec: dict) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        raise bad_field("pipeline_job.pipeline_spec", str(error)) from None
    if spec.get("schemaVersion") != "2.1.0":
        raise bad_field("pipeline_job.pipeline_spec.schema_version", "parameter values need 2.1.0")


def _check_parameters(declared: dict, values: dict) -> None:
    fits = {
        "STRING": lambda value: isinstance(value, str),
        "NUMBER_INTEGER": lambda value: isinstance(value, int | float) and value == int(value),
        "NUMBER_DOUBLE": lambda value: isinstance(value, int | float),
    }
    for name, definition in declared.items():
        if name not in values and "defaultValue" not in definition:
            raise bad_field(f"runtime_config.parameter_values.{name}", "is missing")
        if name in values and not fits[definition["parameterType"]](values[name]):
            raise bad_field(f"runtime_config.parameter_values.{name}", f"is not {definition['parameterType']}")
    for name in set(values) - set(declared):
        raise bad_field(f"runtime_config.parameter_values.{name}", "is no parameter of the pipeline")


# Vertex AI: schedules


@route("POST", r"/v1/(projects/[^/]+/locations/[^/]+)/schedules")
def _create_schedule(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    check_schedule(call.body, match[1])
    moment = cloud.now()
    name = f"{match[1]}/schedules/{1000 + len(cloud.schedules)}"
    given = {"startTime": moment, **call.body}
    cloud.schedules[name] = {**given, "name": name, "state": "ACTIVE", "createTime": moment, "updateTime": moment}
    return cloud.schedules[name]


@route("GET", r"/v1/(projects/[^/]+/locations/[^/]+)/schedules")
def _list_schedules(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    found = [schedule for name, schedule in cloud.schedules.items() if name.startswith(match[1] + "/")]
    for _, wanted in _equalities(call.query.get("filter", ""), {"display_name"}):
        found = [schedule for schedule in found if schedule["displayName"] == wanted]
    listed, token = page(found, call.query)
    return {"schedules": listed, "nextPageToken": token}


@route("GET", r"/v1/(projects/[^/]+/locations/[^/]+/schedules/[^/:]+)")
def _get_schedule(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    return _known(cloud.schedules, match[1], "Schedule")


@route("PATCH", r"/v1/((projects/[^/]+/locations/[^/]+)/schedules/[^/:]+)")
def _update_schedule(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    schedule = _known(cloud.schedules, match[1], "Schedule")
    mask = call.query.get("updateMask", "")
    if schedule["state"] == "COMPLETED":
        raise Refusal(400, f"{match[1]} is completed, it cannot be updated.", "FAILED_PRECONDITION")
    if not mask:
        raise bad_field("update_mask", "is required")
    for path in mask.split(","):
        if path not in _SCHEDULE_FIELDS:
            raise bad_field("update_mask", f"cannot update {path}")
        if not call.body.get(path) and schedule.get(path):
            if path != "allowQueueing":  # JSON leaves false out
                raise bad_field(path, "cannot be unset")
            schedule.pop(path)
        elif call.body.get(path):
            schedule[path] = call.body[path]
    sent = {key: value for key, value in schedule.items() if key in _SCHEDULE_FIELDS}
    check_schedule(sent, match[2])
    schedule["updateTime"] = cloud.now()
    return schedule


@route("POST", r"/v1/(projects/[^/]+/locations/[^/]+/schedules/[^/:]+):(pause|resume)")
def _pause_schedule(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    schedule = _known(cloud.schedules, match[1], "Schedule")
    if schedule["state"] == "COMPLETED":
        raise Refusal(400, f"{match[1]} is completed.", "FAILED_PRECONDITION")
    schedule["state"] = {"pause": "PAUSED", "resume": "ACTIVE"}[match[2]]
    return {}


@route("DELETE", r"/v1/(projects/[^/]+/locations/[^/]+/schedules/[^/:]+)")
def _delete_schedule(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    _known(cloud.schedules, match[1], "Schedule")
    del cloud.schedules[match[1]]
    return _operation(match[1])


@route("GET", r"/v1/(projects/[^/]+/locations/[^/]+/.*operations/[^/:]+)")
def _get_operation(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    return {"name": match[1], "done": True, "response": {"@type": "type.googleapis.com/google.protobuf.Empty"}}


def _operation(resource: str) -> dict:
    """A long-running operation that is done when it is asked about the first time."""
    return {"name": f"{resource.rsplit('/', 2)[0]}/operations/1", "done": False}


def check_schedule(document: object, parent: str) -> None:
    """Checks the body of CreateSchedule, and the run in it. Raises Refusal."""
    from google.cloud.aiplatform_v1.types import Schedule

    _check_fields(document, Schedule, "schedule")
    for key in ("name", "state", "createTime", "nextRunTime", "catchUp", "startedRunCount"):
        if key in document:
            raise bad_field(f"schedule.{key}", "is output only")
    for key in ("displayName", "cron", "maxConcurrentRunCount", "createPipelineJobRequest"):
        if not document.get(key):
            raise bad_field(f"schedule.{key}", "is required")
    if not re.fullmatch(r"((CRON_)?TZ=[A-Za-z_]+(/[A-Za-z_]+)* )?\S+( \S+){4}", document["cron"]):
        raise bad_field("schedule.cron", f"not a schedule: {document['cron']}")
    request = document["createPipelineJobRequest"]
    if request.get("parent") != parent:
        raise bad_field("schedule.create_pipeline_job_request.parent", f"must be {parent}")
    check_run(request.get("pipelineJob"))


def _known(resources: dict[str, dict], name: str, kind: str) -> dict:
    if name not in resources:
        raise Refusal(404, f"The {kind} does not exist: {name}")
    return resources[name]


def _equalities(text: str, keys: set[str]) -> list[tuple[str, str]]:
    """The parts of a filter `key="value" AND ...`."""
    found = []
    for part in filter(None, text.split(" AND ")):
        match = re.fullmatch(r'(\w+)="([^"]*)"', part)
        if not match or match[1] not in keys:
            raise bad_field("filter", f"cannot filter by {part}")
        found.append((match[1], match[2]))
    return found
