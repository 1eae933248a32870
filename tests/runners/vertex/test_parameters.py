"""The parameters of a run: where each value comes from, and what a cached run must know of the data."""

import contextlib
import datetime

import pytest

import schema
from models.features import Kind
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run_parameters import RunParameters
from pipeline.warehouse.interface import Column
from runners.vertex.parameters import resolve_data, run_parameters, scheduled_parameters
from runners.vertex.settings import load_vertex_settings
from tests.runners.cloud.runs import EXAMPLE

FOLDER = DatasetFolder.load(schema.ROOT / "ga4")
SETTINGS = load_vertex_settings(EXAMPLE, {"sample_percent": 50})
NEWEST = datetime.date.today() - datetime.timedelta(days=10)  # long before today in any time zone
SETTLED = NEWEST - datetime.timedelta(days=FOLDER.dataset.windows.settle_days - 1)


class FakeWarehouse(contextlib.nullcontext):
    """Has a table for each of 400 days, and a query with the columns that the data set declares."""

    def __init__(self, changed=None):
        super().__init__(self)
        days = [NEWEST - datetime.timedelta(days=back) for back in range(400)]
        self.tables = {f"{day:%Y%m%d}": "changed" if day == changed else "as it was" for day in days}

    def source_tables(self, prefix):
        return self.tables

    def columns(self, query):
        columns = FOLDER.dataset.columns
        named = {columns.key: "STRING", columns.date: "DATE", columns.label: "INT64"}
        numbers = {Kind.NUMERIC: "FLOAT64"}
        named.update({feature.name: numbers.get(feature.kind, "STRING") for feature in FOLDER.features.features})
        return [Column(name, type_) for name, type_ in named.items()]


@pytest.fixture
def resolved(monkeypatch):
    def resolve(parameters, changed=None):
        monkeypatch.setattr("runners.vertex.parameters._open_warehouse", lambda *_: FakeWarehouse(changed))
        return resolve_data(FOLDER, SETTINGS, parameters, clients=None)

    return resolve


def test_those_of_the_command_line_go_before_those_of_the_settings():
    assert run_parameters(FOLDER, SETTINGS).values() == {
        "as_of": "latest",
        "sample_percent": 50,
        "accept_incompatible_champion": 0,
        "data_fingerprint": "",
    }
    given = ["accept_incompatible_champion=1", "as_of=2026-01-31", "sample_percent=7"]
    assert run_parameters(FOLDER, SETTINGS, given).values() == {
        "as_of": "2026-01-31",
        "sample_percent": 7,
        "accept_incompatible_champion": 1,
        "data_fingerprint": "",
    }


def test_a_scheduled_run_finds_its_own_day_whatever_the_data_set_says():
    fixed = FOLDER.up_to(datetime.date(2026, 1, 1))
    assert run_parameters(fixed, SETTINGS).values()["as_of"] == "2026-01-01"
    assert scheduled_parameters(fixed, SETTINGS).values()["as_of"] == "latest"


def test_the_newest_settled_day_and_the_state_of_the_data_are_found(resolved):
    parameters = resolved(RunParameters(sample_percent=5, accept_incompatible_champion=True))
    assert parameters.as_of == SETTLED
    assert len(parameters.data_fingerprint) == 64
    assert (parameters.sample_percent, parameters.accept_incompatible_champion) == (5, True)
    assert resolved(RunParameters(sample_percent=5)).data_fingerprint == parameters.data_fingerprint


@pytest.mark.parametrize(
    ("parameters", "changed"),
    [
        (RunParameters(), SETTLED - datetime.timedelta(days=30)),
        (RunParameters(sample_percent=5), None),
        (RunParameters(as_of=SETTLED - datetime.timedelta(days=60)), None),
    ],
)
def test_other_data_have_another_fingerprint(resolved, parameters, changed):
    assert resolved(parameters, changed).data_fingerprint != resolved(RunParameters()).data_fingerprint


def test_an_explicit_day_is_kept(resolved):
    day = SETTLED - datetime.timedelta(days=60)
    assert resolved(RunParameters(as_of=day)).as_of == day
