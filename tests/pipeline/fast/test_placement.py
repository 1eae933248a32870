"""Where a component's work is done, and by which executors."""

import logging

import pytest

from models.config import SettingsError, validate_settings
from pipeline.fast import compat, placement
from pipeline.fast.placement import Executors, Place
from pipeline.settings.run import RunSettings

LOCAL = ("--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", "--direct_running_mode=in_memory")


@pytest.mark.parametrize(
    ("beam_args", "rows", "place"),
    [
        (LOCAL, 1000, Place.IN_PROCESS),
        ((), 5_000_000, Place.IN_PROCESS),
        ((), 5_000_001, Place.BEAM),
        (("--in_process_rows=10",), 10, Place.IN_PROCESS),
        (("--in_process_rows=10",), 11, Place.BEAM),
        (("--in_process_rows=0",), 1, Place.BEAM),
        (LOCAL, None, Place.BEAM),
        (("--runner=DataflowRunner",), 10, Place.BEAM),
        (("--runner=FlinkRunner",), 10, Place.BEAM),
        ((LOCAL[0], "--direct_running_mode=multi_processing", "--direct_num_workers=2"), 10, Place.BEAM),
    ],
)
def test_small_data_stay_in_the_process_unless_a_runner_has_workers(beam_args, rows, place):
    before = placement.taken["Step", place]
    assert placement.choose("Step", beam_args, rows) is place
    assert placement.taken["Step", place] == before + 1


def run_settings(**changes):
    return validate_settings({"warehouse": {"engine": "duckdb"}, **changes}, RunSettings, origin="local.yaml")


@pytest.mark.parametrize(
    ("changes", "executors"),
    [
        ({}, Executors(batched=True, example_format="parquet")),
        ({"example_format": "tfrecord"}, Executors(batched=True, example_format="tfrecord")),
        ({"executors": "stock"}, Executors(batched=False, example_format="tfrecord")),
    ],
)
def test_settings_choose_executors_and_format(changes, executors):
    assert placement.executors(run_settings(**changes)) == executors


def test_stock_executors_cannot_have_parquet():
    with pytest.raises(SettingsError, match=r"executors 'stock' works on .*must be 'tfrecord'"):
        run_settings(executors="stock", example_format="parquet")


def test_installed_versions_are_tested_ones():
    assert compat.untested_versions() == ""


def test_other_versions_get_stock_executors_and_a_warning(monkeypatch, caplog):
    monkeypatch.setitem(compat.TESTED_VERSIONS, "tensorflow-transform", ("1.0",))
    with caplog.at_level(logging.WARNING, "propensity"):
        chosen = placement.executors(run_settings(example_format="parquet"))
    assert chosen == Executors(batched=False, example_format="tfrecord")
    assert "tensorflow-transform 1." in caplog.text and "(tested: 1.0)" in caplog.text
