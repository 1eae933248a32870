"""What `status` finds out about a run, and the links that it prints."""

import json
import urllib.parse

import pytest

from runners import vertex_jobs
from tests.runners.cloud.runs import dataflow_job, finished_run, place_in
from tests.runners.cloud.vertex import PARENT, denied

CONSOLE = "https://console.cloud.google.com"


@pytest.fixture
def place(tmp_path):
    with place_in(tmp_path) as place:
        yield place


def submitted(place, run_id="run-1", **changes):
    assert place.run("submit", "--run-id", run_id) == 0
    place.cloud.runs[f"{PARENT}/pipelineJobs/{run_id}"].update(finished_run(run_id, **changes))


def status(place, capsys, *arguments):
    capsys.readouterr()
    assert place.run("status", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_steps_in_their_order_with_their_states_and_durations(place, capsys):
    submitted(place)
    found = status(place, capsys)
    assert [(step["name"], step["state"], step["seconds"]) for step in found["steps"]] == [
        ("BigQueryExampleGen", "SKIPPED", 45),
        ("StatisticsGen", "FAILED", 45),
        ("AlertOnFailure", "SUCCEEDED", 45),
    ]
    assert (found["id"], found["state"], found["seconds"]) == ("run-1", "FAILED", 345)
    assert found["parameters"]["as_of"] == "latest"
    assert found["parameters"]["sample_percent"] == 100


def test_a_run_that_has_just_begun_has_no_steps(place, capsys):
    task = {"taskId": 1, "taskName": "run-1", "state": "RUNNING", "createTime": "2026-01-05T06:00:00Z"}
    submitted(place, state="PIPELINE_STATE_RUNNING", jobDetail={"taskDetails": [task]})
    assert status(place, capsys)["steps"] == []


def test_errors_are_one_line_each(place, capsys):
    submitted(place)
    found = status(place, capsys)
    assert [step["error"] for step in found["steps"]] == [
        "",
        "The replica workerpool0-0 exited with a non-zero status of 1.",
        "",
    ]
    assert found["error"] == "The DAG failed because some tasks failed. The failed tasks are: [tfx-dag]."


def test_the_log_link_asks_for_the_custom_job_of_the_last_attempt(place, capsys):
    submitted(place)
    resolved, failed, _ = status(place, capsys)["steps"]
    assert resolved["log"] is None, "a step from the cache has no machine, and no log"
    address, _, rest = failed["log"].partition(";query=")
    query, _, project = rest.partition("?")
    assert (address, project) == (f"{CONSOLE}/logs/query", "project=my-project")
    assert urllib.parse.unquote(query).splitlines() == [
        'resource.type="ml_job"',
        'resource.labels.job_id="33"',
        'timestamp>="2026-01-05T06:05:00Z"',
    ]


@pytest.mark.parametrize(
    ("detail", "job"),
    [
        ({"containerDetail": {"mainJob": "p/customJobs/2", "failedMainJobs": ["p/customJobs/1"]}}, "2"),
        ({"containerDetail": {"preCachingCheckJob": "p/customJobs/3"}}, "3"),
        ({"containerDetail": {"preCachingCheckJob": "p/customJobs/3", "mainJob": "p/customJobs/4"}}, "4"),
        ({"containerDetail": {"failedMainJobs": ["p/customJobs/5", "p/customJobs/6"]}}, "6"),
        ({"customJobDetail": {"job": "p/customJobs/7"}}, "7"),
    ],
)
def test_the_job_whose_log_is_shown(place, capsys, detail, job):
    task = {"taskId": 9, "taskName": "Pusher", "state": "RUNNING", "createTime": "2026-01-05T06:09:00Z"}
    submitted(place, jobDetail={"taskDetails": [{**task, "executorDetail": detail}]})
    [step] = status(place, capsys)["steps"]
    assert f'job_id="{job}"' in urllib.parse.unquote(step["log"])


def test_dataflow_jobs_are_those_with_the_runs_id_in_their_names(place, capsys):
    submitted(place)
    place.cloud.dataflow += [
        dataflow_job(1, "run-1"),
        dataflow_job(2, "run-11"),
        dataflow_job(4, "run-1", location="europe-west1"),
        dataflow_job(5, "run-1", name="run-1-another"),
        dataflow_job(6, "run-1", currentState="JOB_STATE_DONE"),
    ]
    assert status(place, capsys)["dataflow"] == [
        {
            "step": "StatisticsGen",
            "state": state,
            "link": f"{CONSOLE}/dataflow/jobs/us-central1/2026-01-05_{number}?project=my-project",
            "name": f"projects/my-project/locations/us-central1/jobs/2026-01-05_{number}",
        }
        for number, state in ((1, "FAILED"), (6, "DONE"))
    ]


def test_more_dataflow_jobs_than_a_page_holds(place, capsys):
    submitted(place)
    place.cloud.dataflow += [dataflow_job(number, "run-1") for number in range(101)]
    assert len(status(place, capsys)["dataflow"]) == 101


def test_without_dataflow_nobody_is_asked_for_its_jobs(tmp_path, capsys):
    with place_in(tmp_path, dataflow=None) as place:
        submitted(place)
        place.cloud.calls.clear()
        assert status(place, capsys)["dataflow"] == []
        assert not [path for _, path in place.cloud.seen() if "v1b3" in path]


def test_the_newest_run_of_this_pipeline_is_shown(place, capsys):
    for run_id in ("run-1", "run-2"):
        submitted(place, run_id)
    other = dict(place.cloud.runs[f"{PARENT}/pipelineJobs/run-2"], name=f"{PARENT}/pipelineJobs/run-3")
    other["pipelineSpec"] = {"pipelineInfo": {"name": "another-pipeline"}}
    other["createTime"] = "2026-12-31T00:00:00Z"
    place.cloud.runs[other["name"]] = other
    assert status(place, capsys)["id"] == "run-2"
    assert status(place, capsys, "run-1")["id"] == "run-1"


def test_no_run_yet(place, capsys):
    assert place.run("status") == vertex_jobs.REFUSED
    assert capsys.readouterr().err == (
        "Error: pipeline 'propensity-ga4' has no run in my-project, us-central1; start one with `submit`\n"
    )


def test_text_has_every_link(place, capsys):
    submitted(place)
    place.cloud.dataflow.append(dataflow_job(1, "run-1"))
    found = status(place, capsys)
    assert place.run("status") == 0
    told = capsys.readouterr().out
    links = [found["link"], *(step["log"] for step in found["steps"] if step["log"]), found["dataflow"][0]["link"]]
    assert len(links) == 4
    for link in links:
        assert f"{link}\n" in told
    assert (
        "  StatisticsGen                    FAILED        45 s\n      error: The replica workerpool0-0 exited" in told
    )


def test_a_refusal_of_dataflow_is_told(place, capsys):
    submitted(place)
    place.cloud.fail("GET", "v1b3", denied("dataflow.jobs.list", "projects/my-project"))
    assert place.run("status") == vertex_jobs.FAILED
    assert "lacks the permission dataflow.jobs.list" in capsys.readouterr().err
