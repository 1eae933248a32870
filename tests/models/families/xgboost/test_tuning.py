import numpy as np
import pytest

from models.families.contract import Inputs, TuningRows
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.tuning import deal_into_folds, trial_score
from models.features import FeatureSet
from models.log_loss import log_loss
from models.training_data import TrainingData

FEATURES = FeatureSet.from_config(
    [
        {"name": "visits", "kind": "numeric"},
        {"name": "country", "kind": "categorical"},
        {"name": "seconds", "kind": "numeric"},
    ]
)
INPUTS = Inputs(FEATURES, (1,))


def test_rows_of_a_unit_share_a_fold_and_folds_are_even():
    units = np.repeat(np.array([b"%032x" % unit for unit in range(100)]), np.arange(100) % 4 + 1)
    folds = deal_into_folds(units, 3, seed=1)
    by_unit = [set(folds[units == unit]) for unit in np.unique(units)]
    assert all(len(found) == 1 for found in by_unit)
    assert sorted(sum(found == {fold} for found in by_unit) for fold in range(3)) == [33, 33, 34]
    assert np.array_equal(folds, deal_into_folds(units, 3, seed=1))


def test_fewer_users_than_folds_are_refused():
    with pytest.raises(ValueError, match=r"2 training users .* 3 folds"):
        deal_into_folds(np.array([b"a", b"b", b"a"]), 3, seed=1)


def users(rows, count, seed):
    """Each user has one label, drawn by a coin, and a number by which rows of the same user are known."""
    random = np.random.default_rng(seed)
    user = random.integers(0, count, rows)
    number, label = random.normal(size=count), random.integers(0, 2, count)
    numbers = np.stack([number[user], random.normal(size=rows)], axis=1).astype(np.float32)
    return TrainingData(numbers, np.zeros((rows, 1), np.int32), label[user].astype(np.float32)), user


def test_cross_validation_does_not_reward_knowing_the_user():
    """By row, a booster that memorises users looks very good; by user, no better than a coin."""
    training, user = users(1500, 60, seed=0)
    settings = Hyperparameters(max_rounds=40, patience=40, learning_rate=0.3, threads=1)
    strangers = users(300, 60, seed=1)[0]

    def score(units, evaluation):
        return trial_score(TuningRows(training, units, evaluation, INPUTS), settings, folds=3)({})

    coin = log_loss(training.label, np.full(1500, 0.5))
    assert score(user, strangers) > 0.95 * coin
    assert score(np.arange(1500), training) < 0.5 * coin


def test_eval_split_stops_the_boosters_of_the_folds():
    random = np.random.default_rng(0)
    numbers = random.normal(size=(600, 2)).astype(np.float32)
    training = TrainingData(numbers, np.zeros((600, 1), np.int32), (numbers[:, 0] > 0).astype(np.float32))
    inverted = TrainingData(numbers, training.categories, 1 - training.label)
    settings = Hyperparameters(max_rounds=60, patience=3, learning_rate=0.1, threads=1)
    score, stopped_at_once = (
        trial_score(TuningRows(training, np.arange(600), evaluation, INPUTS), settings, folds=3)({})
        for evaluation in (training, inverted)
    )
    assert score < 0.1 and stopped_at_once > 0.5
