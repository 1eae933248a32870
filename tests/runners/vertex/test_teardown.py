"""Teardown removes what the pipeline of one data set has made, and nothing else."""

import copy

import pytest

from runners import vertex_jobs
from tests.runners.cloud.runs import FEATURES_TABLE, finished_run, place_in
from tests.runners.cloud.vertex import PARENT, denied

TABLES = ("my-project", "propensity")
OTHER_TABLES = ["features_ga4_eu_0123456789abcdef", "features_ga4_mine", "features_ga360_0123456789abcdef", "events"]
OTHER_OBJECTS = ["propensity/ga4_eu/x", "propensity/serving/ga4/17/saved_model.pb", "propensity/ga4", "else/ga4/x"]
ARTIFACTS = ["propensity/ga4/run-1/StatisticsGen/stats", "propensity/ga4/run-2/x"]


@pytest.fixture
def place(tmp_path):
    """With a schedule, a run that goes on, one that has ended, tables, objects, and as much of others."""
    with place_in(tmp_path) as place:
        fill(place)
        yield place


def fill(place):
    cloud = place.cloud
    place.run("schedule", "apply")
    for run_id in ("run-1", "run-2"):
        place.run("submit", "--run-id", run_id)
    cloud.runs[f"{PARENT}/pipelineJobs/run-1"].update(finished_run("run-1"))
    other = copy.deepcopy(cloud.runs[f"{PARENT}/pipelineJobs/run-2"])
    other["pipelineSpec"]["pipelineInfo"]["name"] = "propensity-ga4-eu"
    cloud.runs[f"{PARENT}/pipelineJobs/other"] = {**other, "name": f"{PARENT}/pipelineJobs/other"}
    [schedule] = cloud.schedules.values()
    other = {**schedule, "name": f"{PARENT}/schedules/2000", "displayName": "propensity-ga4-eu"}
    cloud.schedules[other["name"]] = other
    cloud.tables[TABLES] = [FEATURES_TABLE, *OTHER_TABLES]
    cloud.objects["my-bucket"] = dict.fromkeys([*ARTIFACTS, *OTHER_OBJECTS], b"12345")
    cloud.calls.clear()


def left(cloud):
    return {
        "schedules": [schedule["displayName"] for schedule in cloud.schedules.values()],
        "runs": {name.rpartition("/")[2]: run["state"].rpartition("_")[2] for name, run in cloud.runs.items()},
        "tables": cloud.tables[TABLES],
        "objects": sorted(cloud.objects["my-bucket"]),
    }


ALL = {
    "schedules": ["propensity-ga4", "propensity-ga4-eu"],
    "runs": {"run-1": "FAILED", "run-2": "PENDING", "other": "PENDING"},
    "tables": [FEATURES_TABLE, *OTHER_TABLES],
    "objects": sorted([*ARTIFACTS, *OTHER_OBJECTS]),
}
REMOVED = {
    "schedules": ["propensity-ga4-eu"],
    "runs": {"run-1": "FAILED", "run-2": "CANCELLING", "other": "PENDING"},
    "tables": OTHER_TABLES,
}


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ([], vertex_jobs.REFUSED, {}),
        (["--dry-run"], 0, {}),
        (["--dry-run", "--yes", "--runs", "--artifacts"], 0, {}),
        (["--yes"], 0, REMOVED),
        (["--yes", "--runs"], 0, {**REMOVED, "runs": {"run-2": "CANCELLING", "other": "PENDING"}}),
        (["--yes", "--artifacts"], 0, {**REMOVED, "objects": sorted(OTHER_OBJECTS)}),
    ],
)
def test_what_is_left(place, arguments, code, expected):
    assert place.run("teardown", *arguments) == code
    assert left(place.cloud) == {**ALL, **expected}


def test_it_shows_first_what_it_would_remove(place, capsys):
    place.run("teardown", "--runs", "--artifacts")
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"delete the schedule {PARENT}/schedules/1000",
        f"cancel the run {PARENT}/pipelineJobs/run-2 and its Dataflow jobs",
        f"delete the record of the run {PARENT}/pipelineJobs/run-1",
        f"delete the table my-project.propensity.{FEATURES_TABLE}",
        "delete 2 objects (0.0 MiB) below gs://my-bucket/propensity/ga4/",
    ]
    assert told.err == "Nothing was removed. Add --yes to remove all of this.\n"


def test_the_schedule_goes_first(place):
    place.run("teardown", "--yes", "--runs", "--artifacts")
    changes = [path for method, path in place.cloud.seen() if method != "GET"]
    assert changes[0].endswith("/schedules/1000")


@pytest.mark.parametrize("serving", ["gs://my-bucket/propensity", "gs://my-bucket/propensity/ga4/models"])
def test_pushed_models_stay_wherever_they_are(tmp_path, serving):
    with place_in(tmp_path, serving=serving) as place:
        fill(place)
        folder = serving.removeprefix("gs://my-bucket/")
        models = {f"{folder}/{dataset}/17/saved_model.pb" for dataset in ("ga4", "ga360")}
        place.cloud.objects["my-bucket"].update(dict.fromkeys(models, b"model"))
        assert place.run("teardown", "--yes", "--artifacts") == 0
        assert models <= set(place.cloud.objects["my-bucket"])


def test_a_second_time_there_is_nothing(place, capsys):
    place.run("teardown", "--yes", "--artifacts")
    place.cloud.runs[f"{PARENT}/pipelineJobs/run-2"]["state"] = "PIPELINE_STATE_CANCELLED"
    place.cloud.tables.clear()
    place.cloud.objects.clear()
    capsys.readouterr()
    assert place.run("teardown", "--yes", "--artifacts") == 0
    assert capsys.readouterr().out == "There is nothing to remove.\n"


def test_what_cannot_be_removed_is_told_and_the_rest_is_removed(place, capsys):
    place.cloud.fail("DELETE", "schedules", denied("aiplatform.schedules.delete", "the schedule"))
    assert place.run("teardown", "--yes") == vertex_jobs.FAILED
    assert left(place.cloud)["tables"] == OTHER_TABLES
    assert "could not delete the schedule" in capsys.readouterr().err
