"""The stock executor's input: on the same features table it gives the examples that our executor writes."""

import json

import duckdb
import pyarrow as pa
import pytest
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.utils import proto_utils

import schema
from models.config import validate_settings
from pipeline.components import stock_example_gen
from pipeline.components.stock_example_gen import StockInput, split_queries
from pipeline.pipeline import create_pipeline
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings, RunSettings
from pipeline.settings.run_parameters import RunParameters
from pipeline.warehouse.bigquery.engine import BigQueryWarehouse
from pipeline.warehouse.dialect import to_duckdb
from pipeline.warehouse.extraction import Extraction
from pipeline.warehouse.interface import Query

RUN = validate_settings(
    {
        "warehouse": {
            "engine": "bigquery",
            "project": "some-project",
            "location": "EU",
            "source": "some-project.analytics_1",
            "features_dataset": "propensity",
        },
        "example_gen": "stock",
    },
    RunSettings,
    origin="test",
)


@pytest.fixture
def extraction():
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    return Extraction(folder, None, Query("SELECT 1"), "0123456789abcdef", {"by": "key"})


def test_the_queries_have_literals_only_and_name_the_table_in_full(extraction):
    assert isinstance(RUN.warehouse, BigQuerySettings)
    warehouse = BigQueryWarehouse(RUN.warehouse, extraction.folder.dataset.source)
    warehouse._tables.add(extraction.table)
    for split, query in split_queries(extraction).items():
        text = warehouse.text(query)
        assert "@" not in text
        assert f"t.split = '{split}'" in text
        assert f"`some-project`.`propensity`.`{extraction.table}`" in text or (
            f"`some-project.propensity.{extraction.table}`" in text
        )


def test_values_are_those_of_our_executor(extraction):
    features = extraction.folder.features
    values = {name: "CAST(NULL AS DOUBLE)" for name in (f.name for f in features.numeric)}
    values |= {name: "CAST(NULL AS VARCHAR)" for name in (f.name for f in features.categorical)}
    values |= {"recency_days": "CAST('nan' AS DOUBLE)", "unit": "'u'", "converted": "1", "split": "'eval'"}
    values |= {"snapshot_date": "DATE '2025-11-03'"}
    connection = duckdb.connect()
    selected = ", ".join(f"{value} AS {name}" for name, value in values.items())
    connection.execute(f"CREATE TABLE {extraction.table} AS SELECT {selected}")
    found = {}
    for split, query in split_queries(extraction).items():
        statement = to_duckdb(query, lambda name: (name,))
        result = connection.execute(statement.sql)
        rows = result.fetchall()
        assert len(rows) == (split == "eval")
        found.update(zip([column[0] for column in result.description], *rows, strict=True) if rows else {})
    assert found["snapshot_date"] == "2025-11-03"
    assert found["recency_days"] is None, "NaN is missing"
    assert found["sessions_1_7"] == 0.0, "policy zero"
    assert found["device_category"] == "(not set)", "a slice feature is never missing"
    assert found["browser"] is None
    assert "user_pseudo_id" not in found
    assert pa.infer_type([found["sessions_1_7"]]) == pa.float64()


def test_the_pipeline_has_the_stock_executor_with_a_query_for_each_split(extraction):
    stock = StockInput({"train": "SELECT 1", "eval": "SELECT 2", "test": "SELECT 3"}, {"warnings": []})
    pipeline = create_pipeline(
        name="p", root="r", serving="s", folder=extraction.folder, run=RUN, parameters=RunParameters(), stock=stock
    )
    [component] = [c for c in pipeline.components if c.id == "BigQueryExampleGen"]
    assert isinstance(component.executor_spec, executor_spec.BeamExecutorSpec)
    config = component.exec_properties[standard_component_specs.INPUT_CONFIG_KEY]
    assert [(s["name"], s["pattern"]) for s in json.loads(config)["splits"]] == list(stock.queries.items())


def test_the_report_is_put_beside_the_splits(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        stock_example_gen.executor.Executor, "Do", lambda self, inputs, outputs, properties: seen.update(properties)
    )
    examples = standard_artifacts.Examples()
    examples.uri = str(tmp_path)
    config = StockInput({}, {"rows": 3, "warnings": []}).custom_config()
    properties = {standard_component_specs.CUSTOM_CONFIG_KEY: proto_utils.proto_to_json(config), "other": 1}
    stock_example_gen.Executor().Do({}, {"examples": [examples]}, properties)
    assert seen == {"other": 1}, "the stock executor would take our configuration for options of Beam's source"
    assert json.loads((tmp_path / "data_report.json").read_text())["rows"] == 3
