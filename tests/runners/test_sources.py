"""What DATA= names, and the command that runs on it."""

from pathlib import Path

import pytest
import yaml

from models.config import SettingsError, load_settings
from pipeline.settings.run import RunSettings
from runners import sources
from runners.sources import DEFAULT_SETTINGS, find_source

BIGQUERY = {
    "engine": "bigquery",
    "project": "payer-project",
    "location": "EU",
    "source": "shop-project.sales",
    "features_dataset": "features",
}


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "bigquery.yaml"
    path.write_text(yaml.safe_dump({"warehouse": BIGQUERY, "output": "out"}))
    return path


@pytest.mark.parametrize(
    ("name", "table", "is_text"),
    [
        ("My customers (1).csv", "My_customers_1", True),
        ("고객.tsv", "made", True),
        ("2024.csv", "made", True),
        ("deals.parquet", "deals", False),
        ("orders.csv.gz", "orders", True),
    ],
)
def test_files(tmp_path, name, table, is_text):
    path = tmp_path / name
    path.write_bytes(b"x")
    source = find_source(str(path), DEFAULT_SETTINGS, "made")
    assert (source.table, source.is_text, source.is_export) == (table, is_text, False)
    assert source.run.warehouse.memory_limit == sources.PROFILING_MEMORY
    assert source.settings_text is None


def test_folders(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-0.parquet").write_bytes(b"x")
    assert find_source(str(tmp_path / "parts"), DEFAULT_SETTINGS, "made").table == "parts"
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "events_20250101.parquet").write_bytes(b"x")
    assert find_source(str(tmp_path / "events"), DEFAULT_SETTINGS, "made").is_export


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("data.csv", "make run DATASET=made DATA=data.csv"),
        ("it's my data.csv", "make run DATASET=made DATA='it'\"'\"'s my data.csv'"),
        ("cost in $.csv", "make run DATASET=made DATA='cost in $$.csv'"),
    ],
)
def test_the_next_command_quotes_what_a_shell_and_make_would_read(tmp_path, monkeypatch, path, command):
    settings = DEFAULT_SETTINGS.absolute()
    monkeypatch.chdir(tmp_path)
    Path("runners").mkdir()
    DEFAULT_SETTINGS.write_bytes(settings.read_bytes())
    Path(path).write_text("x")
    assert find_source(path, DEFAULT_SETTINGS, "made").next_command("made", Path("schema/made")) == command


@pytest.mark.parametrize("data", ["shop-project.sales.customers", "customers"])
def test_a_table_where_the_settings_point_to(settings, data):
    source = find_source(data, settings, "made")
    assert (source.table, source.is_text, source.settings_text) == ("customers", False, None)
    assert source.shown == "shop-project.sales.customers"
    assert source.next_command("made", Path("schema/made")) == f"make run DATASET=made SETTINGS={settings}"


def test_a_table_elsewhere_gets_settings_of_its_own(settings, tmp_path):
    source = find_source("shop-project.crm.leads", settings, "made")
    assert source.run.warehouse.source == "shop-project.crm"
    assert source.next_command("made", Path("schema/made")) == "make run DATASET=made SETTINGS=schema/made/run.yaml"
    (tmp_path / "run.yaml").write_text(source.settings_text)
    run = load_settings(tmp_path / "run.yaml", RunSettings)
    assert run.warehouse.model_dump() == {**source.run.warehouse.model_dump()}
    assert (run.warehouse.project, run.warehouse.features_dataset, str(run.output)) == (
        "payer-project",
        "features",
        "out",
    )


def test_a_table_without_settings_for_bigquery(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "_location", lambda project, dataset: "europe-west3")
    source = find_source("shop-project.sales.customers", DEFAULT_SETTINGS, "made")
    (tmp_path / "run.yaml").write_text(source.settings_text)
    run = load_settings(tmp_path / "run.yaml", RunSettings)
    assert (run.warehouse.project, run.warehouse.location) == ("shop-project", "europe-west3")
    assert run.beam_args == load_settings(DEFAULT_SETTINGS, RunSettings).beam_args
    assert "Features tables are made in the data set `warehouse.features_dataset`" in source.settings_text


def test_a_data_set_is_an_export(settings):
    source = find_source("shop-project.analytics_123", settings, "made")
    assert source.is_export
    assert source.run.warehouse.source == "shop-project.analytics_123"


def test_tables_that_a_query_cannot_name(settings):
    with pytest.raises(SettingsError, match="a wildcard is not one table"):
        find_source("shop-project.sales.orders_*", settings, "made")
    with pytest.raises(SettingsError, match="make a view"):
        find_source("shop-project.sales.my-table", settings, "made")
