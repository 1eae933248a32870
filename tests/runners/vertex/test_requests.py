"""What is asked of Vertex AI, field by field."""

import copy
import datetime
import json

import pytest
from google.cloud import aiplatform_v1

import schema
from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run_parameters import RunParameters
from runners.vertex import requests
from runners.vertex.settings import Schedule, load_vertex_settings
from tests.runners.cloud.runs import EXAMPLE, small_job, utc
from tests.runners.cloud.vertex import PARENT, check_run, check_schedule

FOLDER = DatasetFolder.load(schema.ROOT / "ga4")
KEY = "projects/my-project/locations/us-central1/keyRings/r/cryptoKeys/k"
NETWORK = "projects/123456789/global/networks/private"
MONDAYS = Schedule(cron="0 3 * * 1", time_zone="Europe/Berlin")


def settings(**overrides):
    return load_vertex_settings(EXAMPLE, overrides)


def run_of(chosen, parameters=None, caching=False):
    return requests.run_document(small_job(chosen), FOLDER, chosen, parameters or RunParameters(), caching=caching)


def sent(chosen, parameters=None, caching=False):
    """The run of the request, after a way through Google's message."""
    request = requests.create_run(run_of(chosen, parameters, caching), chosen, "run-1")
    return requests.as_json(request)["pipelineJob"]


def scheduled(schedule=MONDAYS, chosen=None, parameters=None):
    chosen = chosen or settings()
    return requests.create_schedule(run_of(chosen, parameters), schedule, chosen)


def as_the_service_has_it(request, **changes):
    """The schedule that a request made."""
    schedule = aiplatform_v1.Schedule(request.schedule)
    schedule.name, schedule.state = f"{PARENT}/schedules/7", "ACTIVE"
    schedule.create_pipeline_job_request.parent = "projects/123456789/locations/us-central1"
    if not request.schedule.start_time:
        schedule.start_time = utc(2026, 1, 1)
    for name, value in changes.items():
        setattr(schedule, name, value)
    return schedule


def test_a_run_has_its_id_place_and_name():
    request = requests.as_json(requests.create_run(run_of(settings()), settings(), "run-1"))
    assert set(request) == {"parent", "pipelineJob", "pipelineJobId"}
    assert (request["parent"], request["pipelineJobId"]) == (PARENT, "run-1")
    assert request["pipelineJob"]["displayName"] == "propensity-ga4"


@pytest.mark.parametrize(
    ("key", "setting", "field", "value"),
    [
        ("service_account", "a@b.iam.gserviceaccount.com", "serviceAccount", "a@b.iam.gserviceaccount.com"),
        ("service_account", None, "serviceAccount", None),
        ("network", NETWORK, "network", NETWORK),
        ("network", None, "network", None),
        ("kms_key", KEY, "encryptionSpec", {"kmsKeyName": KEY}),
        ("kms_key", None, "encryptionSpec", None),
    ],
)
def test_a_setting_becomes_a_field_of_the_run(key, setting, field, value):
    assert sent(settings(**{key: setting})).get(field) == value


@pytest.mark.parametrize(
    ("policy", "value"),
    [("fast", "PIPELINE_FAILURE_POLICY_FAIL_FAST"), ("slow", "PIPELINE_FAILURE_POLICY_FAIL_SLOW")],
)
def test_runtime_configuration(policy, value):
    parameters = RunParameters(as_of="2026-01-31", sample_percent=5, accept_incompatible_champion=True)
    assert sent(settings(failure_policy=policy), parameters)["runtimeConfig"] == {
        "gcsOutputDirectory": "gs://my-bucket/propensity/ga4",
        "failurePolicy": value,
        "parameterValues": {
            "as_of": "2026-01-31",
            "sample_percent": 5,
            "accept_incompatible_champion": 1,
            "data_fingerprint": "",
        },
    }


def test_labels_are_those_of_the_compiler_the_settings_and_the_data_set():
    assert sent(settings(labels={"team": "growth"}))["labels"] == {
        "tfx_version": "1-2-3",
        "team": "growth",
        "pipeline": "propensity-ga4",
        "dataset": "ga4",
    }


def test_with_caching_the_pipeline_is_sent_as_it_was_compiled():
    assert sent(settings(), caching=True)["pipelineSpec"] == small_job(settings())["pipelineSpec"]


def test_without_caching_it_is_off_in_every_task_and_all_else_is_as_compiled():
    before = small_job(settings())
    job = copy.deepcopy(before)
    run = requests.run_document(job, FOLDER, settings(), RunParameters(), caching=False)
    assert job == before, "the compiled job itself is not changed"
    spec = copy.deepcopy(run["pipelineSpec"])
    for original, changed in (
        (before["pipelineSpec"]["root"], spec["root"]),
        (before["pipelineSpec"]["components"]["tfx-dag"], spec["components"]["tfx-dag"]),
    ):
        for name, task in changed["dag"]["tasks"].items():
            assert task.pop("cachingOptions") == {"enableCache": False}
            original["dag"]["tasks"][name].pop("cachingOptions", None)
    assert spec == before["pipelineSpec"]


def test_a_job_of_another_version_of_the_package_is_refused():
    job = small_job(settings())
    del job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]["as_of"]
    with pytest.raises(SettingsError, match=r"has the parameters .* compile it again: make vertex-compile"):
        requests.run_document(job, FOLDER, settings(), RunParameters(), caching=False)


def test_ids_are_of_the_moment_in_utc():
    east = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2026, 1, 31, 1, 2, 3, tzinfo=east)
    assert requests.new_run_id("propensity-ga4", moment) == "propensity-ga4-20260130230203"


def test_a_schedule():
    schedule = Schedule(
        cron="0 3 * * 1", time_zone="Europe/Berlin", max_concurrent_runs=2, queue=True,
        start="2026-02-01T00:00:00+01:00", end="2027-02-01T00:00:00Z",
    )  # fmt: skip
    request = requests.as_json(scheduled(schedule))
    inner = request["schedule"].pop("createPipelineJobRequest")
    assert request == {
        "parent": PARENT,
        "schedule": {
            "displayName": "propensity-ga4",
            "cron": "TZ=Europe/Berlin 0 3 * * 1",
            "maxConcurrentRunCount": "2",
            "maxConcurrentActiveRunCount": "2",
            "allowQueueing": True,
            "startTime": "2026-01-31T23:00:00Z",
            "endTime": "2027-02-01T00:00:00Z",
        },
    }
    assert set(inner) == {"parent", "pipelineJob"}, "the service makes an id for each run"
    label = inner["pipelineJob"]["labels"].pop("request")
    assert inner == {"parent": PARENT, "pipelineJob": sent(settings())}
    assert len(label) == 32


def test_requests_are_what_the_service_takes():
    check_run(sent(settings(kms_key=KEY, network=NETWORK)))
    check_schedule(requests.as_json(scheduled())["schedule"], PARENT)


def test_an_unchanged_schedule_needs_no_request():
    request = scheduled()
    assert requests.update_schedule(as_the_service_has_it(request), request.schedule).request is None


OTHER_IMAGE = {"image": "us-central1-docker.pkg.dev/my-project/propensity/pipeline:2"}


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (scheduled(MONDAYS.model_copy(update={"cron": "0 4 * * 1"})), ["cron"]),
        (scheduled(MONDAYS.model_copy(update={"time_zone": "UTC"})), ["cron"]),
        (
            scheduled(MONDAYS.model_copy(update={"max_concurrent_runs": 3})),
            ["max_concurrent_run_count", "max_concurrent_active_run_count"],
        ),
        (scheduled(MONDAYS.model_copy(update={"queue": True})), ["allow_queueing"]),
        (scheduled(MONDAYS.model_copy(update={"start": utc(2026, 3, 1)})), ["start_time"]),
        (scheduled(MONDAYS.model_copy(update={"end": utc(2027, 3, 1)})), ["end_time"]),
        (scheduled(chosen=settings(**OTHER_IMAGE)), ["create_pipeline_job_request"]),
        (scheduled(chosen=settings(service_account=None)), ["create_pipeline_job_request"]),
        (scheduled(parameters=RunParameters(sample_percent=5)), ["create_pipeline_job_request"]),
        (
            scheduled(MONDAYS.model_copy(update={"cron": "1 1 * * 1"}), settings(failure_policy="slow")),
            ["cron", "create_pipeline_job_request"],
        ),
    ],
)
def test_an_update_names_what_differs(wanted, fields):
    change = requests.update_schedule(as_the_service_has_it(scheduled()), wanted.schedule)
    assert list(change.request.update_mask.paths) == list(change.fields) == fields
    assert change.request.schedule.name == f"{PARENT}/schedules/7"
    for field in fields:
        assert getattr(change.request.schedule, field) == getattr(wanted.schedule, field)


def test_what_was_changed_by_hand_is_changed_back():
    request = scheduled()
    existing = as_the_service_has_it(request)
    existing.create_pipeline_job_request.pipeline_job.runtime_config.parameter_values["sample_percent"] = 1
    change = requests.update_schedule(existing, request.schedule)
    assert change.fields == ("create_pipeline_job_request",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end_time": utc(2027, 1, 1)}, "key 'schedule.end': the service cannot remove the end"),
        ({"state": "COMPLETED"}, "is over and can no longer be changed; run `schedule delete`, then `schedule apply`"),
    ],
)
def test_what_the_service_cannot_change_is_told(changes, message):
    request = scheduled()
    with pytest.raises(SettingsError, match=message):
        requests.update_schedule(as_the_service_has_it(request, **changes), request.schedule)


def test_a_request_survives_a_file():
    request = requests.create_run(run_of(settings()), settings(), "run-1")
    again = aiplatform_v1.CreatePipelineJobRequest.from_json(json.dumps(requests.as_json(request)))
    assert again == request
