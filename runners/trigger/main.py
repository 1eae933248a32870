"""A function that submits a run when new data arrive. Pub/Sub's messages call `on_message`.

It is deployed alone, without the rest of the package; docs/vertex.md shows the commands. Its environment:
    REQUEST: gs://.../request.json, which `python -m runners.vertex_jobs submit --dry-run` wrote.
    TABLE_PATTERN: regular expression that must match all of `project.dataset.table`; other messages are ignored.

A message is a log entry of BigQuery from a log sink, or your own JSON:
    {"table": "my-project.analytics_1.events_20260131", "parameters": {"sample_percent": 10}}
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import re
from typing import Any

from google.api_core import exceptions
from google.auth.exceptions import TransportError
from google.cloud import aiplatform_v1, storage
from google.protobuf import json_format

# After these errors Pub/Sub sends the message again. Others would only be repeated.
_TRANSIENT = (
    exceptions.ServerError,
    exceptions.TooManyRequests,
    exceptions.Aborted,
    exceptions.RetryError,
    TransportError,
)


class Dropped(Exception):
    """A message that starts no run. The text says why."""


def on_message(event: Any) -> None:
    """Submits the run that a CloudEvent requests, or logs why not. Raises only errors that a retry can resolve."""
    message_id = event["id"]
    try:
        document = read_message(event.data)
        table = table_of(document)
        pattern = os.environ.get("TABLE_PATTERN", ".*")
        if not re.fullmatch(pattern, table):
            raise Dropped(f"table '{table}' does not match TABLE_PATTERN '{pattern}'")
        template = load_request(os.environ.get("REQUEST", ""))
        outcome = submit(new_request(template, message_id, document.get("parameters", {})))
        _log("INFO", f"message {message_id}, table '{table}': {outcome}")
    except _TRANSIENT:
        raise
    except (Dropped, exceptions.GoogleAPIError, json_format.ParseError) as error:
        severity = "WARNING" if isinstance(error, Dropped) else "ERROR"
        _log(severity, f"message {message_id} dropped: {getattr(error, 'message', error)}")


def read_message(data: Any) -> dict[str, Any]:
    """The JSON document in a Pub/Sub message, as an event carries it. Raises Dropped."""
    try:
        document = json.loads(base64.b64decode(data["message"]["data"], validate=True))
    except (KeyError, TypeError, ValueError):
        raise Dropped("its data are not JSON") from None
    if not isinstance(document, dict):
        raise Dropped("its JSON is not an object")
    return document


def table_of(document: dict[str, Any]) -> str:
    """`project.dataset.table` of a message, or of either form of BigQuery's log entries. Raises Dropped."""
    target = _at(document, "protoPayload.serviceData.jobCompletedEvent.job.jobConfiguration.load.destinationTable")
    resource = _at(document, "protoPayload.resourceName")
    if isinstance(document.get("table"), str):
        return document["table"]
    if isinstance(target, dict):
        return ".".join(str(target.get(key)) for key in ("projectId", "datasetId", "tableId"))
    named = re.fullmatch(r"projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)", str(resource))
    if named:
        return ".".join(named.groups())
    raise Dropped("it names no table: it has neither 'table' nor the fields of BigQuery's log entries")


def load_request(uri: str) -> dict[str, Any]:
    """The uploaded request as JSON. Raises Dropped, and errors of Cloud Storage."""
    named = re.fullmatch(r"gs://([^/]+)/(.+)", uri)
    if not named:
        raise Dropped(f"the function's variable REQUEST is '{uri}'; set it to gs://<bucket>/<path>")
    text = storage.Client().bucket(named[1]).blob(named[2]).download_as_bytes()
    try:
        request = json.loads(text)
    except ValueError:
        request = None
    needed = ("parent", "pipelineJob.pipelineSpec.pipelineInfo.name", "pipelineJob.runtimeConfig.parameterValues")
    if not all(_at(request, path) for path in needed):
        raise Dropped(f"{uri} is not a request written by `python -m runners.vertex_jobs submit --dry-run`")
    return request


def new_request(template: dict[str, Any], message_id: str, parameters: Any) -> dict[str, Any]:
    """The request for the run of a message. The same message always means the same run. Raises Dropped."""
    job = template["pipelineJob"]
    values = {**job["runtimeConfig"]["parameterValues"], **check_parameters(parameters)}
    if values.get("data_fingerprint"):
        values["data_fingerprint"] = (
            f"message-{message_id}"  # the template's fingerprint is older; a new one avoids a cache hit
        )
    name = job["pipelineSpec"]["pipelineInfo"]["name"]
    return {
        **template,
        "pipelineJobId": f"{name[:42]}-{hashlib.sha256(message_id.encode()).hexdigest()[:20]}",
        "pipelineJob": {**job, "runtimeConfig": {**job["runtimeConfig"], "parameterValues": values}},
    }


def check_parameters(parameters: Any) -> dict[str, Any]:
    """The parameters of a message, if it may set them. Raises Dropped.

    A message cannot accept an incompatible champion; a person decides that.
    """
    if not isinstance(parameters, dict):
        raise Dropped("'parameters' is not an object")
    allowed = {"as_of": _is_day, "sample_percent": _is_percent}
    for name, value in parameters.items():
        if name not in allowed:
            raise Dropped(f"a message may not set parameter '{name}'; it may set {', '.join(allowed)}")
        if not allowed[name](value):
            raise Dropped(f"parameter '{name}' has a value that is not allowed: {value!r}")
    return parameters


def submit(request: dict[str, Any]) -> str:
    """Sends the request and returns the outcome. If the run exists already, the same message started it."""
    message = aiplatform_v1.CreatePipelineJobRequest.from_json(json.dumps(request))
    region = message.parent.rpartition("/")[2]
    client = aiplatform_v1.PipelineServiceClient(client_options={"api_endpoint": f"{region}-aiplatform.googleapis.com"})
    try:
        return f"submitted {client.create_pipeline_job(request=message).name}"
    except exceptions.Aborted:  # a subclass of Conflict with another meaning
        raise
    except exceptions.Conflict:
        return f"{message.pipeline_job_id} was submitted before"


def _is_day(value: Any) -> bool:
    if value == "latest":
        return True
    try:
        return isinstance(value, str) and len(value) == 10 and bool(datetime.date.fromisoformat(value))
    except ValueError:
        return False


def _is_percent(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 100  # excludes JSON's true


def _at(document: Any, path: str) -> Any:
    """The value at a dotted path of nested objects, or None."""
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _log(severity: str, text: str) -> None:
    """Writes one line for Cloud Logging."""
    print(json.dumps({"severity": severity, "message": text}), flush=True)
