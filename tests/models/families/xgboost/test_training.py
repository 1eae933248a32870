import numpy as np
import pytest
import tensorflow as tf
import xgboost as xgb

from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.training import column_names, column_types, columns, predict, train
from models.features import FeatureSet
from models.log_loss import log_loss
from models.training_data import TrainingData

FEATURES = FeatureSet.from_config(
    [
        {"name": "page", "kind": "categorical"},
        {"name": "a", "kind": "numeric"},
        {"name": "country", "kind": "categorical"},
        {"name": "holes", "kind": "numeric"},
    ]
)
VOCABULARIES = (40, 5)
QUICK = Hyperparameters(learning_rate=0.3, max_rounds=12, threads=1)


def sample(rows, seed=0, unseen=True):
    """Rows whose label depends on `a`, on the page, and on whether `holes` is missing; about 15 % are positive."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 2)).astype(np.float32)
    numbers[random.random(rows) < 0.3, 1] = np.nan
    categories = np.stack([random.integers(0, size + unseen, rows) for size in VOCABULARIES], axis=1).astype(np.int32)
    of_page = np.random.default_rng(99).normal(size=VOCABULARIES[0] + 1)
    log_odds = numbers[:, 0] + of_page[categories[:, 0]] + np.where(np.isnan(numbers[:, 1]), 1.0, 0.0) - 2.5
    label = random.random(rows) < 1 / (1 + np.exp(-log_odds))
    return TrainingData(numbers, categories, label.astype(np.float32))


def exact_matrix(data):
    return xgb.DMatrix(
        columns(data), data.label, feature_names=column_names(FEATURES), feature_types=column_types(FEATURES),
        enable_categorical=True,
    )  # fmt: skip


def base_log_loss(label):
    return log_loss(label, np.full(len(label), label.mean()))


@pytest.fixture(scope="module")
def trained():
    training, evaluation = sample(6000), sample(3000, seed=1)
    return training, evaluation, train([training], [evaluation], FEATURES, Hyperparameters(threads=1))


def test_learns_numbers_categories_and_missing_values(trained):
    _, evaluation, booster = trained
    assert log_loss(evaluation.label, predict(booster, evaluation, FEATURES)) < 0.9 * base_log_loss(evaluation.label)
    assert set(booster.get_score()) >= {"a", "page", "holes"}


def test_probabilities_are_calibrated(trained):
    _, evaluation, booster = trained
    probability = predict(booster, evaluation, FEATURES).astype(np.float64)
    standard_error = np.sqrt((probability * (1 - probability)).sum()) / probability.sum()
    assert abs(probability.mean() / evaluation.label.mean() - 1) < 3 * standard_error


def test_an_untrained_booster_would_predict_the_share_of_positives(trained):
    training = trained[0]
    nothing = Hyperparameters(max_rounds=1, learning_rate=1e-9, threads=1)
    first = predict(train([training], [training], FEATURES, nothing), training, FEATURES)
    assert first == pytest.approx(training.label.mean(), abs=1e-6)


def test_two_trainings_give_the_same_booster():
    training, evaluation = sample(1000), sample(300, seed=1)
    settings = QUICK.model_copy(update={"subsample": 0.7, "colsample_bytree": 0.5})
    one, two = (train([training], [evaluation], FEATURES, settings).save_raw() for _ in range(2))
    assert one == two


def test_batches_give_the_booster_of_all_rows_at_once():
    training, evaluation = sample(1000), sample(300, seed=1)
    parts = [
        TrainingData(training.numbers[rows], training.categories[rows], training.label[rows])
        for rows in np.array_split(np.arange(1000), 4)
    ]
    together, apart = (train(batches, [evaluation], FEATURES, QUICK) for batches in ([training], parts))
    # Quantiles are merged from the batches', so that a threshold may lie elsewhere by a hair.
    difference = predict(together, evaluation, FEATURES) - predict(apart, evaluation, FEATURES)
    assert np.abs(difference).mean() < 0.01


def test_keeps_no_round_after_the_best(caplog):
    training, evaluation = sample(500), sample(500, seed=1)
    with caplog.at_level("INFO", logger="propensity.progress"):
        booster = train([training], [evaluation], FEATURES, Hyperparameters(learning_rate=0.3, patience=5, threads=1))
    loss = log_loss(evaluation.label, predict(booster, evaluation, FEATURES))
    assert booster.num_boosted_rounds() == booster.best_iteration + 1 < 100
    assert loss == pytest.approx(booster.best_score, abs=1e-6)
    assert caplog.messages[0].startswith("round 1 of at most 2000, eval log loss 0.")
    assert caplog.messages[-1] == f"{booster.num_boosted_rounds()} rounds kept, eval log loss {loss:.4f}"


def test_predicts_by_the_best_rounds_of_a_booster_that_has_more():
    training, evaluation = sample(500), sample(500, seed=1)
    booster = xgb.train(
        {"objective": "binary:logistic", "eta": 0.5, "nthread": 1},
        exact_matrix(training),
        200,
        evals=[(exact_matrix(evaluation), "eval")],
        early_stopping_rounds=5,
        verbose_eval=False,
    )
    expected = booster[: booster.best_iteration + 1].predict(exact_matrix(evaluation))
    assert booster.num_boosted_rounds() > booster.best_iteration + 1
    assert np.array_equal(predict(booster, evaluation, FEATURES), expected)


def test_categories_that_training_lacks_are_evaluated_as_they_are_served():
    training, evaluation = sample(2000, unseen=False), sample(1000, seed=1)
    assert evaluation.categories.max() > training.categories.max()
    booster = train([training], [evaluation], FEATURES, QUICK)
    served = log_loss(evaluation.label, predict(booster, evaluation, FEATURES))
    assert booster.best_score == pytest.approx(served, abs=1e-6)


def test_curves_have_eval_points_for_each_round_and_training_points_for_every_tenth(tmp_path):
    data = sample(300)
    train([data], [data], FEATURES, QUICK, str(tmp_path))
    [file] = tmp_path.glob("events.out.tfevents.*")
    points = {}
    for event in tf.compat.v1.train.summary_iterator(str(file)):
        for value in event.summary.value:
            points.setdefault(value.tag, {})[event.step] = float(tf.make_ndarray(value.tensor))
    assert set(points) == {"train/log_loss", "eval/log_loss"}
    assert sorted(points["eval/log_loss"]) == list(range(1, QUICK.max_rounds + 1))
    assert sorted(points["train/log_loss"]) == [1, 11]
    assert points["train/log_loss"][11] < points["train/log_loss"][1]


@pytest.mark.parametrize("numeric, categorical", [(0, 2), (2, 0)])
def test_one_kind_of_column_is_enough(numeric, categorical):
    data = sample(300)
    data = TrainingData(data.numbers[:, :numeric], data.categories[:, :categorical], data.label)
    features = FeatureSet(
        features=FEATURES.numeric[:numeric] + FEATURES.categorical[:categorical],
    )
    booster = train([data], [data], features, QUICK)
    assert predict(booster, data, features).shape == (300,)
