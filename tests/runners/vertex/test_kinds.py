"""Runs, schedules and jobs of training and scoring are never confused."""

import json

import pytest

import schema
from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from runners import vertex_jobs, vertex_runner
from runners.vertex.kinds import KINDS, SCORING, TRAINING, kind_of
from runners.vertex.parameters import run_parameters, scheduled_parameters
from runners.vertex.settings import load_vertex_settings
from tests.runners.cloud.runs import EXAMPLE, SCORING_PARAMETERS, finished_run, place_in
from tests.runners.cloud.vertex import PARENT

FOLDER = DatasetFolder.load(schema.ROOT / "ga4")
OF_SCORING = ("--pipeline", "scoring")


@pytest.fixture
def place(tmp_path):
    with place_in(tmp_path) as place:
        yield place


def both_schedules(place):
    place.run("schedule", "apply")
    place.run("schedule", "apply", *OF_SCORING)
    return sorted(schedule["displayName"] for schedule in place.cloud.schedules.values())


def test_every_name_that_tells_them_apart_differs():
    for name in ("suffix", "job_file", "schedule_key", "option", "compile_command"):
        assert len({getattr(kind, name) for kind in KINDS.values()}) == len(KINDS)
    assert TRAINING.title(FOLDER) == "propensity-ga4"
    assert SCORING.title(FOLDER) == "propensity-ga4-scoring"


def test_a_run_without_labels_is_of_the_training_pipeline():
    assert kind_of({}, FOLDER) is TRAINING
    for kind in KINDS.values():
        assert kind_of({"pipeline": kind.label(FOLDER)}, FOLDER) is kind


def test_a_scoring_run_has_its_own_id_name_and_parameters(place, capsys):
    assert place.run("submit", *OF_SCORING, "--dry-run", "--parameter", "replace=1") == 0
    request = json.loads(capsys.readouterr().out)
    assert request["pipelineJobId"].startswith("propensity-ga4-scoring-2")
    run = request["pipelineJob"]
    assert run["displayName"] == run["labels"]["pipeline"] == "propensity-ga4-scoring"
    assert run["pipelineSpec"]["pipelineInfo"]["name"] == "propensity-ga4", "so that it finds the champion"
    values = run["runtimeConfig"]["parameterValues"]
    assert set(values) == set(SCORING_PARAMETERS)
    assert (values["replace"], values["as_of"]) == (1, "latest")


def test_a_back_fill_is_a_run_with_two_dates(place, capsys):
    dates = ("--parameter", "first_date=2026-01-05", "--parameter", "last_date=2026-03-30")
    assert place.run("submit", *OF_SCORING, *dates) == 0
    [run] = place.cloud.runs.values()
    values = run["runtimeConfig"]["parameterValues"]
    assert (values["first_date"], values["last_date"]) == ("2026-01-05", "2026-03-30")
    assert place.run("submit", *OF_SCORING, *dates[:2]) == vertex_jobs.REFUSED
    assert "a back-fill needs both first_date (FROM=) and last_date (TO=)" in capsys.readouterr().err


def test_nobody_gives_the_run_id_as_a_parameter(place, capsys):
    assert place.run("submit", *OF_SCORING, "--parameter", "run_id=mine") == vertex_jobs.REFUSED
    assert "--parameter run_id: Vertex AI fills it in; the parameters are as_of, first_date" in capsys.readouterr().err


def test_a_scheduled_scoring_run_finds_its_own_day():
    settings = load_vertex_settings(EXAMPLE)
    values = scheduled_parameters(FOLDER, settings, SCORING).values_at_run_time()
    assert values["as_of"] == "latest" and not values["replace"] and not values["data_fingerprint"]
    fixed = FOLDER.up_to("2026-01-01")
    assert run_parameters(fixed, settings, kind=SCORING).values()["as_of"] == "latest"


def test_each_has_its_own_schedule(place, capsys):
    assert both_schedules(place) == ["propensity-ga4", "propensity-ga4-scoring"]
    crons = {schedule["displayName"]: schedule["cron"] for schedule in place.cloud.schedules.values()}
    assert crons == {"propensity-ga4": "TZ=Etc/UTC 0 6 * * 1", "propensity-ga4-scoring": "TZ=Etc/UTC 0 8 * * *"}
    capsys.readouterr()
    assert place.run("schedule", "apply", *OF_SCORING) == 0
    assert capsys.readouterr().out.startswith("unchanged: ")
    place.run("schedule", "pause", *OF_SCORING)
    states = {schedule["displayName"]: schedule["state"] for schedule in place.cloud.schedules.values()}
    assert states == {"propensity-ga4": "ACTIVE", "propensity-ga4-scoring": "PAUSED"}
    place.run("schedule", "delete", *OF_SCORING)
    assert [schedule["displayName"] for schedule in place.cloud.schedules.values()] == ["propensity-ga4"]


def test_without_its_schedule_there_is_nothing_to_apply(place, capsys):
    without = place.with_settings(scoring_schedule=None)
    assert without.run("schedule", "apply", *OF_SCORING) == 0
    assert "have no 'scoring_schedule': nothing to apply. `schedule delete --pipeline scoring`" in (
        capsys.readouterr().out
    )
    assert place.cloud.calls == []


def test_an_end_that_cannot_be_removed_is_named_by_its_key(place, capsys):
    ended = {"cron": "0 8 * * *", "end": "2030-01-01T00:00:00Z"}
    place.with_settings(scoring_schedule=ended).run("schedule", "apply", *OF_SCORING)
    again = place.with_settings(scoring_schedule={"cron": "0 8 * * *"})
    assert again.run("schedule", "apply", *OF_SCORING) == vertex_jobs.REFUSED
    assert "key 'scoring_schedule.end'" in capsys.readouterr().err


def test_status_shows_the_newest_run_of_the_pipeline_that_is_meant(place, capsys):
    assert place.run("status", *OF_SCORING) == vertex_jobs.REFUSED
    assert "'propensity-ga4-scoring' has no run in my-project, us-central1; start one with `submit --pipeline sc" in (
        capsys.readouterr().err
    )
    place.run("submit", "--run-id", "trained")
    place.run("submit", *OF_SCORING, "--run-id", "scored")
    for kind, run_id in (("training", "trained"), ("scoring", "scored")):
        capsys.readouterr()
        assert place.run("status", "--pipeline", kind) == 0
        assert capsys.readouterr().out.startswith(f"{run_id}: PENDING")


def test_the_job_of_the_other_pipeline_is_not_taken(place, capsys):
    SCORING.compiled(FOLDER, place.settings).unlink()
    assert place.run("submit", *OF_SCORING) == vertex_jobs.REFUSED
    assert "scoring.json: no such file; compile the pipeline first: make vertex-compile PIPELINE=scoring" in (
        capsys.readouterr().err
    )
    assert place.run("submit") == 0
    place.compiled.write_text("{}")
    TRAINING.compiled(FOLDER, place.settings).rename(SCORING.compiled(FOLDER, place.settings))
    assert place.run("submit", *OF_SCORING) == vertex_jobs.REFUSED
    assert "compile it again: make vertex-compile PIPELINE=scoring" in capsys.readouterr().err


def test_a_training_job_in_the_scoring_jobs_place_is_refused(place, capsys):
    SCORING.compiled(FOLDER, place.settings).write_text(place.compiled.read_text())
    assert place.run("submit", *OF_SCORING) == vertex_jobs.REFUSED
    assert "compile it again: make vertex-compile PIPELINE=scoring" in capsys.readouterr().err


@pytest.fixture
def with_both(place):
    both_schedules(place)
    for run_id, arguments in (("trained", ()), ("scored", OF_SCORING), ("scored-2", OF_SCORING)):
        place.run("submit", "--run-id", run_id, *arguments)
    place.cloud.runs[f"{PARENT}/pipelineJobs/scored"].update(finished_run("scored"))
    objects = ("1/trained/Transform/x", "1/scored/Scorer/x", "1/propensity-ga4-scoring-20260101000000/Scorer/x")
    place.cloud.objects["my-bucket"] = {f"propensity/ga4/{name}": b"12345" for name in objects}
    place.cloud.tables["my-project", "propensity"] = ["features_ga4_0123456789abcdef", "scores_ga4"]
    return place


def left(place):
    cloud = place.cloud
    return (
        sorted(schedule["displayName"] for schedule in cloud.schedules.values()),
        {name.rpartition("/")[2]: run["state"].rpartition("_")[2] for name, run in cloud.runs.items()},
        sorted(name.split("/")[3] for name in cloud.objects["my-bucket"]),
        cloud.tables["my-project", "propensity"],
    )


def test_teardown_of_scoring_leaves_training_alone(with_both):
    assert with_both.run("teardown", *OF_SCORING, "--yes", "--runs", "--artifacts") == 0
    assert left(with_both) == (
        ["propensity-ga4"],
        {"trained": "PENDING", "scored-2": "CANCELLING"},
        ["trained"],
        ["features_ga4_0123456789abcdef", "scores_ga4"],  # a training run may read the first; scores stay
    )


def test_teardown_of_training_leaves_scoring_alone(with_both):
    assert with_both.run("teardown", "--yes", "--runs", "--artifacts") == 0
    assert left(with_both) == (
        ["propensity-ga4-scoring"],
        {"trained": "CANCELLING", "scored": "FAILED", "scored-2": "PENDING"},
        ["propensity-ga4-scoring-20260101000000", "scored"],
        ["features_ga4_0123456789abcdef", "scores_ga4"],
    )


def test_features_tables_go_once_no_run_of_the_other_pipeline_is_under_way(with_both):
    with_both.cloud.runs[f"{PARENT}/pipelineJobs/scored-2"]["state"] = "PIPELINE_STATE_SUCCEEDED"
    assert with_both.run("teardown", "--yes") == 0
    assert with_both.cloud.tables["my-project", "propensity"] == ["scores_ga4"]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("shop_scoring", TRAINING, "a name that does not end in 'scoring'"),
        ("a" * 33, SCORING, "may have at most 48 characters"),
    ],
)
def test_names_that_would_be_confused_or_too_long_are_refused(tmp_path, name, kind, message):
    import shutil

    shutil.copytree(schema.ROOT / "online_shoppers", tmp_path / name)
    with pytest.raises(SettingsError, match=message):
        vertex_runner.load_dataset(tmp_path / name, kind)
