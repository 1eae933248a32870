import pytest

import schema
from models.config import SettingsError, load_settings, validate_settings
from pipeline.settings.dataset import Dataset
from pipeline.settings.run import RunSettings

GA4 = schema.ROOT / "ga4" / "dataset.yaml"
TABLE = {"source": {"kind": "table", "table": "t"}, "columns": {"label": "y"}, "split": {"test_percent": 20}}


@pytest.mark.parametrize("name", ["ga4", "ga360", "online_shoppers"])
def test_the_data_sets_load(name):
    assert load_settings(schema.ROOT / name / "dataset.yaml", Dataset).split.eval_percent in (10, 12)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"windows.lokback_days": 3}, "unknown key 'windows.lokback_days'; allowed here: gap_days, horizon_days"),
        ({"source.tabels": "daily"}, "unknown key 'source.tabels'; allowed here: conversion_event"),
        ({"source.kind": "ga5"}, "'ga4', 'ga360', 'table'"),
        ({"source.kind": "ga360"}, "conversion_event of ga360 must be one of: transaction, session"),
        ({"source.tables": "hourly"}, "'daily', 'intraday' or 'fresh'"),
        ({"source.time_zone": "Mars/Olympus"}, "not a time zone"),
        ({"split.eval_percent": 99}, "less than or equal to 50"),
        ({"split.test_percent": 20}, "snapshots decide the test split"),
        ({"columns.key": None}, "columns.key and columns.date are required"),
        ({"snapshots.train_dates": ["2025-01-06"]}, "both train_dates and test_dates"),
        ({"evaluation.bounds.auc": {}}, "'precision', 'recall' or 'calibration'"),
        ({"evaluation.bounds.roc_auc": {"min_change": 0}}, "unknown key 'evaluation.bounds.roc_auc.min_change'"),
        (
            {"gate": {"metric": "log_loss"}},
            "set margin as well: its default is for roc_auc, and the metric is log_loss",
        ),
        ({"gate.margin": 0}, "greater than 0"),
        ({"training.families": ["keras", "keras"]}, "name each family once"),
        ({"training.tuning": {"search": "random", "hyperparameters": {"keras": "x"}}}, "not both"),
        ({"data_gate.severity": "fatal"}, "'error', 'warning' or 'none'"),
    ],
)
def test_errors_name_the_key_and_the_allowed_values(overrides, message):
    with pytest.raises(SettingsError) as error:
        load_settings(GA4, Dataset, overrides)
    assert str(GA4) in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"windows": {"lookback_days": 30}}, "'windows' is for events"),
        ({"split": {}}, "split.test_percent is required"),
        ({"split": {"test_percent": 20, "test_from": "2025-01-01"}}, "needs columns.date"),
        ({"columns": {"label": "y", "date": "d"}, "split": {}}, "either split.test_from or split.test_percent"),
        ({"columns": {"label": "drop table; --"}}, "columns.label"),
        ({"columns": {"label": "y", "key": "Y"}}, "columns.key and columns.label are both named 'Y'"),
        ({"columns": {"label": "Split"}}, "columns.label: the name 'Split' is reserved"),
        ({"columns": {"label": "_PARTITIONDATE"}}, "columns.label: the name '_PARTITIONDATE' is reserved"),
        ({"source": {"kind": "table", "table": "t", "date_order": "dym"}}, "'dmy', 'mdy' or 'ymd'"),
        ({"source": {"kind": "table", "table": "a`b"}}, "source.table"),
    ],
)
def test_the_settings_of_a_table_are_checked(change, message):
    with pytest.raises(SettingsError, match=message):
        validate_settings({**TABLE, **change}, Dataset, origin="dataset.yaml")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"warehouse": {"engine": "duckdb"}, "example_gen": "stock"}, "reads BigQuery only"),
        ({"warehouse": {"engine": "snowflake"}}, "'duckdb', 'bigquery'"),
        ({"warehouse": {"engine": "bigquery", "project": "p;x"}}, "warehouse.project"),
        ({"warehouse": {"engine": "duckdb", "memory_limit": "lots"}}, "warehouse.memory_limit"),
    ],
)
def test_run_settings_are_checked(document, message):
    with pytest.raises(SettingsError) as error:
        validate_settings(document, RunSettings, origin="local.yaml")
    assert message in str(error.value)
