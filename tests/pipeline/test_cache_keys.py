"""Each component's cache key: of the code that its executor can reach, and of every setting that the component gets."""

import dataclasses
import datetime
import enum
import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing

import pytest

import schema
from models.config import Settings, validate_settings
from models.families import FAMILIES
from models.features import Feature, FeatureSet
from pipeline import digest
from pipeline.pipeline import create_pipeline
from pipeline.scoring_pipeline import create_scoring_pipeline
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.gate import Bound, GateSettings
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters, ScoringParameters

# What executors run without importing it. Written down here once more, so that none of them is forgotten.
RUN_BY_NAME = {
    "Transform": ["preprocessing"],
    "TuneKeras": [
        "pipeline.training.tuner_fn",
        "models.families.keras.tuning",
        "models.families.keras.hyperparameters",
    ],
    "TuneXGBoost": [
        "pipeline.training.tuner_fn",
        "models.families.xgboost.tuning",
        "models.families.xgboost.hyperparameters",
    ],
    "TrainKeras": ["pipeline.training.run_fn", "models.families.keras.model", "models.families.keras.hyperparameters"],
    "TrainXGBoost": [
        "pipeline.training.run_fn",
        "models.families.xgboost.model",
        "models.families.xgboost.hyperparameters",
    ],
    "InfraCheck": ["pipeline.infra.probe"],
    "scoring/Scorer": [f"models.families.{family}.attribution" for family in FAMILIES],
}
OURS = {
    "BigQueryExampleGen",
    "CuratedSchema",
    "StatisticsGen",
    "DataGate",
    *RUN_BY_NAME,
    "SelectModel",
    "Evaluator",
    "Pusher",
    "Report",
    *(
        f"scoring/{node}"
        for node in (
            "BigQueryExampleGen",
            "StatisticsGen",
            "ChampionSchema",
            "DataGate",
            "ScoreWriter",
            "ScoringReport",
        )
    ),
}


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """By node, the files whose edit changes its digest, and those that its executor really imports."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("models", "pipeline", "schema"):
        shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy("preprocessing.py", folder)
    shutil.copy("tests/pipeline/reached_modules.py", folder)
    (folder / "names.json").write_text(json.dumps(RUN_BY_NAME))
    done = subprocess.run(
        [sys.executable, "reached_modules.py", "names.json", "answer.json"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "answer.json").read_text())


def test_every_component_with_code_of_ours_has_a_digest(reached):
    assert set(reached["changing"]) == OURS


@pytest.mark.parametrize("node", sorted(OURS))
def test_exactly_edits_of_what_an_executor_imports_change_its_key(reached, node):
    imported = set(reached["imported"][node])
    folders = {os.path.dirname(file) for file in imported} - {""}
    changing = reached["changing"][node]
    assert {file for file in changing if file.endswith(".py")} == imported
    resources = {file for file in changing if not file.endswith(".py")}
    assert {os.path.dirname(file) for file in resources} <= folders
    assert all(os.path.splitext(file)[1] in digest.RESOURCES for file in resources)


def test_the_shipped_resources_count(reached):
    """The report's templates and styles are part of the keys of what makes pages."""
    for node in ("Evaluator", "Report", "scoring/ScoringReport"):
        assert {"pipeline/report/style.css", "pipeline/report/verdict.html.j2"} <= set(reached["changing"][node])
    assert "pipeline/report/style.css" not in reached["changing"]["TrainKeras"]


# Settings: by path, the nodes that get them. The report gets a digest of all settings of the data set: see ALWAYS.
ALWAYS = {"Report"}
ROWS = {"BigQueryExampleGen", "scoring/BigQueryExampleGen"}
LEARN = {"TuneKeras", "TuneXGBoost", "TrainKeras", "TrainXGBoost"}
OF_DATASET = {
    "source": ROWS,
    "columns.label": {
        *(*ROWS, "StatisticsGen", "Transform", *LEARN, "SelectModel", "Evaluator"),
        *("scoring/ChampionSchema", "scoring/Scorer"),
    },
    "columns": {*ROWS, "Evaluator", "scoring/Scorer"},
    "windows": ROWS,
    "snapshots": ROWS,
    "split": ROWS,
    "features": ROWS,
    "training.quantiles": {"Transform"},
    "training.select_by": {"SelectModel"},
    "training.keras": {"TuneKeras", "TrainKeras"},
    "training.xgboost": {"TuneXGBoost", "TrainXGBoost"},
    "training.logistic": set(),  # this family is not trained by default
    "training.tuning": {"TuneKeras", "TuneXGBoost"},
    "evaluation": {"Evaluator"},
    "data_gate": {"DataGate", "scoring/DataGate"},
    "infra_check": {"InfraCheck"},
    "gate": {"Evaluator"},
    "scoring": {"scoring/Scorer", "scoring/ScoreWriter", "scoring/ScoringReport"},
}
SCORE = {"scoring/ChampionSchema", "scoring/Scorer", "scoring/ScoringReport"}
OF_FEATURES = {
    "name": {
        *(*ROWS, "StatisticsGen", "Transform", *LEARN, "InfraCheck", "Evaluator"),
        *("scoring/StatisticsGen", *SCORE),
    },
    "": {*ROWS, "Transform", *LEARN, "InfraCheck", "Evaluator", *SCORE},
}
OF_RUN = {
    "warehouse": {*ROWS, "scoring/ScoreWriter", "scoring/ScoringReport"},
    "data": ROWS,
    "example_format": ROWS,
}
# They say where and how a run is done, or reach the pipeline in another way; none of them may cause a cache miss.
IN_NO_KEY = {
    "in_process_rows": "in process or on Beam, the results are the same",
    "beam_args": "how Beam runs, not what it computes",
    "output": "where artifacts go",
    "sample_percent": "the runner passes it as a run parameter, which is part of the key",
    "example_gen": "chooses between executors, whose classes are part of the key",
    "executors": "chooses between executors, whose classes are part of the key",
    "schema_source": "chooses between two components",
}
OF_PARAMETERS = {
    "as_of": {"BigQueryExampleGen"},
    "sample_percent": {"BigQueryExampleGen"},
    "data_fingerprint": {"BigQueryExampleGen"},
    "accept_incompatible_champion": {"DataGate", "SelectModel", "Evaluator"},
}
OF_SCORING_PARAMETERS = {
    "as_of": {"scoring/BigQueryExampleGen"},
    "first_date": {"scoring/BigQueryExampleGen"},
    "last_date": {"scoring/BigQueryExampleGen"},
    "snapshot_date": {"scoring/Scorer"},
    "replace": {"scoring/ScoreWriter"},
    "run_id": {"scoring/Scorer"},
    "data_fingerprint": {"scoring/BigQueryExampleGen"},
}
SHAPE_OF_THE_DAG = {
    "training.families",
    "training.tuning.search",
    "source.kind",
    "warehouse.engine",
}  # others give other nodes

FOLDER = DatasetFolder.load(schema.ROOT / "ga4", {"training.tuning.search": "random"})
RUN = validate_settings({"warehouse": {"engine": "duckdb"}, "data": "events"}, RunSettings, origin="test")


def leaves(settings, path=""):
    """The dotted names of all settings below some."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Settings):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def changed(settings, path):
    """The settings as they would be if the default of one were another: it is not among those that were set."""
    name, _, below = path.partition(".")
    value = getattr(settings, name)
    other = changed(value, below) if below else another(type(settings).model_fields[name].annotation, value)
    values = {field: getattr(settings, field) for field in type(settings).model_fields}
    return type(settings).model_construct(settings.model_fields_set - {name}, **{**values, name: other})


def another(annotation, value):
    """Another value of a setting's type."""
    options = [value for choice in (annotation, *typing.get_args(annotation)) for value in typing.get_args(choice)]
    if isinstance(value, str) and value in options and typing.get_origin(annotation) is not typing.Union:
        return next(option for option in options if isinstance(option, str) and option != value)
    if isinstance(value, enum.Enum):
        return next(option for option in type(value) if option != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (*value[:-1], another(type(value[-1]), value[-1])) if value else (datetime.date(2025, 1, 6),)
    match value:
        case int() | float():
            return value * 2 + 1
        case str():
            return f"{value}x"
        case dict():
            return {"roc_auc": Bound(lower=0.5)}
        case pathlib.Path():
            return value / "x"
        case None:
            return "tfrecord" if "tfrecord" in str(annotation) else 7
    raise NotImplementedError(f"{annotation}: {value!r}")


def properties(folder=FOLDER, run=RUN, parameters=RunParameters(), scoring=ScoringParameters()):  # noqa: B008  (immutable)
    """By node, its execution properties: of the training pipeline, and as `scoring/<id>` of the scoring pipeline."""
    training_nodes = create_pipeline(name="p", root="r", serving="s", folder=folder, run=run, parameters=parameters)
    scoring_nodes = create_scoring_pipeline(
        name="p", root="r", score_table="t", folder=folder, run=run, parameters=scoring
    )
    nodes = {node.id: node for node in training_nodes.components}
    nodes |= {f"scoring/{node.id}": node for node in scoring_nodes.components}
    return {name: {key: str(value) for key, value in node.exec_properties.items()} for name, node in nodes.items()}


@pytest.fixture(scope="module")
def before():
    return properties()


def with_other_properties(before, after):
    assert after.keys() == before.keys()
    return {node for node in before if after[node] != before[node]}


def expected(table, path):
    """The nodes that get a setting: by the longest entry of the table that its path begins with."""
    return table[max((key for key in table if path == key or path.startswith(f"{key}.") or not key), key=len)]


@pytest.mark.parametrize("path", [path for path in leaves(FOLDER.dataset) if path not in SHAPE_OF_THE_DAG])
def test_another_default_of_a_data_set_changes_the_keys_of_what_gets_it(before, path):
    folder = dataclasses.replace(FOLDER, dataset=changed(FOLDER.dataset, path))
    assert with_other_properties(before, properties(folder)) == expected(OF_DATASET, path) | ALWAYS


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
@pytest.mark.parametrize("path", list(Feature.model_fields))
def test_another_default_of_a_feature_changes_the_keys_of_what_gets_it(before, path, kind):
    if (kind, path) in {("numeric", "vocabulary"), ("numeric", "slice")} or path == "kind":
        return
    features = list(FOLDER.features.features)
    [number, *_] = [number for number, feature in enumerate(features) if feature.kind == kind]
    features[number] = changed(features[number], path)
    folder = dataclasses.replace(FOLDER, features=FeatureSet.model_construct(features=tuple(features)))
    assert with_other_properties(before, properties(folder)) == expected(OF_FEATURES, path) | ALWAYS


@pytest.mark.parametrize("path", [path for path in leaves(RUN) if path not in SHAPE_OF_THE_DAG])
def test_another_default_of_a_run_changes_the_keys_of_what_gets_it(before, path):
    if path in IN_NO_KEY:
        if not IN_NO_KEY[path].startswith("chooses"):
            assert with_other_properties(before, properties(run=changed(RUN, path))) == set()
        return
    assert with_other_properties(before, properties(run=changed(RUN, path))) == expected(OF_RUN, path)


@pytest.mark.parametrize("path", list(leaves(RunParameters())))
def test_another_value_of_a_run_changes_the_keys_of_what_gets_it(before, path):
    after = properties(parameters=changed(RunParameters(), path))
    assert with_other_properties(before, after) == OF_PARAMETERS[path]


@pytest.mark.parametrize("path", list(leaves(ScoringParameters())))
def test_another_value_of_a_scoring_run_changes_the_keys_of_what_gets_it(before, path):
    after = properties(scoring=changed(ScoringParameters(), path))
    assert with_other_properties(before, after) == OF_SCORING_PARAMETERS[path]


@pytest.mark.parametrize("name", ["ga4", "ga360", "online_shoppers"])
def test_settings_are_the_same_after_a_round_trip(name):
    """Though every default is written out, also those which a data set of this kind may not set."""
    folder = DatasetFolder.load(schema.ROOT / name)
    config = json.loads(json.dumps(folder.to_config()))
    assert dataclasses.replace(DatasetFolder.from_config(config), path=folder.path) == folder
    assert set(config["dataset"]["gate"]) == set(GateSettings.model_fields)


@pytest.mark.parametrize("metric", ["pr_auc", "log_loss", "brier"])
def test_the_gates_settings_are_the_same_after_a_round_trip_for_every_metric(metric):
    settings = GateSettings(metric=metric, margin=0.01, slice_margin=0.03)
    assert GateSettings.model_validate(settings.model_dump(mode="json")) == settings
