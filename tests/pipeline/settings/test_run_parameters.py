"""Values of one run, and what components take of them."""

import datetime

import pytest

from models.config import SettingsError, validate_settings
from pipeline.settings.run_parameters import RunParameters


def test_values_are_texts_and_integers():
    given = RunParameters(as_of=datetime.date(2025, 11, 3), sample_percent=10, accept_incompatible_champion=True)
    assert given.values() == {
        "as_of": "2025-11-03",
        "sample_percent": 10,
        "accept_incompatible_champion": 1,
        "data_fingerprint": "",
    }
    assert RunParameters.model_validate(given.values()) == given


def test_components_take_values_or_runtime_parameters_of_the_same_names_and_types():
    given = RunParameters()
    assert given.properties(at_run_time=False) == given.values()
    at_run_time = given.properties(at_run_time=True)
    assert {name: (parameter.name, parameter.ptype) for name, parameter in at_run_time.items()} == {
        name: (name, type(value)) for name, value in given.values().items()
    }


@pytest.mark.parametrize(
    "name, value",
    [("as_of", "yesterday"), ("as_of", ""), ("sample_percent", 0), ("sample_percent", 101), ("as_off", "latest")],
)
def test_a_value_that_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(SettingsError, match=name):
        validate_settings({name: value}, RunParameters, origin="parameters")
