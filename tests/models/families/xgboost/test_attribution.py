import numpy as np
import pytest
import xgboost as xgb

from models.families.contract import Inputs
from models.families.xgboost import attribution
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.model import fit
from models.families.xgboost.training import BOOSTER_FILE, columns
from models.features import FeatureSet
from models.training_data import TrainingData

# The booster's columns are in another order: numbers first.
FEATURES = FeatureSet.from_config(
    [
        {"name": "country", "kind": "categorical"},
        {"name": "a", "kind": "numeric"},
        {"name": "page", "kind": "categorical"},
        {"name": "holes", "kind": "numeric"},
    ]
)
INPUTS = Inputs(FEATURES, (4, 40))


def sample(rows, seed=0):
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 2)).astype(np.float32)
    numbers[random.random(rows) < 0.3, 1] = np.nan
    categories = np.stack([random.integers(0, size + 1, rows) for size in INPUTS.vocabularies], axis=1)
    score = numbers[:, 0] * np.where(categories[:, 0] == 1, 1, -1) + np.isnan(numbers[:, 1]) + categories[:, 1] % 3
    label = random.random(rows) < 1 / (1 + np.exp(2 - score))
    return TrainingData(numbers, categories.astype(np.int32), label.astype(np.float32))


def fitted(folder, **settings):
    """A trained model with the booster's file in a folder, and the function that explains it."""
    data = sample(1500)
    model = fit([data], sample(500, seed=1), INPUTS, Hyperparameters(threads=1, **settings), None)
    path = folder / BOOSTER_FILE
    path.parent.mkdir()
    path.write_bytes(model.files[BOOSTER_FILE])
    return model, attribution.load_contributions(str(folder), None, FEATURES)


SETTINGS = [
    {"max_rounds": 40, "max_depth": 3, "max_cat_to_onehot": 100},
    {"max_rounds": 40, "max_depth": 6, "max_cat_to_onehot": 1, "patience": 3, "learning_rate": 0.3},
    {"max_rounds": 10, "max_depth": 11, "min_child_weight": 0.1},
    {"max_rounds": 10, "num_parallel_tree": 3, "subsample": 0.6},
    {"max_rounds": 2, "gamma": 1e9},  # no split at all
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_contributions_are_those_of_xgboost_and_add_up(tmp_path, settings):
    model, contributions = fitted(tmp_path, **settings)
    data = sample(400, seed=2)
    found = contributions(data.by_feature(FEATURES))
    assert found.dtype == np.float32 and found.shape == (400, 4)

    booster = xgb.Booster(model_file=str(tmp_path / BOOSTER_FILE))
    booster = booster[: booster.best_iteration + 1]
    matrix = xgb.DMatrix(
        columns(data),
        feature_names=["a", "holes", "country", "page"],
        feature_types=["q", "q", "c", "c"],
        enable_categorical=True,
    )
    expected = booster.predict(matrix, pred_contribs=True)
    np.testing.assert_allclose(found, expected[:, [2, 0, 3, 1]], atol=2e-5)
    assert model.attributions.baseline == pytest.approx(expected[0, -1], abs=1e-5)
    margin = booster.predict(matrix, output_margin=True)
    np.testing.assert_allclose(model.attributions.baseline + found.sum(axis=1), margin, atol=5e-5)
