"""Clients are made from the settings, for Google's endpoints or others, when they are needed."""

import types

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials

from models.config import SettingsError
from runners.vertex.clients import Clients, parse_endpoints
from runners.vertex.settings import load_vertex_settings
from tests.runners.cloud.runs import EXAMPLE
from tests.runners.cloud.vertex import PARENT, Refusal, serving

SETTINGS = load_vertex_settings(EXAMPLE, {"region": "europe-west1"})
WAREHOUSE_ELSEWHERE = load_vertex_settings(EXAMPLE, {"warehouse.project": "my-data", "warehouse.location": "EU"})


@pytest.mark.parametrize(
    ("endpoints", "service", "url"),
    [
        ({}, "aiplatform", "https://europe-west1-aiplatform.googleapis.com"),
        ({}, "dataflow", "https://dataflow.googleapis.com"),
        ({"dataflow": "https://dataflow.example/"}, "dataflow", "https://dataflow.example"),
        ({"dataflow": "https://dataflow.example"}, "storage", "https://storage.googleapis.com"),
        ({"*": "http://127.0.0.1:1", "storage": "http://127.0.0.1:2"}, "storage", "http://127.0.0.1:2"),
        ({"*": "http://127.0.0.1:1", "storage": "http://127.0.0.1:2"}, "aiplatform", "http://127.0.0.1:1"),
    ],
)
def test_endpoints(endpoints, service, url):
    assert Clients(SETTINGS, endpoints=endpoints).url(service) == url


def test_clients_ask_at_the_regions_endpoint():
    clients = Clients(SETTINGS, credentials=AnonymousCredentials())
    for client in (clients.pipelines, clients.schedules):
        assert client.transport.kind == "rest"
        assert client.api_endpoint == "https://europe-west1-aiplatform.googleapis.com"
    assert clients.parent == "projects/my-project/locations/europe-west1"


def test_bigquery_is_asked_in_the_project_and_the_location_of_the_warehouse():
    client = Clients(WAREHOUSE_ELSEWHERE, credentials=AnonymousCredentials()).bigquery
    assert (client.project, client.location) == ("my-data", "EU")


@pytest.mark.parametrize("text", ["aiplatform", "compute=https://x", "storage=localhost:1", "=https://x"])
def test_an_endpoint_that_cannot_be(text):
    with pytest.raises(SettingsError, match="write <service>=<URL>; the services are aiplatform, dataflow"):
        parse_endpoints([text])


def test_endpoints_of_the_command_line():
    assert parse_endpoints(["dataflow=https://x", "storage=http://y"]) == {
        "dataflow": "https://x",
        "storage": "http://y",
    }


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([{"done": True, "response": {}}], None),
        ([{}, {"done": True}], None),
        ([{"done": True, "error": {"code": 7, "message": "not yours"}}], exceptions.PermissionDenied),
    ],
)
def test_a_long_running_operation(answers, error, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    name = f"{PARENT}/operations/1"
    operation = types.SimpleNamespace(operation=types.SimpleNamespace(name=name, done=False))
    with serving() as cloud:
        cloud.add("GET", f"/v1/{name}", lambda *_: {"name": name, **answers.pop(0)})
        clients = Clients(SETTINGS, endpoints={"*": cloud.url}, credentials=AnonymousCredentials())
        if error:
            with pytest.raises(error, match="not yours"):
                clients.finish(operation)
        else:
            clients.finish(operation)
    assert answers == []


def test_an_error_of_a_plain_call_is_googles():
    with serving() as cloud:
        cloud.fail("GET", "/v1/x", Refusal(404, "no x"))
        clients = Clients(SETTINGS, endpoints={"*": cloud.url}, credentials=AnonymousCredentials())
        with pytest.raises(exceptions.NotFound, match="no x"):
            clients.call("GET", "serviceusage", "/v1/x")
