"""An edit of the query, the features, the preprocessing or a model is never a cache hit; what lies before it is."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.support import states, table

# One process, since TFX takes long to import: digests are taken from the files, which are edited between the runs.
RUNS = """
import json, sys
from pathlib import Path
from runners import local_runner

arguments = ["--dataset", "small", "--data", "customers.csv", "--output", "output"]
for edit in json.loads(sys.argv[1]):
    for file, old, new in edit:
        # The newest, where a pattern has several.
        path = max(Path().glob(file), key=lambda path: path.stat().st_mtime)
        if old is None:
            path.write_text(new)
            continue
        text = path.read_text()
        assert old in text, (file, old)
        path.write_text(text.replace(old, new, 1))
    assert local_runner.main(arguments) == 0
"""
EDITS = {
    "nothing": [],
    "nothing, now that there is a champion": [],
    "model": [["models/families/xgboost/tree_graph.py", '"""', '"""Edited. ']],
    "preprocessing": [["preprocessing.py", '"""', '"""Edited. ']],
    "query": [["schema/small/query.sql", "visits,", "visits + 1 AS visits,"]],
    "features": [["schema/small/features.yaml", "vocabulary: 10", "vocabulary: 11"]],
    "data": [["customers.csv", "customer-1,", "customer-one,"]],
    "gate": [["pipeline/gate/rules.py", '"""', '"""Edited. ']],
    "a cached file is emptied": [
        ["output/small/artifacts/Transform/transform_graph/*/transform_fn/saved_model.pb", None, ""]
    ],
}
DATA_STEPS = ("BigQueryExampleGen", "StatisticsGen", "ExampleValidator")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, in which the pipeline ran after each edit."""
    project = tmp_path_factory.mktemp("project")
    for name in ("models", "pipeline", "runners", "schema"):
        shutil.copytree(name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("preprocessing.py", project)
    table(1500).drop(columns="spent").to_csv(project / "customers.csv", index=False)
    small = project / "schema" / "small"
    small.mkdir()
    (small / "dataset.yaml").write_text(
        "source: {kind: table, table: customers}\n"
        "columns: {label: bought, key: customer}\n"
        "split: {test_percent: 20}\n"
        "training: {families: [xgboost]}\n"
        "gate: {min_positives: 50, margin: 0.2, calibration: [0.2, 5]}\n"  # few rows show little
        "data_gate: {max_drift: 1, max_skew: 1}\n"  # a query is edited, and moves a feature
    )
    (small / "features.yaml").write_text(
        "features:\n- {name: visits, kind: numeric}\n- {name: country, kind: categorical, vocabulary: 10}\n"
    )
    (small / "query.sql").write_text("SELECT customer, visits, country, bought FROM `customers` AS c")
    done = subprocess.run(
        [sys.executable, "-c", RUNS, json.dumps(list(EDITS.values()))],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture(scope="module")
def runs(project):
    """States of all nodes by edit."""
    return dict(zip(EDITS, states(project / "output" / "small"), strict=True))


def cached(nodes):
    return {node for node, state in nodes.items() if state == "CACHED"}


def test_the_first_run_computes_everything(runs):
    assert cached(runs["nothing"]) == set()


def test_an_edited_model_is_trained_again_on_the_same_examples(runs):
    assert cached(runs["model"]) >= {*DATA_STEPS, "Transform"}
    assert "TrainXGBoost" not in cached(runs["model"])


def test_edited_preprocessing_is_run_again_on_the_same_examples(runs):
    assert cached(runs["preprocessing"]) >= set(DATA_STEPS)
    assert cached(runs["preprocessing"]).isdisjoint({"Transform", "TrainXGBoost"})


@pytest.mark.parametrize("edit", ["query", "features", "data"])
def test_an_edited_query_feature_set_or_table_is_read_again(runs, edit):
    assert cached(runs[edit]).isdisjoint({*DATA_STEPS, "Transform", "TrainXGBoost"})


def test_unchanged_steps_come_from_the_cache(runs):
    assert cached(runs["nothing, now that there is a champion"]) >= {*DATA_STEPS, "Transform", "TrainXGBoost"}


def test_an_edited_gate_judges_again_what_was_trained_before(runs):
    assert cached(runs["gate"]) >= {*DATA_STEPS, "Transform", "TrainXGBoost"}
    assert "Evaluator" not in cached(runs["gate"])


def test_a_cached_artifact_that_lost_a_file_is_made_again(runs):
    assert cached(runs["a cached file is emptied"]) >= set(DATA_STEPS)
    assert cached(runs["a cached file is emptied"]).isdisjoint({"Transform", "TrainXGBoost"})


@pytest.fixture(scope="module")
def verdicts(project):
    """Those of the runs whose gate did not come from the cache, oldest first."""
    found = (project / "output/small/artifacts/Evaluator/verdict").iterdir()
    return [json.loads((path / "verdict.json").read_text()) for path in sorted(found, key=lambda path: int(path.name))]


def test_the_same_model_is_unchanged_also_where_it_was_trained_again(runs, verdicts):
    first, again, after_edit, *_ = verdicts
    assert first["verdict"] == "blessed"
    assert again["verdict"] == after_edit["verdict"] == "unchanged"
    assert cached(runs["model"]).isdisjoint({"TrainXGBoost", "Evaluator"})
    assert after_edit["metrics"]["challenger"] == pytest.approx(first["metrics"]["challenger"], rel=1e-6)


def test_challenger_and_champion_are_told_apart(verdicts):
    of_query_edit = verdicts[4]["metrics"]  # the champion was trained on other values of a feature
    assert of_query_edit["challenger"]["roc_auc"] != of_query_edit["champion"]["roc_auc"]
