"""What holds for each family of the registry."""

import inspect
import subprocess
import sys

import pytest

from models.families import FAMILIES, contract
from models.hyperparameters import Hyperparameters

LIGHT = """
import sys
import pipeline.settings.training
from models.families import FAMILIES, contract
assert all(contract.display(name) and contract.hyperparameters_class(name)() for name in FAMILIES)
heavy = {"tensorflow", "tfx", "keras", "keras_tuner", "xgboost", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""


def test_titles_can_be_part_of_a_steps_name():
    assert all(title.isidentifier() for title in FAMILIES.values())
    assert all(name.isidentifier() and name == name.lower() for name in FAMILIES)


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize("name", FAMILIES)
def test_package_provides_what_the_contract_asks_for(name):
    kind = contract.hyperparameters_class(name)
    assert issubclass(kind, Hyperparameters) and kind.LIMIT in kind.model_fields
    assert all(field.description for field in kind.model_fields.values())
    assert set(contract.display(name).curves.values()) == {"train", "eval"}
    model, tuning = contract.load_model_module(name), contract.load_tuning_module(name)
    assert isinstance(model.READS_REPEATEDLY, bool)
    assert parameters(model.fit) == parameters(contract.ModelModule.fit)
    found = parameters(contract.load_attribution_module(name).load_contributions)
    assert found == parameters(contract.AttributionModule.load_contributions)
    for function in ("search_space", "trial_score"):
        assert parameters(getattr(tuning, function)) == parameters(getattr(contract.TuningModule, function))


def test_registry_settings_and_display_load_no_machine_learning_library():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)
