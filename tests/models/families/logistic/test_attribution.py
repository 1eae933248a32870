import dataclasses

import numpy as np
import pytest

from models.families.contract import Inputs
from models.families.logistic.hyperparameters import Hyperparameters
from models.families.logistic.model import fit
from models.features import FeatureSet
from models.training_data import TrainingData
from tests.models.families.shapley import shapley

# The regression's columns are in another order: numbers first.
FEATURES = FeatureSet.from_config(
    [
        {"name": "page", "kind": "categorical"},
        {"name": "a", "kind": "numeric"},
        {"name": "holes", "kind": "numeric"},
        {"name": "country", "kind": "categorical"},
    ]
)
INPUTS = Inputs(FEATURES, (40, 5))


def sample(rows, seed=0):
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 2)).astype(np.float32)
    numbers[random.random(rows) < 0.3, 1] = np.nan
    categories = np.stack([random.integers(0, size + 1, rows) for size in INPUTS.vocabularies], axis=1)
    score = numbers[:, 0] + categories[:, 0] % 3 + np.where(np.isnan(numbers[:, 1]), 1.0, 0.0)
    label = random.random(rows) < 1 / (1 + np.exp(2.5 - score))
    return TrainingData(numbers, categories.astype(np.int32), label.astype(np.float32))


def log_odds(model, data):
    probability = np.float64(model.score(data.by_feature(FEATURES)).numpy())
    return np.log(probability / (1 - probability))


@pytest.fixture(scope="module")
def trained():
    """The model, its training rows and other rows."""
    training = sample(300)
    return fit([training], sample(200, seed=1), INPUTS, Hyperparameters(one_hot=10), None), training, sample(20, seed=2)


def test_contributions_equal_shapley_values_against_the_training_rows(trained):
    model, training, rows = trained
    found = model.attributions.graph(rows.by_feature(FEATURES)).numpy()

    def worth(known):
        """Mean log odds over all training rows with a row's own values for the known features."""
        mixed = [np.repeat(values, len(rows), axis=0) for values in (training.numbers, training.categories)]
        for kind, columns in enumerate([("a", "holes"), ("page", "country")]):
            own = np.tile((rows.numbers, rows.categories)[kind], (len(training), 1))
            for column, name in enumerate(columns):
                if FEATURES.names.index(name) in known:
                    mixed[kind][:, column] = own[:, column]
        data = TrainingData(*mixed, np.zeros(len(mixed[0]), np.float32))
        return log_odds(model, data).reshape(len(training), len(rows)).mean(axis=0)

    assert np.abs(found).max() > 0.5
    np.testing.assert_allclose(found, shapley(worth, 4), atol=2e-6)
    assert model.attributions.baseline == pytest.approx(worth(set())[0], abs=2e-6)


def test_contributions_add_up_to_the_log_odds(trained):
    model, training, rows = trained
    for data in (training, rows):
        found = model.attributions.graph(data.by_feature(FEATURES)).numpy()
        np.testing.assert_allclose(model.attributions.baseline + found.sum(axis=1), log_odds(model, data), atol=2e-5)
    mean = model.attributions.graph(training.by_feature(FEATURES)).numpy().mean(axis=0)
    np.testing.assert_allclose(mean, 0, atol=1e-6)


def test_a_missing_number_without_an_indicator_counts_as_the_median(trained):
    model, training, _ = trained
    rows = dataclasses.replace(training, numbers=training.numbers.copy())
    rows.numbers[:, 0] = np.nan  # a has a value in every training row
    at_median = dataclasses.replace(training, numbers=training.numbers.copy())
    at_median.numbers[:, 0] = 0
    column = FEATURES.names.index("a")
    missing, median = (
        model.attributions.graph(data.by_feature(FEATURES)).numpy()[:, column] for data in (rows, at_median)
    )
    np.testing.assert_array_equal(missing, median)
