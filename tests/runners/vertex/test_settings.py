"""runners/vertex.yaml and what it may not say."""

from pathlib import Path

import pytest

import runners
from models.config import SettingsError
from runners.vertex.settings import load_vertex_settings

EXAMPLE = Path(runners.__file__).with_name("vertex.yaml")


def load(overrides=None):
    return load_vertex_settings(EXAMPLE, overrides)


def test_the_example_names_every_place_from_few_values():
    settings = load()
    assert settings.root_of("ga4") == "gs://my-bucket/propensity/ga4"
    assert settings.serving_of("ga4") == "gs://my-bucket/propensity/serving/ga4"
    assert load({"serving": "gs://models"}).serving_of("ga4") == "gs://models/ga4"
    assert str(settings.compiled("ga4")) == "output/ga4/vertex/pipeline.json"


def test_a_step_has_its_own_retries_and_machine_or_the_default():
    settings = load()
    assert settings.retry_of("DataGate").count == 0
    assert settings.retry_of("Transform") == settings.retries["default"]
    assert settings.resources_of("TrainKeras").cpu == 8
    assert settings.resources_of("Transform") == settings.resources["default"]
    assert load({"resources": {}}).resources_of("Transform") is None


@pytest.mark.parametrize("key", ["retries.Trainer", "resources.Trainer"])
def test_a_step_that_the_pipeline_lacks_is_named(key):
    with pytest.raises(SettingsError, match=rf"'{key}'.*TrainKeras"):
        load({"retries": {}, "resources": {}, key: {}}).check_steps(["TrainKeras"])


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("pipeline_root", "/home/me/root", "pipeline_root"),
        ("pipeline_root", "gs://my-bucket/root/", "pipeline_root"),
        ("project", "My Project", "project"),
        ("region", "US", "region"),
        ("service_account", "me@example.com", "service_account"),
        ("network", "default", "network"),
        ("failure_policy", "never", "'fast' or 'slow'"),
        ("labels", {"Team": "a"}, "labels"),
        ("example_gen", "stock", "on Vertex AI example_gen must be 'arrow'"),
        ("schedule.cron", "every Monday", "schedule.cron"),
        ("schedule.time_zone", "Berlin", "IANA"),
        ("schedule.start", "2026-01-31T06:00:00", "offset from UTC"),
        ("schedule.start", "2026-01-31", "offset from UTC"),
        ("dataflow.max_workers", 0, "dataflow.max_workers"),
        ("retries.default", {"counts": 1}, "unknown key 'retries.default.counts'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(key, value, message):
    with pytest.raises(SettingsError, match=message):
        load({key: value})


def test_a_schedule_ends_after_it_starts():
    with pytest.raises(SettingsError, match="end must be later"):
        load({"schedule.start": "2026-02-01T00:00:00Z", "schedule.end": "2026-01-01T00:00:00Z"})
