"""`schedule apply` makes the service's schedule what the settings say; asked again, it changes nothing."""

import json

import pytest

from runners import vertex_jobs
from tests.runners.cloud.runs import place_in
from tests.runners.cloud.vertex import PARENT, Refusal

SCHEDULES = f"/v1/{PARENT}/schedules"
MONDAYS = {"cron": "0 6 * * 1", "time_zone": "Etc/UTC"}


@pytest.fixture
def place(tmp_path):
    with place_in(tmp_path) as place:
        yield place


def writes(cloud):
    """What was changed, since the last look."""
    found = [(call.method, call.path) for call in cloud.calls if call.method != "GET"]
    cloud.calls.clear()
    return found


def second_of_that_name(cloud):
    [first] = cloud.schedules.values()
    cloud.schedules[f"{PARENT}/schedules/2000"] = {**first, "name": f"{PARENT}/schedules/2000"}


def test_it_is_created_once(place, capsys):
    assert place.run("schedule", "apply") == 0
    assert writes(place.cloud) == [("POST", SCHEDULES)]
    assert place.run("schedule", "apply") == 0
    assert writes(place.cloud) == []
    created, unchanged = capsys.readouterr().out.splitlines()
    assert created == f"created {PARENT}/schedules/1000, ACTIVE, TZ=Etc/UTC 0 6 * * 1"
    assert unchanged == f"unchanged: {PARENT}/schedules/1000, ACTIVE, TZ=Etc/UTC 0 6 * * 1"


def test_it_sends_what_the_dry_run_prints(place, capsys):
    assert place.run("schedule", "apply", "--dry-run") == 0
    assert place.cloud.calls == []
    printed = json.loads(capsys.readouterr().out)
    place.run("schedule", "apply")
    [sent] = [call.body for call in place.cloud.calls if call.method == "POST"]
    assert printed["parent"] == PARENT
    inner = sent["createPipelineJobRequest"]["pipelineJob"]
    assert inner["runtimeConfig"].pop("failurePolicy") == 2  # the client sends enumerations as numbers
    wanted = printed["schedule"]["createPipelineJobRequest"]["pipelineJob"]
    assert wanted["runtimeConfig"].pop("failurePolicy") == "PIPELINE_FAILURE_POLICY_FAIL_FAST"
    assert sent == {**printed["schedule"], "allowQueueing": False} or sent == printed["schedule"]


def test_scheduled_runs_find_the_newest_settled_day_and_use_no_cache(tmp_path):
    with place_in(tmp_path, caching=True) as place:
        place.run("schedule", "apply")
        [schedule] = place.cloud.schedules.values()
    run = schedule["createPipelineJobRequest"]["pipelineJob"]
    assert run["runtimeConfig"]["parameterValues"]["as_of"] == "latest"
    assert run["runtimeConfig"]["parameterValues"]["data_fingerprint"] == ""
    steps = run["pipelineSpec"]["components"]["tfx-dag"]["dag"]["tasks"]
    assert {task["cachingOptions"]["enableCache"] for task in steps.values()} == {False}


@pytest.mark.parametrize(
    ("changes", "mask", "field", "value"),
    [
        ({"schedule": {**MONDAYS, "cron": "0 7 * * 1"}}, "cron", "cron", "TZ=Etc/UTC 0 7 * * 1"),
        ({"schedule": {**MONDAYS, "queue": True}}, "allowQueueing", "allowQueueing", True),
        ({"schedule": {**MONDAYS, "end": "2030-01-01T00:00:00Z"}}, "endTime", "endTime", "2030-01-01T00:00:00Z"),
        ({"schedule": {**MONDAYS, "start": "2027-01-01T00:00:00Z"}}, "startTime", "startTime", "2027-01-01T00:00:00Z"),
    ],
)
def test_a_changed_setting_changes_that_field_only(place, changes, mask, field, value):
    place.run("schedule", "apply")
    [before] = [dict(schedule) for schedule in place.cloud.schedules.values()]
    place.cloud.calls.clear()
    assert place.with_settings(**changes).run("schedule", "apply") == 0
    [call] = [call for call in place.cloud.calls if call.method == "PATCH"]
    assert call.query["updateMask"] == mask
    [after] = place.cloud.schedules.values()
    assert after[field] == value
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {field, "updateTime"}
    assert place.with_settings(**changes).run("schedule", "apply") == 0
    assert [call for call in place.cloud.calls if call.method == "PATCH"] == [call], "once"


def test_the_most_runs_at_a_time_limits_starting_and_running(place):
    place.run("schedule", "apply")
    assert place.with_settings(schedule={**MONDAYS, "max_concurrent_runs": 2}).run("schedule", "apply") == 0
    [schedule] = place.cloud.schedules.values()
    assert schedule["maxConcurrentRunCount"] == schedule["maxConcurrentActiveRunCount"] == "2"
    [call] = [call for call in place.cloud.calls if call.method == "PATCH"]
    assert call.query["updateMask"] == "maxConcurrentRunCount,maxConcurrentActiveRunCount"


def test_a_schedule_of_before_gets_the_limit_of_running_ones(place):
    place.run("schedule", "apply")
    [schedule] = place.cloud.schedules.values()
    del schedule["maxConcurrentActiveRunCount"]
    assert place.run("schedule", "apply") == 0
    assert schedule["maxConcurrentActiveRunCount"] == "1"


def test_a_changed_pipeline_changes_what_later_runs_do(place, capsys):
    place.run("schedule", "apply")
    changed = place.with_settings(failure_policy="slow", image="us-docker.pkg.dev/p/r/pipeline:2")
    assert changed.run("schedule", "apply") == 0
    assert "updated create_pipeline_job_request: " in capsys.readouterr().out
    [schedule] = place.cloud.schedules.values()
    assert "pipeline:2" in json.dumps(schedule["createPipelineJobRequest"])
    assert schedule["cron"] == "TZ=Etc/UTC 0 6 * * 1"


def test_queueing_can_be_taken_back(place):
    queueing = place.with_settings(schedule={**MONDAYS, "queue": True})
    queueing.run("schedule", "apply")
    place.with_settings().run("schedule", "apply")
    [schedule] = place.cloud.schedules.values()
    assert not schedule.get("allowQueueing")


def test_a_paused_schedule_stays_paused_when_it_is_changed(place, capsys):
    place.run("schedule", "apply")
    assert place.run("schedule", "pause") == 0
    place.with_settings(schedule={**MONDAYS, "cron": "1 1 * * 1"}).run("schedule", "apply")
    [schedule] = place.cloud.schedules.values()
    assert schedule["state"] == "PAUSED"
    assert "PAUSED" in capsys.readouterr().out.splitlines()[-1]


def test_pausing_and_resuming_twice_is_asked_once(place):
    place.run("schedule", "apply")
    writes(place.cloud)
    for action in ("pause", "pause", "resume", "resume"):
        assert place.run("schedule", action) == 0
    assert writes(place.cloud) == [("POST", f"{SCHEDULES}/1000:pause"), ("POST", f"{SCHEDULES}/1000:resume")]
    [resumed] = [call for call in place.cloud.calls if call.path.endswith(":resume")] or [None]
    assert resumed is None or not resumed.body


@pytest.mark.parametrize("action", ["pause", "resume", "delete"])
def test_without_a_schedule_there_is_nothing_to_act_on(place, capsys, action):
    assert place.run("schedule", action) == vertex_jobs.REFUSED
    assert "'propensity-ga4' has no schedule in my-project, us-central1" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["apply", "pause", "resume", "delete"])
def test_two_of_a_name_are_told_and_left(place, capsys, action):
    place.run("schedule", "apply")
    second_of_that_name(place.cloud)
    writes(place.cloud)
    assert place.run("schedule", action) == vertex_jobs.REFUSED
    told = capsys.readouterr().err
    assert "2 schedules are called 'propensity-ga4'" in told
    assert "schedules/1000" in told and "schedules/2000" in told
    assert writes(place.cloud) == []


def test_one_of_two_is_deleted_by_its_id(place, capsys):
    place.run("schedule", "apply")
    second_of_that_name(place.cloud)
    assert place.run("schedule", "delete", "--id", "3000") == vertex_jobs.REFUSED
    assert "'propensity-ga4' has no schedule 3000" in capsys.readouterr().err
    assert place.run("schedule", "delete", "--id", "2000") == 0
    assert list(place.cloud.schedules) == [f"{PARENT}/schedules/1000"]


def test_another_pipelines_schedule_is_left_alone(place):
    place.run("schedule", "apply")
    [schedule] = place.cloud.schedules.values()
    schedule["displayName"] = "propensity-ga4-eu"
    assert place.run("schedule", "delete") == vertex_jobs.REFUSED
    assert place.run("schedule", "apply") == 0
    assert len(place.cloud.schedules) == 2


def test_without_one_in_the_settings_apply_changes_nothing(place, capsys):
    place.run("schedule", "apply")
    writes(place.cloud)
    assert place.with_settings(schedule=None).run("schedule", "apply") == 0
    assert "nothing to apply. `schedule delete` deletes an existing schedule" in capsys.readouterr().out
    assert place.cloud.calls == []


def test_list_shows_what_comes_and_what_was(place, capsys):
    place.run("schedule", "apply")
    [schedule] = place.cloud.schedules.values()
    schedule["nextRunTime"] = "2026-02-02T06:00:00Z"
    schedule["lastScheduledRunResponse"] = {"runResponse": "OK"}
    capsys.readouterr()
    assert place.run("schedule", "list") == 0
    assert capsys.readouterr().out == (
        f"{PARENT}/schedules/1000, ACTIVE, TZ=Etc/UTC 0 6 * * 1, next run 2026-02-02T06:00:00Z, last: OK\n"
    )


def test_a_creation_whose_answer_is_lost_is_not_repeated(place):
    """The service would make a second schedule; the next apply finds the first."""

    def lose(cloud, match, call):
        cloud._routes.pop(0)
        cloud.answer(call)
        raise Refusal(503, "The service is currently unavailable.")

    place.cloud.add("POST", r"/v1/.*/schedules", lose)
    assert place.run("schedule", "apply") == vertex_jobs.FAILED
    assert place.run("schedule", "apply") == 0
    assert len(place.cloud.schedules) == 1
