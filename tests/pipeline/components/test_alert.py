"""The exit handler: who is told of what."""

import json

import pytest
from google.cloud import pubsub_v1

from pipeline.components import alert

RUN = "projects/1/locations/us-central1/pipelineJobs/propensity-ga4-20260101060000"
FAILED = {
    "state": "FAILED",
    "pipelineJobResourceName": RUN,
    "error": {"code": 9, "message": "The DAG failed because some tasks failed.\nThe failed tasks are: [DataGate]."},
}


class Topic:
    """What was published, instead of Pub/Sub."""

    def __init__(self):
        self.messages = []

    def publish(self, topic, data, **attributes):
        self.messages.append((topic, json.loads(data), attributes))
        return self

    def result(self, timeout):
        return "1"


@pytest.fixture
def topic(monkeypatch):
    topic = Topic()
    monkeypatch.setattr(pubsub_v1, "PublisherClient", lambda: topic)
    return topic


def handle(status):
    from pipeline.components.alert import AlertOnFailure_Executor

    executor = AlertOnFailure_Executor()
    executor.Do({}, {}, {"final_status": json.dumps(status), "topic": "projects/p/topics/alerts"})


def test_a_run_that_failed_is_told_in_one_line(topic):
    handle(FAILED)
    [(name, message, attributes)] = topic.messages
    assert name == "projects/p/topics/alerts"
    assert message == {
        "run": RUN,
        "state": "FAILED",
        "error": "The DAG failed because some tasks failed. The failed tasks are: [DataGate].",
    }
    assert attributes == {"state": "FAILED"}


def test_a_run_that_succeeded_is_not_told(topic):
    handle({"state": "SUCCEEDED", "pipelineJobResourceName": RUN})
    assert topic.messages == []


def test_a_status_without_error_is_told_too():
    assert alert.alert({"state": "CANCELLED", "pipelineJobName": "run-1"}) == {
        "run": "run-1",
        "state": "CANCELLED",
        "error": "",
    }
