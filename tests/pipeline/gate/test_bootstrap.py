import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from pipeline.gate import bootstrap
from tests.pipeline.gate.draws import rows_and_predictions

REFERENCES = {
    "roc_auc": sklearn_metrics.roc_auc_score,
    "pr_auc": sklearn_metrics.average_precision_score,
    "log_loss": sklearn_metrics.log_loss,
    "brier": sklearn_metrics.brier_score_loss,
}


@pytest.mark.parametrize("decimals", [1, 2, 15])
@pytest.mark.parametrize("metric", list(REFERENCES))
def test_weighted_metrics_are_those_of_scikit_learn(metric, decimals):
    rows, predictions = rows_and_predictions(rows=900, users=400)
    predicted = predictions["challenger"].round(decimals)
    [weights] = bootstrap.poisson_weights(rows.units, 20, seed=1)
    statistic = bootstrap.statistic(metric, rows.label, predicted, rows.unit_codes, rows.units)
    expected = [
        REFERENCES[metric](rows.label, predicted, sample_weight=weight[rows.unit_codes]) for weight in weights.T
    ]
    assert statistic(weights) == pytest.approx(expected, rel=1e-6)


def test_a_replicate_without_positives_has_no_rank_metric():
    label, predicted = np.array([1, 0, 0]), np.array([0.5, 0.3, 0.7])
    weights = np.array([[0, 1], [2, 1], [1, 1]], np.float32)
    for metric, expected in (("roc_auc", 0.5), ("pr_auc", 0.5)):
        values = bootstrap.statistic(metric, label, predicted, np.arange(3), 3)(weights)
        assert np.isnan(values[0])
        assert values[1] == expected


def test_weights_come_in_bounded_chunks_and_repeat_with_the_seed(monkeypatch):
    monkeypatch.setattr(bootstrap, "_MAX_CELLS", 1000)
    first, again, other = (np.hstack(list(bootstrap.poisson_weights(90, 250, seed))) for seed in (7, 7, 8))
    assert all(chunk.size <= 1000 for chunk in bootstrap.poisson_weights(90, 250, 7))
    assert first.shape == (90, 250)
    assert (first == again).all()
    assert (first != other).any()
    assert first.mean() == pytest.approx(1, abs=0.03)
    assert first.var() == pytest.approx(1, abs=0.05)
