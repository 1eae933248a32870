"""The DAG: what depends on what."""

import pytest

import schema
from models.config import validate_settings
from pipeline.components.curated_schema import CuratedSchema
from pipeline.dataset_folder import DatasetFolder
from pipeline.pipeline import create_pipeline
from pipeline.run_settings import RunSettings


def components(**run):
    folder = DatasetFolder.load(schema.ROOT / "ga4")
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


def test_nothing_is_pushed_that_was_not_evaluated_against_the_champion(dag):
    assert dag["Evaluator"] in dag["Pusher"].upstream_nodes
    assert dag["Champion"] in dag["Evaluator"].upstream_nodes
    assert dag["Champion"] in dag["DataGate"].upstream_nodes


def test_the_test_split_is_read_by_the_evaluator_only(dag):
    assert dag["Evaluator"].exec_properties["example_splits"] == '["test"]'
    assert '"test"' not in dag["Transform"].exec_properties["splits_config"]


@pytest.mark.parametrize("node", ["BigQueryExampleGen", "DataGate", "Transform", "TrainKeras"])
def test_our_code_is_part_of_the_cache_key(dag, monkeypatch, node):
    monkeypatch.setattr("pipeline.pipeline.code_digest", lambda *modules: "another")
    assert str(components()[node].exec_properties) != str(dag[node].exec_properties)


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
