import json

import keras_tuner
import pytest

from models.config import SettingsError
from models.families.keras.hyperparameters import Hyperparameters as KerasHyperparameters
from models.families.xgboost.hyperparameters import Hyperparameters as XGBoostHyperparameters


def config_of(**values):
    """What the Tuner leaves for the Trainer."""
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values = values
    return json.loads(json.dumps(hyperparameters.get_config()))


def test_tuned_values_replace_those_of_the_settings():
    settings = XGBoostHyperparameters(max_depth=8, subsample=0.5)
    expected = XGBoostHyperparameters(max_depth=3, learning_rate=0.2, subsample=0.5)
    assert settings.tuned(config_of(max_depth=3, learning_rate=0.2)) == expected


def test_untuned_settings_stay():
    settings = KerasHyperparameters(dropout=0.2)
    assert settings.tuned(None) == settings


def test_another_familys_hyperparameters_are_refused():
    with pytest.raises(SettingsError, match="tuned hyperparameters: unknown key 'max_depth'"):
        KerasHyperparameters().tuned(config_of(max_depth=3))


@pytest.mark.parametrize("steps, limit", [(None, 300), (0, 300), (40, 40), (1000, 300)])
def test_steps_limit_a_training(steps, limit):
    assert KerasHyperparameters(max_steps=300).limited_to(steps).max_steps == limit
    assert XGBoostHyperparameters(max_rounds=300).limited_to(steps).max_rounds == limit
