"""The DAG: what depends on what."""

import json

import pytest

import schema
from models.config import validate_settings
from models.families import FAMILIES
from pipeline.components.curated_schema import CuratedSchema
from pipeline.pipeline import create_pipeline
from pipeline.rollback import Restoration, create_rollback_pipeline
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters


def whole_pipeline(overrides=None, **run):
    folder = DatasetFolder.load(schema.ROOT / "ga4", overrides)
    settings = validate_settings(
        {"warehouse": {"engine": "duckdb"}, "data": "events", **run}, RunSettings, origin="local.yaml"
    )
    return create_pipeline(
        name="p", root="root", serving="serving", folder=folder, run=settings, parameters=RunParameters()
    )


def components(overrides=None, **run):
    return {component.id: component for component in whole_pipeline(overrides, **run).components}


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


@pytest.mark.parametrize("family", FAMILIES)
def test_one_family_alone(family):
    nodes = components({"training.families": [family]})
    assert [name for name in nodes if name.startswith("Train")] == [f"Train{FAMILIES[family]}"]
    for step in ("SelectModel", "Report"):
        assert nodes[f"Train{FAMILIES[family]}"] in nodes[step].upstream_nodes


def test_every_family_that_is_known_but_not_named_stays_untrained(dag):
    assert {name for name in dag if name.startswith("Train")} == {"TrainKeras", "TrainXGBoost"}


def test_hyperparameters_are_those_of_the_settings_of_a_search_or_of_an_earlier_run(dag):
    assert not [node for node in dag if node.startswith(("Tune", "Import"))]
    searched = components({"training.tuning.search": "random", "training.families": list(FAMILIES)})
    for family in FAMILIES.values():
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
    assert CuratedSchema(schema_file=path).exec_properties != before


@pytest.mark.parametrize("kind", ["as it is", "with a search", "rollback"])
def test_it_compiles_for_vertex(kind, tmp_path):
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    if kind == "rollback":
        restoration = Restoration(
            model_id=1,
            uri="gs://bucket/model",
            properties={"family": "keras"},
            previous="",
            anchor_replaced=True,
            withdrawn_id=2,
        )
        compiled = create_rollback_pipeline(
            name="p", root="root", serving="serving", restoration=restoration, reason="why"
        )
    else:
        compiled = whole_pipeline({"training.tuning.search": "random"} if kind == "with a search" else {})
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image="image", use_pipeline_spec_2_1=True)
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(config, str(tmp_path), "job.json")
    runner.run(compiled)
    tasks = json.loads((tmp_path / "job.json").read_text())["pipelineSpec"]["root"]["dag"]["tasks"]
    # The one Resolver becomes two tasks, by which the champion's blessing can be read as well as the champion.
    expected = {component.id for component in compiled.components} - {"Champion"}
    assert set(tasks) - expected == (
        set() if kind == "rollback" else {"Champion-model-blessing-resolver", "Champion-model-resolver"}
    )
    assert expected <= set(tasks)
