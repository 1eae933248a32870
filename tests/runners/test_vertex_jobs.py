"""The command line against a local server: what it sends, prints and exits with."""

import datetime
import json
import os

import pytest
from google.auth.exceptions import DefaultCredentialsError

from runners import vertex_jobs
from runners.vertex.clients import Clients
from tests.runners.cloud.runs import PARAMETERS, all_requests, dataflow_job, finished_run, place_in
from tests.runners.cloud.vertex import PARENT, Refusal, bad_field, denied

RUN = f"{PARENT}/pipelineJobs/run-1"


@pytest.fixture
def place(tmp_path):
    with place_in(tmp_path) as place:
        yield place


def posted(cloud):
    [call] = [call for call in cloud.calls if call.method == "POST"]
    return call


def normal(run):
    """A run as the messages print it; the client sends enumerations as numbers."""
    from google.cloud import aiplatform_v1

    return json.loads(
        aiplatform_v1.PipelineJob.to_json(
            aiplatform_v1.PipelineJob.from_json(json.dumps(run)), use_integers_for_enums=False
        )
    )


def test_submit_sends_what_the_dry_run_prints(place, capsys):
    assert place.run("submit", "--run-id", "run-1", "--dry-run", "--parameter", "sample_percent=5") == 0
    assert place.cloud.calls == []
    printed = json.loads(capsys.readouterr().out)
    assert place.run("submit", "--run-id", "run-1", "--parameter", "sample_percent=5") == 0
    call = posted(place.cloud)
    assert call.path == f"/v1/{printed['parent']}/pipelineJobs"
    assert call.query["pipelineJobId"] == printed["pipelineJobId"] == "run-1"
    assert normal(call.body) == normal(printed["pipelineJob"])
    assert call.body["runtimeConfig"]["parameterValues"]["sample_percent"] == 5
    assert set(call.body["runtimeConfig"]["parameterValues"]) == set(PARAMETERS)


def test_submit_prints_the_run_and_its_link(place, capsys):
    assert place.run("submit") == 0
    [name] = place.cloud.runs
    run_id = name.rpartition("/")[2]
    told = capsys.readouterr().out
    assert datetime.datetime.strptime(run_id, "propensity-ga4-%Y%m%d%H%M%S")
    assert told.startswith(f"{run_id}: PENDING")
    assert (
        "run: https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/runs/"
        f"{run_id}?project=my-project\n" in told
    )


def test_an_id_that_is_taken_is_told(place, capsys):
    assert place.run("submit", "--run-id", "run-1") == 0
    assert place.run("submit", "--run-id", "run-1") == vertex_jobs.FAILED
    assert capsys.readouterr().err == (
        "Error: The PipelineJob with ID run-1 already exists; perhaps an earlier attempt succeeded: run `status`\n"
    )


@pytest.mark.parametrize("arrived", [False, True])
def test_a_lost_answer_is_followed_by_a_second_attempt_at_the_same_run(place, arrived):
    """Whether or not the first attempt arrived, there is one run and the command succeeds."""
    lost = Refusal(503, "The service is currently unavailable.")

    def lose(cloud, match, call):
        cloud._routes.pop(0)
        if arrived:
            cloud.answer(call)
        raise lost

    place.cloud.add("POST", r"/v1/.*/pipelineJobs", lose)
    assert place.run("submit", "--run-id", "run-1") == 0
    assert list(place.cloud.runs) == [RUN]


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 1), ("CANCELLED", 1)])
def test_waiting_ends_with_the_run(place, capsys, state, code):
    running = {"state": "PIPELINE_STATE_RUNNING"}
    ended = finished_run("run-1", state=f"PIPELINE_STATE_{state}")
    place.cloud.coming["run-1"] = [running, running, ended]
    assert place.run("submit", "--run-id", "run-1", "--wait", "--every", "0") == code
    told = capsys.readouterr().out
    assert f"run-1: {state}, 5 min 45 s" in told
    assert "StatisticsGen                    FAILED\n" in told


def test_an_interrupted_wait_says_that_the_run_goes_on(place, capsys, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(vertex_jobs.runs, "watch", interrupt)
    assert place.run("submit", "--run-id", "run-1", "--wait") == vertex_jobs.INTERRUPTED
    assert "The run continues. `status run-1 --wait` waits for it again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--parameter", "days=3"],
            "--parameter: unknown key 'days'; allowed here: accept_incompatible_champion, as_of",
        ),
        (["--parameter", "sample_percent=0"], "--parameter: key 'sample_percent': input should be greater than"),
        (["--parameter", "as_of=yesterday"], "--parameter: key 'as_of"),
        (["--parameter", "as_of"], "--parameter as_of: write <name>=<value>; the parameters are as_of, sample_percent"),
        (
            ["--run-id", "Run_1"],
            "run id 'Run_1': use at most 63 lower-case letters, digits and dashes, and begin with a letter",
        ),
        (["--dataset", "nothing"], "no data set 'nothing' in"),
        (["--endpoint", "aiplatform"], "--endpoint aiplatform: write <service>=<URL>"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(tmp_path, capsys, arguments, message):
    with place_in(tmp_path) as place:
        code = vertex_jobs.main(
            ["submit", "--settings", str(place.settings_file), *arguments],
            None if "--endpoint" in arguments else place.clients,
        )
        assert place.cloud.calls == []
    assert code == vertex_jobs.REFUSED
    assert f"Error: {message}" in capsys.readouterr().err


def _missing(place):
    place.compiled.unlink()


def _older_than_the_settings(place):
    os.utime(place.compiled, (0, 0))


def _older_than_the_data_set(place):
    os.utime(place.compiled, (1, 1))
    os.utime(place.settings_file, (0, 0))


def _for_another_image(place):
    place.settings_file.write_text(place.settings_file.read_text().replace("pipeline:latest", "pipeline:other"))
    os.utime(place.settings_file, (0, 0))


def _for_another_bucket(place):
    text = place.settings_file.read_text()
    place.settings_file.write_text(text.replace("pipeline_root: gs://my-bucket", "pipeline_root: gs://other"))
    os.utime(place.settings_file, (0, 0))


def _cut_off(place):
    place.compiled.write_text(place.compiled.read_text()[:100])


def _another_document(place):
    place.compiled.write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_missing, "no such file; compile the pipeline first: make vertex-compile"),
        (_older_than_the_settings, "vertex.yaml; compile it again: make vertex-compile"),
        (_older_than_the_data_set, "dataset.yaml; compile it again: make vertex-compile"),
        (
            _for_another_image,
            "was compiled for image us-central1-docker.pkg.dev/my-project/propensity/pipeline:latest, ",
        ),
        (
            _for_another_bucket,
            "was compiled for pipeline_root gs://my-bucket/propensity/ga4, but the settings say gs://",
        ),
        (_cut_off, "not a compiled job ("),
        (_another_document, "not a compiled job (no 'pipelineSpec')"),
    ],
)
@pytest.mark.parametrize("command", [["submit"], ["schedule", "apply"]])
def test_a_job_that_is_not_what_the_settings_say_is_not_sent(place, capsys, spoil, message, command):
    spoil(place)
    assert place.run(*command) == vertex_jobs.REFUSED
    assert message in capsys.readouterr().err
    assert place.cloud.calls == []


def test_with_caching_a_run_names_the_day_and_the_data_that_it_reads(place, monkeypatch):
    cached = place.with_settings(caching=True)
    asked = []

    def resolve(folder, settings, parameters, clients, kind):
        asked.append((folder.name, parameters.as_of, clients, kind.name))
        return parameters.model_copy(update={"as_of": datetime.date(2026, 1, 4), "data_fingerprint": "abc"})

    monkeypatch.setattr(vertex_jobs, "resolve_data", resolve)
    assert cached.run("submit") == 0
    body = posted(place.cloud).body
    assert asked == [("ga4", "latest", cached.clients, "training")]
    assert body["runtimeConfig"]["parameterValues"]["as_of"] == "2026-01-04"
    assert body["runtimeConfig"]["parameterValues"]["data_fingerprint"] == "abc"
    steps = body["pipelineSpec"]["components"]["tfx-dag"]["dag"]["tasks"]
    assert steps["StatisticsGen"]["cachingOptions"] == {"enableCache": True}


def test_what_bigquery_refuses_before_a_cached_run_is_told(place, capsys):
    cached = place.with_settings(caching=True)
    place.cloud.fail("POST", "/bigquery/", denied("bigquery.jobs.create", "projects/my-project"))
    assert cached.run("submit") == vertex_jobs.REFUSED
    assert "Error: BigQuery: Permission 'bigquery.jobs.create' denied" in capsys.readouterr().err
    assert not [call for call in place.cloud.calls if "pipelineJobs" in call.path]


def test_cancel(place, capsys):
    place.run("submit", "--run-id", "run-1")
    assert place.run("cancel", "run-1") == 0
    assert place.cloud.runs[RUN]["state"] == "PIPELINE_STATE_CANCELLING"
    shown = capsys.readouterr().out
    assert "cancelling run-1" in shown and "Dataflow" not in shown
    assert place.run("cancel", "run-2") == vertex_jobs.FAILED
    assert "does not exist" in capsys.readouterr().err


@pytest.fixture
def with_jobs(place):
    """A run with a Dataflow job that runs, one that has ended, and one of another run."""
    place.run("submit", "--run-id", "run-1")
    place.cloud.runs[RUN].update(finished_run("run-1", state="PIPELINE_STATE_RUNNING"))
    place.cloud.dataflow += [
        dataflow_job(1, "run-1", currentState="JOB_STATE_RUNNING"),
        dataflow_job(2, "run-1", currentState="JOB_STATE_DONE"),
        dataflow_job(3, "run-2", currentState="JOB_STATE_RUNNING"),
    ]
    return place


def dataflow_states(place):
    return [job["currentState"].removeprefix("JOB_STATE_") for job in place.cloud.dataflow]


def test_cancel_stops_the_dataflow_jobs_of_the_run_and_no_others(with_jobs, capsys):
    assert with_jobs.run("cancel", "run-1") == 0
    assert with_jobs.cloud.runs[RUN]["state"] == "PIPELINE_STATE_CANCELLING"
    assert dataflow_states(with_jobs) == ["CANCELLING", "DONE", "RUNNING"]
    shown = capsys.readouterr().out
    assert "cancelling the Dataflow job of StatisticsGen: " in shown
    assert "dataflow/jobs/us-central1/2026-01-05_1?project=my-project" in shown
    assert "2026-01-05_2" not in shown and "2026-01-05_3" not in shown


def test_cancel_shows_what_it_would_stop(with_jobs, capsys):
    capsys.readouterr()
    with_jobs.cloud.calls.clear()
    assert with_jobs.run("cancel", "run-1", "--dry-run") == 0
    assert {method for method, _ in with_jobs.cloud.seen()} == {"GET"}
    run, job = capsys.readouterr().out.splitlines()
    assert run == "would cancel run-1; its running steps are stopped"
    assert job.startswith("would cancel the Dataflow job of StatisticsGen: https://")


def test_cancel_stops_the_jobs_that_an_ended_run_has_left(with_jobs, capsys):
    with_jobs.cloud.runs[RUN]["state"] = "PIPELINE_STATE_CANCELLED"
    assert with_jobs.run("cancel", "run-1") == 0
    assert dataflow_states(with_jobs) == ["CANCELLING", "DONE", "RUNNING"]
    assert with_jobs.run("cancel", "run-1", "--dry-run") == 0
    assert "there is nothing to cancel" in capsys.readouterr().out
    assert with_jobs.run("cancel", "run-1") == vertex_jobs.FAILED
    assert "it cannot be cancelled" in capsys.readouterr().err


def test_a_dataflow_job_that_cannot_be_cancelled_is_told_and_the_others_are(with_jobs, capsys):
    with_jobs.cloud.dataflow.append(dataflow_job(4, "run-1", currentState="JOB_STATE_RUNNING"))
    with_jobs.cloud.fail("PUT", "2026-01-05_1", denied("dataflow.jobs.cancel", "projects/my-project"))
    assert with_jobs.run("cancel", "run-1") == vertex_jobs.FAILED
    assert dataflow_states(with_jobs) == ["RUNNING", "DONE", "RUNNING", "CANCELLING"]
    told = "it could not be cancelled: your account lacks the permission dataflow.jobs.cancel"
    assert told in capsys.readouterr().out


def test_teardown_stops_the_dataflow_jobs_of_the_runs(with_jobs, capsys):
    assert with_jobs.run("teardown", "--yes") == 0
    assert dataflow_states(with_jobs) == ["CANCELLING", "DONE", "RUNNING"]
    assert "cancel the run projects/my-project/locations/us-central1/pipelineJobs/run-1 and its Dataflow jobs" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (
            denied("aiplatform.pipelineJobs.create", "the project"),
            "Error: your account lacks the permission aiplatform",
        ),
        (
            bad_field("pipeline_job.network", "no such network"),
            "refused the request: pipeline_job.network: no such netw",
        ),
    ],
)
def test_a_refusal_is_one_line(place, capsys, refusal, message):
    place.cloud.fail("POST", "pipelineJobs", refusal)
    assert place.run("submit") == vertex_jobs.FAILED
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1


def test_without_credentials_one_line_says_what_to_do(place, capsys, monkeypatch):
    def find_none(**kwargs):
        raise DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr("google.auth.default", find_none)
    clients = Clients(place.settings, endpoints={"*": place.cloud.url})
    assert vertex_jobs.main(["cancel", "run-1", "--settings", str(place.settings_file)], clients) == vertex_jobs.FAILED
    assert capsys.readouterr().err.startswith("Error: found no Google credentials; run `gcloud auth application-")


def test_a_job_compiled_for_the_settings_needs_no_credentials_for_a_dry_run(place, monkeypatch):
    monkeypatch.setattr("google.auth.default", lambda **kwargs: pytest.fail("credentials were looked for"))
    for command in (["submit"], ["schedule", "apply"]):
        arguments = [*command, "--settings", str(place.settings_file), "--dry-run"]
        assert vertex_jobs.main(arguments) == 0


def test_every_request_of_every_command_is_answered(tmp_path):
    asked = all_requests(tmp_path)
    assert {command.split()[0] for command in asked} == {"submit", "cancel", "status", "schedule", "teardown"}
    assert all(asked.values())
    assert ("PATCH", f"/v1/{PARENT}/schedules/1000") in asked["schedule apply (changed)"]
    removed = [path for method, path in asked["teardown --runs --artifacts --yes"] if method != "GET"]
    assert len(removed) == 5, "a schedule, a run that goes on, one that has ended, a table and an object"
