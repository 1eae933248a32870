import dataclasses
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from models.attributions import AttributionMismatchError
from models.config import SettingsError
from models.export import ExportMismatchError
from models.families import FAMILIES
from models.families.contract import display, load_model_module
from models.families.xgboost.hyperparameters import Hyperparameters
from models.features import FeatureSet
from pipeline.examples.transformed import read_training_data
from pipeline.report.curves import read_curves
from pipeline.training import arguments, run_fn


def changed(given, **others):
    return types.SimpleNamespace(**(vars(given) | others))


def of_family(given, family, **hyperparameters):
    config = given.custom_config | {"family": family, "hyperparameters": hyperparameters}
    return changed(given, custom_config=config)


def read_eval(given):
    features = FeatureSet.from_config(given.custom_config["features"])
    output = tft.TFTransformOutput(given.transform_output)
    return features, read_training_data(given.eval_files, given.data_accessor, output, features, "bought")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_its_files_and_curves_are_written(trainer_arguments, family, monkeypatch):
    fitted, fit = [], load_model_module(family).fit
    monkeypatch.setattr(load_model_module(family), "fit", lambda *given: fitted.append(fit(*given)) or fitted[0])
    given = of_family(trainer_arguments, family)
    run_fn.run_fn(given)
    saved = tf.saved_model.load(given.serving_model_dir)
    probability = saved.signatures["predict"](a=tf.constant([0.1, np.nan]), country=tf.constant(["de", ""]))
    assert probability["probability"].shape == (2, 1)
    assert ((probability["probability"] > 0) & (probability["probability"] < 1)).numpy().all()

    features, data = read_eval(given)
    difference = saved.score(data.by_feature(features)).numpy() - fitted[0].predict(data)
    assert np.abs(difference).max() < 1e-6
    for name, content in fitted[0].files.items():
        assert Path(given.serving_model_dir, name).read_bytes() == content
    assert {split for tag, split in display(family).curves.items() if tag in read_curves(given.model_run_dir)} == {
        "train",
        "eval",
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_both_formats_give_the_same_model(trainer_arguments, parquet_arguments, family):
    scores = []
    for given in (trainer_arguments, parquet_arguments):
        run_fn.run_fn(of_family(given, family))
        model = tf.saved_model.load(given.serving_model_dir)
        scores.append(model.score({"a": np.float32([0.1, np.nan, 1]), "country": [0, 1, 3]}).numpy())
    assert np.ptp(scores[0]) > 0
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_graph_that_differs_from_the_trained_model_stops_the_run(trainer_arguments, family, monkeypatch):
    module = load_model_module(family)
    fit = module.fit

    def shifted(*given):
        model = fit(*given)
        return dataclasses.replace(model, predict=lambda data: model.predict(data) + 1e-3)

    monkeypatch.setattr(module, "fit", shifted)
    with pytest.raises(ExportMismatchError, match=r"by up to 0\.001 on 600 eval rows"):
        run_fn.run_fn(of_family(trainer_arguments, family))
    assert not Path(trainer_arguments.serving_model_dir).exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_contributions_that_do_not_add_up_stop_the_run(trainer_arguments, family, monkeypatch):
    module = load_model_module(family)
    fit = module.fit

    def shifted(*given):
        model = fit(*given)
        moved = dataclasses.replace(model.attributions, baseline=model.attributions.baseline + 0.01)
        return dataclasses.replace(model, attributions=moved)

    monkeypatch.setattr(module, "fit", shifted)
    with pytest.raises(AttributionMismatchError, match=r"log odds by up to 0\.0\d+ on 600 eval rows; at most 1e-04"):
        run_fn.run_fn(of_family(trainer_arguments, family))
    assert not Path(trainer_arguments.serving_model_dir).exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_misspelt_hyperparameter_is_named(trainer_arguments, family):
    with pytest.raises(SettingsError, match="unknown key 'sede'"):
        run_fn.run_fn(of_family(trainer_arguments, family, sede=4))


def test_an_unknown_family_is_named(trainer_arguments):
    with pytest.raises(ValueError, match="no model family 'forest'; the families are keras, xgboost"):
        run_fn.run_fn(of_family(trainer_arguments, "forest"))


def test_hyperparameters_of_the_tuner_override_those_of_the_data_set(trainer_arguments):
    tuned = {"space": [], "values": {"max_depth": 9, "reg_lambda": 2.5}}
    given = changed(of_family(trainer_arguments, "xgboost", max_depth=3, gamma=0.5), hyperparameters=tuned)
    settings = arguments.read_arguments(given).settings
    assert settings == Hyperparameters(max_depth=9, gamma=0.5, reg_lambda=2.5, max_rounds=trainer_arguments.train_steps)


def test_arguments_survive_the_way_through_a_component(trainer_arguments):
    features = FeatureSet.from_config(trainer_arguments.custom_config["features"])
    settings = Hyperparameters(max_depth=3)
    config = arguments.config("xgboost", features, "bought", settings)
    read = arguments.read_arguments(changed(trainer_arguments, custom_config=config, train_steps=None))
    assert read == arguments.Arguments("xgboost", features, "bought", settings)
