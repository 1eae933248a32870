"""The whole pipeline on the default sample, as `make run` runs it."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support import tf_examples

COMPONENTS = [
    "BigQueryExampleGen",
    "StatisticsGen",
    "CuratedSchema",
    "ExampleValidator",
    "Champion",
    "DataGate",
    "Transform",
    "TrainKeras",
    "TrainXGBoost",
    "SelectModel",
    "InfraCheck",
    "Evaluator",
    "Pusher",
    "Report",
]


def artifact(home, pattern):
    [found] = glob.glob(str(home / "artifacts" / pattern))
    return found


def examples_of(home, split):
    return tf_examples(f"{artifact(home, 'BigQueryExampleGen/examples/*')}/Split-{split}")


def texts(examples, name):
    return {example.features.feature[name].bytes_list.value[0].decode() for example in examples}


def test_it_ends_with_a_push(first_run):
    assert first_run.code == 0, first_run.shown
    for component in COMPONENTS:
        assert re.search(rf"^  {component} +\d+\.\d s", first_run.shown, re.MULTILINE), first_run.shown
    assert "PUSHED" in first_run.shown
    assert "BLESSED: " in first_run.shown
    assert first_run.shown.splitlines()[-1].startswith("Everything is in"), "libraries end in silence"
    assert re.search(r"roc_auc +0\.\d{4}", first_run.shown)
    assert "cached" not in first_run.shown
    assert re.search(r"Sample: [\d,]+ events in data/sample, made now", first_run.shown)


def test_the_noise_is_in_the_log_that_the_summary_names(first_run, workspace):
    log = workspace / re.search(r"Log: (\S+)", first_run.shown).group(1)
    assert "tensorflow" in log.read_text()
    assert len(first_run.shown.splitlines()) < 80, first_run.shown


def test_splits_are_honest(first_run):
    train, evaluation, test = (examples_of(first_run.home, split) for split in ("train", "eval", "test"))
    assert 75_000 < len(train) + len(evaluation) + len(test) < 90_000
    assert texts(train, "unit").isdisjoint(texts(evaluation, "unit"))
    assert texts(train, "snapshot_date") == texts(evaluation, "snapshot_date")
    last_train, first_test = max(texts(train, "snapshot_date")), min(texts(test, "snapshot_date"))
    assert (np.datetime64(first_test) - np.datetime64(last_train)).astype(int) >= 3 + 7 + 3
    assert sum(example.features.feature["converted"].int64_list.value[0] for example in test) >= 1000


def test_no_user_is_named_in_any_artifact_or_log(first_run, workspace):
    users = (
        pq.read_table(workspace / "data" / "sample" / "drawn_probabilities.parquet", columns=["user_pseudo_id"])[0]
        .unique()
        .to_pylist()
    )
    for example in examples_of(first_run.home, "eval")[:200]:
        assert not set(users) & {
            value.decode() for f in example.features.feature.values() for value in f.bytes_list.value
        }
    some = [user.encode() for user in users[:: len(users) // 50]]
    for path in first_run.home.rglob("*"):
        if path.is_file() and path.suffix != ".gz":
            content = path.read_bytes()
            assert not any(user in content for user in some), path


def test_the_model_carries_its_training_data(first_run):
    model = artifact(first_run.home, "TrainKeras/model/*")
    report = json.loads(Path(model, "training_data", "report.json").read_text())
    assert report["trained_through"] < "2025-11-01"
    assert {count["split"]: count["rows"] for count in report["splits"]}["train"] > 50_000
    assert glob.glob(f"{model}/training_data/statistics.pb")
    assert glob.glob(f"{model}/training_data/schema.pbtxt")
    for trainer in ("TrainKeras", "TrainXGBoost"):
        assert glob.glob(
            artifact(first_run.home, f"{trainer}/model_run/*") + "/**/events.out.tfevents.*", recursive=True
        )


def test_the_challenger_says_what_it_was_chosen_for(first_run):
    chosen = artifact(first_run.home, "SelectModel/model/*")
    selection = json.loads(Path(chosen, "selection.json").read_text())
    losses = {candidate["family"]: candidate["metrics"]["log_loss"] for candidate in selection["candidates"]}
    assert set(losses) == {"keras", "xgboost"}
    assert selection["chosen"] == min(losses, key=losses.get)
    assert max(losses.values()) < 1.05 * min(losses.values()), "each family is a model worth having"


def test_the_pushed_model_answers_both_requests(first_run):
    import base64

    import tensorflow as tf

    from models.request_example import example_requests

    version = sorted(glob.glob(str(first_run.home / "serving" / "*")))[0]
    model = tf.saved_model.load(version)
    bodies = example_requests(version)
    [row] = bodies["predict"]["instances"]
    named = model.signatures["predict"](**{name: tf.constant([value]) for name, value in row.items()})
    [instance] = bodies["serving_default"]["instances"]
    serialised = model.signatures["serving_default"](tf.constant([base64.b64decode(instance["examples"]["b64"])]))
    assert named["probability"].shape == (1, 1)
    assert named["probability"].numpy() == pytest.approx(serialised["probability"].numpy(), abs=1e-6)


def test_both_models_come_near_to_what_can_be_known(first_run, workspace):
    from benchmarks.known_optimum import compare_with_optimum

    result = compare_with_optimum(first_run.home, workspace / "data" / "sample")
    assert result.positives >= 1000
    assert set(result.models) == {"Keras", "XGBoost"}
    for model in result.models.values():
        assert model.roc_auc > result.drawn.roc_auc - 0.015
        assert model.kl < 0.06 * result.base_rate_kl
        assert 0.9 < model.calibration_slope < 1.1


def test_predictions_are_calibrated_on_eval(first_run):
    import tensorflow as tf

    model = tf.saved_model.load(artifact(first_run.home, "TrainKeras/model/*/Format-Serving"))
    examples = examples_of(first_run.home, "eval")
    label = np.array([example.features.feature["converted"].int64_list.value[0] for example in examples])
    serialised = tf.constant([example.SerializeToString() for example in examples])
    p = model.signatures["serving_default"](serialised)["probability"].numpy().ravel().astype(float)
    standard_error = np.sqrt((p * (1 - p)).sum()) / p.sum()
    assert abs(p.mean() / label.mean() - 1) < 3 * standard_error


def test_what_has_not_changed_comes_from_the_cache_and_is_not_pushed_again(first_run, later_runs):
    second, third = later_runs
    assert second.code == third.code == 0, second.shown + third.shown
    for component in (
        "BigQueryExampleGen",
        "StatisticsGen",
        "CuratedSchema",
        "ExampleValidator",
        "Transform",
        "TrainKeras",
        "TrainXGBoost",
    ):
        assert second.line(component).endswith("cached")
    assert not second.line("DataGate").endswith("cached"), "there is a champion now, whose data are compared"
    assert not second.line("Evaluator").endswith("cached")
    assert "UNCHANGED: " in second.shown
    assert len(list((first_run.home / "serving").iterdir())) == 1
    for component in set(COMPONENTS) - {"Champion"}:
        assert third.line(component).endswith("cached")
    assert "champion" in second.shown
    assert "made now" not in second.shown


@pytest.fixture(scope="module")
def scored(later_runs, workspace, tmp_path_factory):
    """Scoring runs with the champion of the sample: a back-fill of nine weeks, a day of it alone, and the newest day.

    They have an output of their own; the artifacts of the training runs stay where they are.
    """
    output = tmp_path_factory.mktemp("scored")
    home = output / "ga4"
    home.mkdir()
    shutil.copyfile(workspace / "output/ga4/metadata.sqlite", home / "metadata.sqlite")
    shutil.copytree(workspace / "output/ga4/serving", home / "serving")

    def run(*arguments):
        done = subprocess.run(  # in the folder of the training runs: the metadata has their artifacts by relative paths
            [sys.executable, "-m", "runners.score", "--output", str(output), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=workspace,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        assert done.returncode == 0, done.stdout

    def select(sql):
        with duckdb.connect(str(home / "scores.duckdb"), read_only=True) as connection:
            return connection.sql(sql).fetchall()

    rows = "SELECT * EXCLUDE (run_id, scored_at) FROM scores_ga4 WHERE snapshot_date = '2025-10-20' ORDER BY ALL"
    run("--from", "2025-09-08", "--to", "2025-11-03")
    filled = select(rows)
    run("--as-of", "2025-10-19")
    alone = select(rows)
    run()
    return select, filled, alone


def test_a_back_fill_gives_the_scores_of_its_days(scored):
    _, filled, alone = scored
    assert filled == alone and len(filled) > 10_000


def test_each_day_is_a_partition_with_its_run(scored):
    select, *_ = scored
    days = select(
        "SELECT snapshot_date::VARCHAR, COUNT(*), COUNT(DISTINCT run_id) FROM scores_ga4 GROUP BY 1 ORDER BY 1"
    )
    assert [day for day, *_ in days] == [
        *("2025-09-08", "2025-09-15", "2025-09-22", "2025-09-29", "2025-10-06", "2025-10-13", "2025-10-20"),
        *("2025-10-27", "2025-11-03", "2025-11-13"),
    ]
    assert all(runs == 1 for *_, runs in days)
    latest = select("SELECT COUNT(*), COUNT(DISTINCT user_pseudo_id) FROM scores_ga4_latest")
    assert latest[0][0] == latest[0][1] == select("SELECT COUNT(DISTINCT user_pseudo_id) FROM scores_ga4")[0][0]


def test_the_deciles_convert_as_the_scores_expect(scored, first_run, workspace):
    select, *_ = scored
    events = f"read_parquet('{workspace}/data/sample/events_*.parquet', union_by_name = true)"
    deciles = select(
        f"""
        WITH bought AS (
          SELECT DISTINCT s.snapshot_date, s.user_pseudo_id FROM scores_ga4 AS s JOIN {events} AS e
            ON e.user_pseudo_id = s.user_pseudo_id AND e.event_name = 'purchase'
            AND strptime(e.event_date, '%Y%m%d')::DATE BETWEEN s.snapshot_date + 3 AND s.snapshot_date + 9
          WHERE s.snapshot_date > '2025-10-13' AND s.snapshot_date <= '2025-11-03'
        )
        SELECT decile, SUM(probability), COUNT(b.user_pseudo_id) FROM scores_ga4 AS s LEFT JOIN bought AS b
          USING (snapshot_date, user_pseudo_id)
        WHERE s.snapshot_date > '2025-10-13' AND s.snapshot_date <= '2025-11-03' GROUP BY 1 ORDER BY 1
        """
    )
    expected, realised = (np.array(column, float) for column in list(zip(*deciles, strict=True))[1:])
    assert realised[0] > 0.5 * realised.sum(), "the top decile holds most conversions"
    assert abs(realised.sum() / expected.sum() - 1) < 0.15
