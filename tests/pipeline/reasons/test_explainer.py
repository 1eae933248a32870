import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.attributions import TOLERANCE, rounding
from models.description import DESCRIPTION_FILE, read_description
from models.families import FAMILIES
from models.features import FeatureSet
from pipeline.reasons.explainer import ReasonsUnavailableError, load_explainer
from pipeline.training import run_fn

RAW = {
    "a": np.float32([0.1, np.nan, 1, -3, 0.1]),
    "country": np.array([b"de", b"", b"fr", b"nowhere", b"de"], object),
}


@pytest.fixture(params=FAMILIES)
def trained(request, trainer_arguments):
    """The folder of a trained model."""
    config = trainer_arguments.custom_config | {"family": request.param, "hyperparameters": {}}
    run_fn.run_fn(types.SimpleNamespace(**(vars(trainer_arguments) | {"custom_config": config})))
    return trainer_arguments.serving_model_dir


def test_contributions_and_baseline_add_up_to_the_models_log_odds(trained):
    explainer = load_explainer(trained)
    assert explainer.features == ("a", "country")
    assert explainer.method.endswith(".") and np.isfinite(explainer.baseline)
    contributions, margins = explainer.contributions(RAW), explainer.margins(RAW)
    assert contributions.shape == (5, 2) and contributions.dtype == np.float32 and np.ptp(contributions) > 0
    probability = tf.saved_model.load(trained).signatures["predict"](**{k: tf.constant(v) for k, v in RAW.items()})
    probability = probability["probability"].numpy()[:, 0]
    np.testing.assert_allclose(1 / (1 + np.exp(-margins)), probability, atol=1e-7)
    error = np.abs(explainer.baseline + contributions.sum(axis=1, dtype=np.float64) - margins)
    assert (error <= TOLERANCE + 8 * rounding(probability)).all()
    np.testing.assert_array_equal(contributions[0], contributions[4])


def test_features_are_in_the_order_of_features_yaml(trainer_arguments):
    given = trainer_arguments.custom_config
    features = FeatureSet.from_config(given["features"][::-1])
    config = given | {"family": "xgboost", "hyperparameters": {}, "features": features.to_config()}
    run_fn.run_fn(types.SimpleNamespace(**(vars(trainer_arguments) | {"custom_config": config})))
    explainer = load_explainer(trainer_arguments.serving_model_dir)
    assert explainer.features == ("country", "a")
    only_a_differs = {"a": np.float32([-1, 1]), "country": np.array([b"de", b"de"], object)}
    country, a = np.ptp(explainer.contributions(only_a_differs), axis=0)
    assert a > country


def test_rows_in_several_calls_equal_rows_in_one(trained, monkeypatch):
    explainer = load_explainer(trained)
    contributions, margins = explainer.contributions(RAW), explainer.margins(RAW)
    monkeypatch.setattr("pipeline.reasons.explainer._ROWS_PER_CALL", 2)
    np.testing.assert_allclose(explainer.contributions(RAW), contributions, atol=1e-6)
    np.testing.assert_allclose(explainer.margins(RAW), margins, atol=1e-5)


def test_no_rows(trained):
    explainer = load_explainer(trained)
    none = {name: values[:0] for name, values in RAW.items()}
    assert explainer.contributions(none).shape == (0, 2) and explainer.margins(none).shape == (0,)


def test_the_description_says_what_the_model_is(trained):
    found = read_description(trained)
    assert found.family in FAMILIES and found.features.names == ("a", "country")
    assert [feature.kind.value for feature in found.features.features] == ["numeric", "categorical"]
    assert read_description(str(Path(trained).parent)) is None
    Path(trained, DESCRIPTION_FILE).write_text("{}")
    with pytest.raises(ValueError, match=r"model\.json: not the description of a model"):
        read_description(trained)


def test_a_model_of_an_earlier_version_cannot_give_reasons_but_scores(trained):
    Path(trained, DESCRIPTION_FILE).unlink()
    with pytest.raises(ReasonsUnavailableError, match=r"cannot give reasons: .* train and push a new model, or set"):
        load_explainer(trained)
    signature = tf.saved_model.load(trained).signatures["predict"]
    assert signature(**{name: tf.constant(values) for name, values in RAW.items()})["probability"].shape == (5, 1)


WITHOUT_TRAINING = """
import sys
sys.modules |= dict.fromkeys(["tfx", "tensorflow_transform", "apache_beam", "sklearn", "keras_tuner"])  # hidden
from pipeline.reasons import words
from pipeline.reasons.explainer import load_explainer
import numpy as np
load_explainer(sys.argv[1]).contributions({"a": np.float32([0.1]), "country": np.array([b"de"], object)})
"""


def test_explaining_needs_no_library_for_training(trained):
    subprocess.run([sys.executable, "-c", WITHOUT_TRAINING, trained], check=True)
