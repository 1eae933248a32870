import logging

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from models.families.contract import Inputs
from models.families.logistic.design import learn_design
from models.families.logistic.hyperparameters import Hyperparameters
from models.families.logistic.linear_graph import LinearGraph
from models.families.logistic.training import STRENGTHS, train
from models.features import FeatureSet
from models.log_loss import log_loss
from models.training_data import TrainingData

FEATURES = FeatureSet.from_config(
    [
        {"name": "page", "kind": "categorical"},
        {"name": "a", "kind": "numeric"},
        {"name": "holes", "kind": "numeric"},
        {"name": "no_visits", "kind": "numeric", "missing": "zero"},
        {"name": "country", "kind": "categorical"},
    ]
)
INPUTS = Inputs(FEATURES, (40, 5))
OF_PAGE = np.random.default_rng(99).normal(size=41)


def sample(rows, seed=0):
    """Rows of a logistic regression; ranks include those of values that the vocabularies lack."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 3)).astype(np.float32)
    numbers[random.random(rows) < 0.3, 1] = np.nan
    categories = np.stack([random.integers(0, size + 1, rows) for size in INPUTS.vocabularies], axis=1)
    chance = 1 / (1 + np.exp(2.5 - log_odds(numbers, categories)))
    label = (random.random(rows) < chance).astype(np.float32)
    return TrainingData(numbers, categories.astype(np.int32), label)


def log_odds(numbers, categories):
    return numbers[:, 0] + OF_PAGE[categories[:, 0]] + np.where(np.isnan(numbers[:, 1]), 1.0, 0.0)


def matrix(data, **settings):
    return learn_design(data, INPUTS, Hyperparameters(**settings)).matrix(data)


def test_columns_are_numbers_indicators_and_values():
    numbers = np.float32([[0.5, np.nan, 1], [-0.5, 2, 0]])
    data = TrainingData(numbers, np.int32([[40, 0], [1, 5]]), np.float32([0, 1]))
    found = matrix(data, one_hot=3, category_scale=0.5).toarray()
    page, country = [[0, 0, 0, 0.5], [0, 0.5, 0, 0]], [[0.5, 0, 0, 0], [0, 0, 0, 0.5]]
    np.testing.assert_array_equal(found, np.hstack([[[0.5, 0, 1, 1], [-0.5, 2, 0, 0]], page, country]))


def test_a_number_whose_absence_means_zero_has_no_indicator():
    data = sample(50)
    data.numbers[3, 2] = np.nan
    assert learn_design(data, INPUTS, Hyperparameters()).indicators == (1,)


def test_weights_are_those_of_scikit_learn():
    training = sample(800)
    found = train(training, sample(400, seed=1), INPUTS, Hyperparameters(l2=2.0)).model
    expected = LogisticRegression(C=0.5, solver="newton-cholesky", tol=1e-10).fit(
        matrix(training).toarray(), training.label
    )
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-3)


def test_the_strength_with_the_lowest_eval_loss_is_kept(caplog):
    training, evaluation = sample(600), sample(2000, seed=1)
    with caplog.at_level(logging.INFO, logger="propensity.progress"):
        chosen = train(training, evaluation, INPUTS, Hyperparameters(patience=len(STRENGTHS)))
    *tried, kept = caplog.records
    losses = {record.args[0]: record.args[1] for record in tried}
    assert tuple(losses) == STRENGTHS
    best = min(losses, key=losses.get)
    assert best not in (STRENGTHS[0], STRENGTHS[-1])
    assert np.isclose(1 / chosen.model.C, best)
    assert kept.getMessage() == f"L2 strength {best:g} kept, eval log loss {losses[best]:.4f}"
    assert log_loss(evaluation.label, chosen.predict(evaluation)) == pytest.approx(losses[best], abs=1e-6)


def test_training_stops_when_weaker_penalties_only_lose(caplog):
    with caplog.at_level(logging.INFO, logger="propensity.progress"):
        train(sample(600), sample(2000, seed=1), INPUTS, Hyperparameters(patience=1))
    losses = [record.args[1] for record in caplog.records[:-1]]
    assert len(losses) < len(STRENGTHS) and np.argmin(losses) == len(losses) - 2


def test_few_rows_of_many_columns_do_better_than_the_base_rate():
    evaluation = sample(4000, seed=1)
    base = log_loss(evaluation.label, np.full(4000, evaluation.label.mean()))
    assert (
        log_loss(evaluation.label, train(sample(300), evaluation, INPUTS, Hyperparameters()).predict(evaluation)) < base
    )


def test_learns_most_of_what_can_be_known():
    training, evaluation = sample(6000), sample(4000, seed=1)
    optimum = log_loss(evaluation.label, 1 / (1 + np.exp(2.5 - log_odds(evaluation.numbers, evaluation.categories))))
    base = log_loss(evaluation.label, np.full(4000, training.label.mean()))
    found = log_loss(evaluation.label, train(training, evaluation, INPUTS, Hyperparameters()).predict(evaluation))
    assert base - found > 0.95 * (base - optimum)


def test_two_trainings_give_the_same_regression():
    training, evaluation = sample(500), sample(300, seed=1)
    one, two = (train(training, evaluation, INPUTS, Hyperparameters()).predict(evaluation) for _ in range(2))
    assert np.array_equal(one, two)


def test_graph_gives_the_regressions_probabilities():
    regression = train(sample(800), sample(400, seed=1), INPUTS, Hyperparameters(one_hot=7, category_scale=0.3))
    rows = sample(5000, seed=2)
    rows.numbers[::7, 2] = np.nan  # a number without an indicator is 0 where it is missing
    graph = LinearGraph(regression)(tf.constant(rows.numbers), tf.constant(rows.categories))
    assert np.abs(graph.numpy() - regression.predict(rows)).max() < 1e-6


def test_labels_that_are_all_the_same_are_refused():
    data = sample(50)
    same = TrainingData(data.numbers, data.categories, np.ones(50, np.float32))
    with pytest.raises(ValueError, match="all 50 training rows have the label 1"):
        train(same, data, INPUTS, Hyperparameters())
