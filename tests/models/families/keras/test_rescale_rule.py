import numpy as np
import pytest

from models.families.keras.batch_ensemble import build_network, embedding, learn_columns
from models.families.keras.hyperparameters import Hyperparameters
from models.families.keras.rescale_rule import RescaleRule

VOCABULARIES = (2, 5, 60)


def network(numbers=2, vocabularies=VOCABULARIES, spread=0.4, **settings):
    """A network with random weights, and rows for it with missing numbers and unknown categories."""
    random = np.random.default_rng(0)
    cells = random.normal(size=(500, numbers)).astype(np.float32)
    cells[random.random(cells.shape) < 0.2] = np.nan
    ranks = [random.integers(0, size + 1, 500) for size in vocabularies]
    ranks = np.stack(ranks, axis=1).astype(np.int32) if ranks else np.zeros((500, 0), np.int32)
    columns = learn_columns(cells, vocabularies, (True,) * numbers, 8)
    net = build_network(columns, Hyperparameters(**{"members": 4, "hidden": (16, 12), "one_hot": 8} | settings), 0.1)
    net.set_weights([weights + random.normal(0, spread, weights.shape) for weights in net.get_weights()])
    return net, cells, ranks


def log_odds(net, cells, ranks):
    chance = 1 / (1 + np.exp(-np.float64(net.predict([cells, ranks], verbose=0))))
    return np.log(chance.mean(axis=1)) - np.log((1 - chance).mean(axis=1))


@pytest.mark.parametrize(
    "options",
    [{}, {"hidden": (16,)}, {"hidden": (8, 8, 8)}, {"members": 1}, {"numbers": 0}, {"vocabularies": ()}, {"spread": 1}],
)
def test_contributions_add_up_to_the_log_odds_less_the_baseline(options):
    net, cells, ranks = network(**options)
    embed, owners = embedding(net)
    embedded = embed([cells, ranks]).numpy()
    assert owners.shape == (embedded.shape[1],) and set(owners) == set(range(cells.shape[1] + ranks.shape[1]))
    rule = RescaleRule(net, embedded.mean(axis=0))
    found = rule(embedded).numpy()
    margin = log_odds(net, cells, ranks)
    assert np.ptp(margin) > 0.5
    np.testing.assert_allclose(rule.baseline + found.sum(axis=1), margin, rtol=1e-5, atol=2e-5)


def test_the_reference_itself_has_no_contributions():
    net, cells, ranks = network()
    embedded = embedding(net)[0]([cells, ranks]).numpy()
    rule = RescaleRule(net, embedded[7])
    assert not rule(embedded[7:8]).numpy().any()
    assert rule.baseline == pytest.approx(log_odds(net, cells, ranks)[7], abs=1e-5)


def test_a_columns_embedded_columns_are_its_own():
    net, cells, ranks = network()
    embed, owners = embedding(net)
    for column in range(5):
        cells_now, ranks_now = cells.copy(), ranks.copy()
        if column < 2:
            cells_now[:, column] = np.where(np.isnan(cells[:, column]), 0.3, np.nan)
        else:
            ranks_now[:, column - 2] = (ranks[:, column - 2] + 1) % (VOCABULARIES[column - 2] + 1)
        differs = (embed([cells_now, ranks_now]).numpy() != embed([cells, ranks]).numpy()).any(axis=0)
        assert set(np.flatnonzero(differs)) == set(np.flatnonzero(owners == column))
