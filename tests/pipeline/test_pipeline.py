"""The DAG: what depends on what."""

import pytest

import schema
from models.config import validate_settings
from pipeline.components.curated_schema import CuratedSchema
from pipeline.dataset_folder import DatasetFolder
from pipeline.pipeline import create_pipeline
from pipeline.run_settings import RunSettings


def components(overrides=None, **run):
    folder = DatasetFolder.load(schema.ROOT / "ga4", overrides)
    settings = validate_settings(
        {"warehouse": {"engine": "duckdb"}, "data": "events", **run}, RunSettings, origin="local.yaml"
    )
    pipeline = create_pipeline(
        name="p", root="root", serving="serving", folder=folder, run=settings, data_fingerprint="f"
    )
    return {component.id: component for component in pipeline.components}


@pytest.fixture(scope="module")
def dag():
    return components()


def upstream(component):
    """All nodes that must end before a component begins."""
    found = set(component.upstream_nodes)
    for node in component.upstream_nodes:
        found |= upstream(node)
    return found


def test_nothing_is_trained_before_the_data_gate(dag):
    assert dag["DataGate"] in upstream(dag["Transform"])
    assert dag["DataGate"] in upstream(dag["TrainKeras"])
    assert dag["DataGate"] in upstream(dag["TrainXGBoost"])


def test_nothing_is_pushed_that_was_not_checked_and_judged_against_the_champion(dag):
    assert {dag["Evaluator"], dag["InfraCheck"]} <= dag["Pusher"].upstream_nodes
    assert {dag["Champion"], dag["InfraCheck"]} <= dag["Evaluator"].upstream_nodes
    assert dag["Champion"] in dag["DataGate"].upstream_nodes
    assert dag["Champion"] in dag["SelectModel"].upstream_nodes, "or a challenger might be older than the champion"


def test_what_is_checked_judged_and_pushed_is_one_model(dag):
    models = {node: dag[node].inputs["model"] for node in ("InfraCheck", "Evaluator", "Pusher", "Report")}
    assert set(models.values()) == {dag["SelectModel"].outputs["model"]}


def test_both_families_share_transform_graph_and_examples(dag):
    for name in ("examples", "transform_graph", "raw_examples"):
        assert dag["TrainKeras"].inputs[name] == dag["TrainXGBoost"].inputs[name]


def test_the_test_split_is_read_by_the_evaluator_only(dag):
    assert dag["Evaluator"].exec_properties["example_splits"] == '["test"]'
    assert '"test"' not in dag["Transform"].exec_properties["splits_config"]


@pytest.mark.parametrize(
    "node",
    [
        "BigQueryExampleGen",
        "DataGate",
        "Transform",
        "TrainKeras",
        "TrainXGBoost",
        "SelectModel",
        "InfraCheck",
        "Evaluator",
        "Report",
    ],
)
def test_our_code_is_part_of_the_cache_key(dag, monkeypatch, node):
    monkeypatch.setattr("pipeline.pipeline.code_digest", lambda *modules: "another")
    monkeypatch.setattr("pipeline.families.code_digest", lambda *modules: "another")
    assert str(components()[node].exec_properties) != str(dag[node].exec_properties)


def test_one_family_alone():
    nodes = components({"training.families": ["xgboost"]})
    assert "TrainKeras" not in nodes
    assert nodes["TrainXGBoost"] in nodes["SelectModel"].upstream_nodes


def test_hyperparameters_are_those_of_the_settings_of_a_search_or_of_an_earlier_run(dag):
    assert not [node for node in dag if node.startswith(("Tune", "Import"))]
    searched = components({"training.tuning.search": "random"})
    for family in ("Keras", "XGBoost"):
        assert searched[f"Tune{family}"] in searched[f"Train{family}"].upstream_nodes
        assert searched["DataGate"] in upstream(searched[f"Tune{family}"])
    imported = components({"training.tuning.hyperparameters": {"xgboost": "earlier/best_hyperparameters/17"}})
    assert imported["ImportXGBoostHyperparameters"] in imported["TrainXGBoost"].upstream_nodes
    assert "ImportKerasHyperparameters" not in imported


def test_the_schema_is_inferred_where_the_settings_say_so():
    assert "SchemaGen" in components(schema_source="inferred")
    assert "CuratedSchema" not in components(schema_source="inferred")


def test_an_edit_of_the_curated_schema_changes_its_cache_key(tmp_path):
    path = tmp_path / "schema.pbtxt"
    path.write_text('feature { name: "a" type: FLOAT }')
    before = CuratedSchema(schema_file=path).exec_properties
    path.write_text('feature { name: "a" type: INT }')
    after = CuratedSchema(schema_file=path).exec_properties
    assert before["schema_file"] == after["schema_file"]
    assert before != after
