import base64
import importlib.util
import json
import re
import types
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.auth.exceptions import TransportError

import schema
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run_parameters import RunParameters
from runners.vertex import requests
from runners.vertex.settings import load_vertex_settings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "runners" / "trigger"
PATTERN = r"my-project\.analytics_1\.events_\d{8}"
TABLE = "my-project.analytics_1.events_20260131"
TABLE_IDS = {"projectId": "my-project", "datasetId": "analytics_1", "tableId": "events_20260131"}
LOADED = {
    "serviceData": {"jobCompletedEvent": {"job": {"jobConfiguration": {"load": {"destinationTable": TABLE_IDS}}}}}
}
CHANGED = {"resourceName": "projects/my-project/datasets/analytics_1/tables/events_20260131", "metadata": {}}


@pytest.fixture
def main():
    spec = importlib.util.spec_from_file_location("trigger_main", FOLDER / "main.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def template():
    """What `submit --dry-run` writes, of a small job."""
    settings = load_vertex_settings(ROOT / "runners" / "vertex.yaml")
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    parameters = RunParameters()
    job = {
        "pipelineSpec": {
            "pipelineInfo": {"name": folder.pipeline_name},
            "schemaVersion": "2.1.0",
            "root": {
                "inputDefinitions": {"parameters": {name: {} for name in parameters.values()}},
                "dag": {"tasks": {}},
            },
            "components": {},
        }
    }
    run = requests.run_document(job, folder, settings, parameters, caching=False)
    return requests.as_json(requests.create_run(run, settings, "propensity-ga4-20260131000000"))


class Cloud:
    """Stands for Cloud Storage, which has the request, and for Vertex AI, which keeps the runs' ids unique."""

    def __init__(self, request):
        self.request, self.error, self.runs, self.endpoints = request, None, {}, []

    def bucket(self, name):
        return types.SimpleNamespace(blob=lambda path: self if (name, path) == ("b", "jobs/request.json") else None)

    def download_as_bytes(self):
        return json.dumps(self.request).encode()

    def connect(self, client_options):
        self.endpoints.append(client_options["api_endpoint"])
        return self

    def create_pipeline_job(self, request):
        if self.error:
            raise self.error
        if request.pipeline_job_id in self.runs:
            raise exceptions.AlreadyExists("there")
        self.runs[request.pipeline_job_id] = request
        return types.SimpleNamespace(name=f"{request.parent}/pipelineJobs/{request.pipeline_job_id}")


@pytest.fixture
def cloud(main, template, monkeypatch):
    cloud = Cloud(template)
    monkeypatch.setattr(main.storage, "Client", lambda: cloud)
    monkeypatch.setattr(main.aiplatform_v1, "PipelineServiceClient", cloud.connect)
    monkeypatch.setenv("REQUEST", "gs://b/jobs/request.json")
    monkeypatch.setenv("TABLE_PATTERN", PATTERN)
    return cloud


class Event(dict):
    """A CloudEvent as functions-framework hands it over."""

    def __init__(self, message_id, body):
        super().__init__(id=message_id)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.data = {"message": {"data": base64.b64encode(data).decode(), "messageId": message_id}, "subscription": "s"}


def logged(capsys):
    """The one line that was written."""
    [line] = capsys.readouterr().out.splitlines()
    return json.loads(line)


@pytest.mark.parametrize("body", [{"table": TABLE}, {"protoPayload": LOADED}, {"protoPayload": CHANGED}])
def test_a_new_table_starts_a_run(main, cloud, template, capsys, body):
    main.on_message(Event("17", body))
    [(run_id, request)] = cloud.runs.items()
    assert re.fullmatch(r"propensity-ga4-[0-9a-f]{20}", run_id)
    assert requests.as_json(request) == {**template, "pipelineJobId": run_id}
    assert cloud.endpoints == ["us-central1-aiplatform.googleapis.com"]
    line = logged(capsys)
    assert line["severity"] == "INFO"
    assert f"message 17, table '{TABLE}': submitted projects/my-project" in line["message"]


def test_a_message_that_comes_twice_is_one_run(main, cloud, capsys):
    main.on_message(Event("17", {"table": TABLE}))
    capsys.readouterr()
    main.on_message(Event("17", {"table": TABLE}))
    assert len(cloud.runs) == 1
    assert logged(capsys)["severity"] == "INFO"
    main.on_message(Event("18", {"table": TABLE}))
    assert len(cloud.runs) == 2


def test_parameters_of_the_message(main, cloud):
    main.on_message(Event("17", {"table": TABLE, "parameters": {"as_of": "2026-01-31", "sample_percent": 10}}))
    [request] = cloud.runs.values()
    values = requests.as_json(request)["pipelineJob"]["runtimeConfig"]["parameterValues"]
    expected = RunParameters(as_of="2026-01-31", sample_percent=10)
    assert RunParameters.model_validate(values) == expected


def test_a_run_with_caching_does_not_take_steps_of_older_data(main, cloud, template):
    cloud.request = json.loads(json.dumps(template))
    cloud.request["pipelineJob"]["runtimeConfig"]["parameterValues"]["data_fingerprint"] = "of last week"
    main.on_message(Event("17", {"table": TABLE}))
    [request] = cloud.runs.values()
    assert request.pipeline_job.runtime_config.parameter_values["data_fingerprint"] == "message-17"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff\xfe", "data are not JSON"),
        (b"{", "data are not JSON"),
        ([1], "JSON is not an object"),
        ({}, "names no table"),
        ({"table": 5}, "names no table"),
        ({"protoPayload": {"resourceName": "projects/p/datasets/d"}}, "names no table"),
        ({"protoPayload": {"serviceData": "x"}}, "names no table"),
        ({"table": "my-project.analytics_1.events_intraday_20260131"}, "does not match TABLE_PATTERN"),
        ({"table": "x" + TABLE}, "does not match TABLE_PATTERN"),
        ({"table": TABLE, "parameters": [1]}, "'parameters' is not an object"),
        (
            {"table": TABLE, "parameters": {"accept_incompatible_champion": 1}},
            "a message may not set parameter 'accept_incompatible_champion'; it may set as_of, sample",
        ),
        ({"table": TABLE, "parameters": {"data_fingerprint": "x"}}, "may not set parameter 'data_fingerprint'"),
        ({"table": TABLE, "parameters": {"sample_percent": 0}}, "'sample_percent' has a value that is not allowed: 0"),
        (
            {"table": TABLE, "parameters": {"sample_percent": True}},
            "'sample_percent' has a value that is not allowed: True",
        ),
        (
            {"table": TABLE, "parameters": {"sample_percent": "10"}},
            "'sample_percent' has a value that is not allowed: '10'",
        ),
        (
            {"table": TABLE, "parameters": {"as_of": "2026-02-30"}},
            "'as_of' has a value that is not allowed: '2026-02-30'",
        ),
        ({"table": TABLE, "parameters": {"as_of": "20260131"}}, "'as_of' has a value that is not allowed"),
        ({"table": TABLE, "parameters": {"as_of": 5}}, "'as_of' has a value that is not allowed: 5"),
    ],
)
def test_a_bad_message_is_dropped_with_its_reason(main, cloud, capsys, body, reason):
    main.on_message(Event("17", body))
    assert cloud.runs == {}
    line = logged(capsys)
    assert line["severity"] == "WARNING"
    assert line["message"].startswith("message 17 dropped: ") and reason in line["message"]


def test_a_message_without_data_is_dropped(main, cloud, capsys):
    event = Event("17", {})
    event.data = {"message": {"messageId": "17"}}
    main.on_message(event)
    assert "data are not JSON" in logged(capsys)["message"]


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ServiceUnavailable("busy"),
        exceptions.InternalServerError("fault"),
        exceptions.DeadlineExceeded("late"),
        exceptions.ResourceExhausted("quota"),
        exceptions.Aborted("again"),
        exceptions.RetryError("gave up", None),
        TransportError("no network"),
    ],
)
def test_what_may_pass_is_raised_for_pubsub_to_try_again(main, cloud, capsys, error):
    cloud.error = error
    with pytest.raises(type(error)):
        main.on_message(Event("17", {"table": TABLE}))
    assert capsys.readouterr().out == ""
    cloud.error = None
    main.on_message(Event("17", {"table": TABLE}))
    assert len(cloud.runs) == 1


@pytest.mark.parametrize(
    "error",
    [
        exceptions.PermissionDenied("lacks aiplatform.pipelineJobs.create"),
        exceptions.InvalidArgument("bad"),
        exceptions.NotFound("x"),
    ],
)
def test_what_will_not_pass_is_logged_as_an_error(main, cloud, capsys, error):
    cloud.error = error
    main.on_message(Event("17", {"table": TABLE}))
    assert logged(capsys) == {"severity": "ERROR", "message": f"message 17 dropped: {error.message}"}


@pytest.mark.parametrize("uri", ["", "/tmp/request.json", "gs://b"])
def test_the_request_must_be_named(main, cloud, capsys, monkeypatch, uri):
    monkeypatch.setenv("REQUEST", uri)
    main.on_message(Event("17", {"table": TABLE}))
    assert f"REQUEST is '{uri}'" in logged(capsys)["message"]


@pytest.mark.parametrize("request_", ["text", 5, {}, {"pipelineSpec": {}}, {"parent": "projects/p/locations/l"}])
def test_a_file_that_is_no_request(main, cloud, capsys, request_):
    cloud.request = request_
    main.on_message(Event("17", {"table": TABLE}))
    assert "gs://b/jobs/request.json is not a request" in logged(capsys)["message"]


def test_a_request_that_the_client_does_not_know(main, cloud, template, capsys):
    cloud.request = {**template, "pipelineJob": {**template["pipelineJob"], "colour": "red"}}
    main.on_message(Event("17", {"table": TABLE}))
    line = logged(capsys)
    assert line["severity"] == "ERROR" and "colour" in line["message"]
    assert cloud.runs == {}


def test_what_may_be_set_are_parameters_of_a_run():
    allowed = {"as_of": "latest", "sample_percent": 5}
    assert {name: RunParameters(**allowed).values()[name] for name in allowed} == allowed


def test_versions_are_those_of_the_project():
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    locked = (ROOT / "requirements.txt").read_text()
    assert {pin.partition("==")[0] for pin in pins} == {"google-cloud-aiplatform", "google-cloud-storage"}
    for pin in pins:
        found = re.findall(rf"^{re.escape(pin.partition('==')[0])}==\S+(?: ; .*)?", locked, re.MULTILINE)
        fitting = [line.partition(" ;")[0] for line in found if "< '3.11'" not in line]
        assert fitting == [pin]


def test_the_example_of_the_docs_lets_its_own_messages_through():
    text = Path("docs/vertex.md").read_text()
    [dataset] = re.findall(r'destinationTable.datasetId="(\w+)"', text)
    [pattern] = re.findall(r"TABLE_PATTERN=([^']+)'", text)
    assert re.fullmatch(pattern, f"my-project.{dataset}.events_20260131")
