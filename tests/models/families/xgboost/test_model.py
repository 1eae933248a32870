import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import xgboost as xgb

from models.config import SettingsError
from models.export import ExportMismatchError
from models.families.xgboost import model
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.model import BOOSTER_FILE, run_fn
from models.families.xgboost.training import predict
from models.features import FeatureSet
from pipeline.examples.transformed import read_training_data


def changed(arguments, **others):
    return types.SimpleNamespace(**(vars(arguments) | others))


def with_hyperparameters(arguments, **values):
    return changed(arguments, custom_config=arguments.custom_config | {"hyperparameters": values})


def booster_of(arguments):
    booster = xgb.Booster()
    booster.load_model(str(Path(arguments.serving_model_dir, BOOSTER_FILE)))
    return booster


def used_settings(arguments, monkeypatch):
    """The hyperparameters with which run_fn trains."""
    used = []

    def stop(*positional):
        used.append(positional[3])
        raise InterruptedError

    monkeypatch.setattr(model, "train", stop)
    with pytest.raises(InterruptedError):
        run_fn(arguments)
    return used[0]


def test_run_fn_writes_a_model_a_booster_and_curves(trainer_arguments):
    run_fn(trainer_arguments)
    served = tf.saved_model.load(trainer_arguments.serving_model_dir).signatures["predict"]
    probability = served(a=tf.constant([0.1, np.nan]), country=tf.constant(["de", ""]))["probability"]
    assert probability.shape == (2, 1)
    assert ((probability > 0) & (probability < 1)).numpy().all()
    assert tf.io.gfile.glob(trainer_arguments.model_run_dir + "/events.out.tfevents.*")

    features = FeatureSet.from_config(trainer_arguments.custom_config["features"])
    output = tft.TFTransformOutput(trainer_arguments.transform_output)
    data = read_training_data(trainer_arguments.eval_files, trainer_arguments.data_accessor, output, features, "bought")
    saved = tf.saved_model.load(trainer_arguments.serving_model_dir)
    in_booster = predict(booster_of(trainer_arguments), data, features)
    assert np.abs(saved.score(data.by_feature(features)).numpy() - in_booster).max() < 1e-6


def test_both_formats_give_the_same_booster(trainer_arguments, parquet_arguments):
    boosters = []
    for arguments in (trainer_arguments, parquet_arguments):
        run_fn(arguments)
        boosters.append(Path(arguments.serving_model_dir, BOOSTER_FILE).read_bytes())
    assert boosters[0] == boosters[1]


def test_a_graph_that_differs_from_the_booster_stops_the_run(trainer_arguments, monkeypatch):
    class Shifted(model.TreeGraph):
        def __call__(self, inputs):
            return super().__call__(inputs) + 1e-3

    monkeypatch.setattr(model, "TreeGraph", Shifted)
    with pytest.raises(ExportMismatchError, match=r"by up to 0\.001 on 600 eval rows"):
        run_fn(trainer_arguments)
    assert not Path(trainer_arguments.serving_model_dir).exists()


def test_train_steps_bound_the_rounds(trainer_arguments, monkeypatch):
    assert used_settings(trainer_arguments, monkeypatch).max_rounds == 40
    assert used_settings(changed(trainer_arguments, train_steps=None), monkeypatch) == Hyperparameters()
    few = with_hyperparameters(trainer_arguments, max_rounds=7)
    assert used_settings(few, monkeypatch).max_rounds == 7


def test_hyperparameters_of_the_tuner_override_those_of_the_data_set(trainer_arguments, monkeypatch):
    arguments = with_hyperparameters(trainer_arguments, max_depth=3, gamma=0.5)
    tuned = {"space": [], "values": {"max_depth": 9, "reg_lambda": 2.5}}
    settings = used_settings(changed(arguments, hyperparameters=tuned), monkeypatch)
    assert (settings.max_depth, settings.gamma, settings.reg_lambda) == (9, 0.5, 2.5)


def test_run_fn_names_a_misspelt_hyperparameter(trainer_arguments):
    with pytest.raises(SettingsError, match="unknown key 'depth'"):
        run_fn(with_hyperparameters(trainer_arguments, depth=4))
