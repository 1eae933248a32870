"""A champion of a run from before the reorganisation: its files and properties by their names of then, written out."""

import json
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts

import schema as schemas
from pipeline.champion import challenger, training_record
from pipeline.champion.comparability import comparable_champion
from pipeline.components.pusher import Pusher
from pipeline.components.rollback_blessing import RollbackBlessing
from pipeline.pipeline import create_pipeline
from pipeline.rollback import create_rollback_pipeline, find_restoration
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters

SUMMARY = {
    "rows": 81454,
    "positives": 4160,
    "splits": [
        {"split": "train", "date": None, "rows": 53330, "positives": 2711},
        {"split": "test", "date": None, "rows": 21047, "positives": 1092},
    ],
    "dates": [
        {"split": "train", "date": "2025-10-13", "rows": 9038, "positives": 466},
        {"split": "test", "date": "2025-10-27", "rows": 10478, "positives": 541},
    ],
    "missing": {"sessions_1_7": 0},
    "distinct": {"country": 9},
    "warnings": ["30,284 events have no user_pseudo_id, and were left out"],
    "trained_through": "2025-10-22",
    "test_split": {"by": "date"},
    "single_feature_auc": {"sessions_1_7": 0.7840895410137875},
    "trained_at": "2026-11-28T17:54:55+00:00",
}
SCHEMA = """
feature { name: "sessions_1_7" value_count { min: 1 max: 1 } type: FLOAT presence { min_count: 1 } }
feature { name: "country" value_count { min: 1 max: 1 } type: BYTES presence { min_count: 1 } }
"""
SOURCE = "/output/ga4/artifacts/TrainKeras/model/8"
OF_MODEL = {"family": "keras", "metric": "log_loss", "source_model_id": 9, "source_model_uri": SOURCE, "value": ""}
OF_BLESSING = {"anchor_replaced": 1, "blessed": 1, "current_model": "/output/ga4/10", "current_model_id": 12}
# Of a later run: today's model 45, judged against the old one.
TODAY = {"anchor_replaced": 0, "blessed": 1, "current_model_id": 45, "baseline_model_id": 12}


@pytest.fixture
def champion(tmp_path):
    """The Model artifact as a resolver gives it, with the files of a SelectModel of then."""
    files = {
        "Format-Serving/saved_model.pb": "",
        "training_data/report.json": json.dumps(SUMMARY),
        "training_data/schema.pbtxt": SCHEMA,
        "training_data/statistics.pb": "",
        "selection.json": "{}",
    }
    for name, text in files.items():
        path = Path(tmp_path, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    model = standard_artifacts.Model()
    model.uri, model.id = str(tmp_path), 12
    for name, value in OF_MODEL.items():
        (model.set_int_custom_property if isinstance(value, int) else model.set_string_custom_property)(name, value)
    return model


def stored(id_, properties):
    """An artifact as ML Metadata holds it."""
    made = metadata_store_pb2.Artifact(id=id_, uri=f"/output/ga4/{id_}")
    for name, value in properties.items():
        setattr(made.custom_properties[name], "int_value" if isinstance(value, int) else "string_value", value)
    return made


def test_it_is_compared_with_a_model_of_today(champion):
    now = training_record.read_schema(champion.uri)
    assert comparable_champion([champion], SUMMARY, now, accept=False) == (champion, [])
    assert not training_record.read_statistics(champion.uri).datasets


def test_a_verdict_describes_it(champion):
    assert challenger.describe(champion) == {
        "id": 12,
        "uri": champion.uri,
        "family": "keras",
        "source_model_id": 9,
        "source_model_uri": SOURCE,
        "trained_through": "2025-10-22",
        "trained_at": "2026-11-28T17:54:55+00:00",
    }
    assert challenger.withdrawn_sources(champion) == [] and not challenger.has_anchor(champion.uri)


def test_a_rollback_leads_back_to_it():
    of_today = {**OF_MODEL, "source_model_id": 44, "source_model_uri": "/output/ga4/44"}
    found = find_restoration([stored(12, OF_MODEL), stored(45, of_today)], [stored(14, OF_BLESSING), stored(48, TODAY)])
    assert (found.model_id, found.withdrawn_id, found.previous, found.anchor_replaced) == (12, 45, "", True)
    assert found.properties == {
        "family": "keras",
        "source_model_id": 9,
        "source_model_uri": SOURCE,
        "withdrawn": json.dumps(["/output/ga4/44"]),
    }


def test_it_is_looked_up_under_the_names_of_then(champion):
    """The resolver finds artifacts of these types in the context of the pipeline's name."""
    folder = DatasetFolder.load(schemas.ROOT / "ga4")
    assert folder.pipeline_name == "propensity-ga4"
    run = RunSettings.model_validate({"warehouse": {"engine": "duckdb"}, "data": "events"})
    training = create_pipeline(
        name=folder.pipeline_name, root="r", serving="s", folder=folder, run=run, parameters=RunParameters()
    )
    nodes = {node.id: node for node in training.components}
    assert {key: channel.type_name for key, channel in nodes["Champion"].outputs.items()} == {
        "model": "Model",
        "model_blessing": "ModelBlessing",
    }
    assert {"SelectModel", "Evaluator", "Pusher"} <= nodes.keys()
    restoration = find_restoration(
        [stored(12, OF_MODEL), stored(45, OF_MODEL)], [stored(14, OF_BLESSING), stored(48, TODAY)]
    )
    rollback = create_rollback_pipeline(
        name=folder.pipeline_name, root="r", serving="s", restoration=restoration, reason="why"
    )
    kinds = {type(node) for node in rollback.components}
    assert {RollbackBlessing, Pusher} <= kinds
    assert {node.id for node in rollback.components} == {"PreviousChampion", "RollbackBlessing", "Pusher"}
