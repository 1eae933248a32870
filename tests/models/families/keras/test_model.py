import numpy as np
import pytest

from models.families.keras.batch_ensemble import build_network, learn_columns, mean_probability
from models.families.keras.ensemble_layers import Dropout, SharedDense
from models.families.keras.hyperparameters import Hyperparameters
from models.families.keras.training import compile_predict, train
from models.features import FeatureSet
from models.log_loss import log_loss
from models.training_data import TrainingData

FEATURES = FeatureSet.from_config(
    [
        {"name": "a", "kind": "numeric"},
        {"name": "b", "kind": "numeric"},
        {"name": "holes", "kind": "numeric"},
        {"name": "flag", "kind": "categorical"},
        {"name": "country", "kind": "categorical"},
        {"name": "page", "kind": "categorical"},
    ]
)
VOCABULARIES = (2, 5, 60)
QUICK = Hyperparameters(max_steps=400, learning_rate=5e-3)


def sample(rows, seed=0):
    """Rows whose label depends on whether a and b have the same sign; about 20 % are positive."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, 3)).astype(np.float32)
    log_odds = np.where(numbers[:, 0] * numbers[:, 1] > 0, 0.0, -3.0)
    numbers[random.random(rows) < 0.2, 2] = np.nan
    categories = np.stack([random.integers(0, size + 1, rows) for size in VOCABULARIES], axis=1).astype(np.int32)
    label = random.random(rows) < 1 / (1 + np.exp(-log_odds))
    return TrainingData(numbers, categories, label.astype(np.float32))


def untrained(data, prior=0.03, vocabularies=VOCABULARIES):
    settings = Hyperparameters()
    columns = learn_columns(data.numbers, vocabularies, (True,) * data.numbers.shape[1], settings.bins)
    return build_network(columns, settings, prior)


def base_log_loss(label):
    return log_loss(label, np.full(len(label), label.mean()))


@pytest.fixture(scope="module")
def trained():
    training, evaluation = sample(6000), sample(3000, seed=1)
    return evaluation, compile_predict(train(training, evaluation, FEATURES, VOCABULARIES, QUICK))(evaluation)


def test_network_gives_each_members_logit():
    data = sample(50)
    logits = untrained(data)([data.numbers, data.categories])
    assert logits.shape == (50, 8)
    assert mean_probability(logits).shape == (50,)


def test_members_differ():
    data = sample(50)
    assert np.ptp(untrained(data)([data.numbers, data.categories]), axis=1).min() > 0


def test_untrained_network_predicts_about_the_prior():
    data = sample(2000)
    logits = untrained(data, prior=0.03)([data.numbers, data.categories]).numpy()
    assert np.median(1 / (1 + np.exp(-logits))) == pytest.approx(0.03, rel=0.3)


def test_only_missing_numbers_get_an_indicator():
    data = sample(500)
    assert learn_columns(data.numbers, (), (True, True, True), bins=16).indicators == (2,)
    assert learn_columns(data.numbers, (), (True, True, False), bins=16).indicators == ()


def test_bins_are_between_unique_quantiles():
    numbers = np.array([[0.0]] * 90 + [[1.0]] * 10, np.float32)
    assert learn_columns(numbers, (), (True,), bins=16).bins[0].tolist() == [0.0, 1.0]


def test_unseen_category_changes_nothing_in_an_untrained_network():
    data = sample(1)
    network = untrained(sample(500), vocabularies=(2,) * 2 + (60,))
    unseen = np.array([[2, 2, 60]], np.int32)
    assert not network.get_layer("category_codes")(unseen).numpy().any()
    assert np.isfinite(network([data.numbers, unseen])).all()


@pytest.mark.parametrize("numeric, categorical", [(0, 2), (2, 0)])
def test_network_needs_only_one_kind_of_column(numeric, categorical):
    numbers, categories = np.zeros((4, numeric), np.float32), np.zeros((4, categorical), np.int32)
    network = untrained(TrainingData(numbers, categories, np.zeros(4)), vocabularies=(3,) * categorical)
    assert network([numbers, categories]).shape == (4, 8)


def test_constant_and_empty_columns_are_harmless():
    numbers = np.stack([np.zeros(100), np.full(100, np.nan)], axis=1).astype(np.float32)
    data = TrainingData(numbers, np.zeros((100, 1), np.int32), np.zeros(100))
    assert np.isfinite(untrained(data, vocabularies=(1,))([data.numbers, data.categories])).all()


def test_learns_an_interaction(trained):
    evaluation, probability = trained
    optimum = log_loss(evaluation.label, np.where(evaluation.numbers[:, 0] * evaluation.numbers[:, 1] > 0, 0.5, 0.0474))
    gained = base_log_loss(evaluation.label) - log_loss(evaluation.label, probability)
    assert gained > 0.85 * (base_log_loss(evaluation.label) - optimum)


def test_probabilities_are_calibrated(trained):
    evaluation, probability = trained
    standard_error = np.sqrt((probability * (1 - probability)).sum()) / probability.sum()
    assert abs(probability.mean() / evaluation.label.mean() - 1) < 3 * standard_error


def test_dropout_leaves_out_its_share_only_while_training():
    dropout, ones = Dropout(0.25, seed=1), np.ones((999, 101), np.float32)
    first, second = (dropout(ones, training=True).numpy() for _ in range(2))
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.75)}
    assert np.mean(first == 0) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / ones.size))
    assert np.mean((first == 0) & (second == 0)) == pytest.approx(0.25**2, abs=0.005)
    np.testing.assert_array_equal(dropout(ones), ones)


def test_a_shared_layer_treats_every_member_alike():
    inputs = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)
    layer = SharedDense(2, "relu")
    outputs = layer(inputs).numpy()
    kernel, _ = layer.get_weights()
    np.testing.assert_allclose(outputs, np.maximum(inputs @ kernel, 0), rtol=1e-5)


def test_two_trainings_give_the_same_network():
    training, evaluation = sample(1000), sample(300, seed=1)
    settings = Hyperparameters(max_steps=60)
    one, two = (
        compile_predict(train(training, evaluation, FEATURES, VOCABULARIES, settings))(evaluation) for _ in range(2)
    )
    assert np.array_equal(one, two)


def test_stops_early_and_keeps_the_best_weights(caplog):
    training, evaluation = sample(300), sample(300, seed=1)
    with caplog.at_level("INFO", logger="propensity.progress"):
        network = train(training, evaluation, FEATURES, VOCABULARIES, Hyperparameters(learning_rate=0.02, patience=3))
    losses = [record.args[2] for record in caplog.records]
    assert caplog.records[-1].args[0] < 20_000
    assert log_loss(evaluation.label, compile_predict(network)(evaluation)) == pytest.approx(min(losses), abs=1e-6)
    assert np.argmin(losses) == len(losses) - 1 - 3


def test_batch_size_and_rate_follow_the_rows_unless_set():
    assert Hyperparameters().for_rows(10_000).batch_size == 256
    assert Hyperparameters().for_rows(50_000).learning_rate == 5e-3
    assert Hyperparameters(batch_size=64, learning_rate=1e-3).for_rows(50_000).batch_size == 64
    assert Hyperparameters().for_rows(1_000_000).evaluate_every == 100
    assert Hyperparameters().for_rows(8_600).evaluate_every == 33
