import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from pipeline.gate.metrics import METRICS, entropy, point_metrics, selected
from tests.pipeline.gate.draws import rows_and_predictions


def test_metrics_are_those_of_scikit_learn():
    rows, predictions = rows_and_predictions()
    predicted = predictions["challenger"].round(2)  # with ties
    found = point_metrics(rows.label, predicted, 0.1)
    assert found["roc_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(rows.label, predicted))
    assert found["pr_auc"] == pytest.approx(sklearn_metrics.average_precision_score(rows.label, predicted))
    assert found["log_loss"] == pytest.approx(sklearn_metrics.log_loss(rows.label, predicted))
    assert found["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(rows.label, predicted))
    assert found["observed_over_expected"] == pytest.approx(rows.label.sum() / predicted.sum())
    assert set(found) == set(METRICS)


def test_the_operating_point_without_ties():
    label = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    found = point_metrics(label, np.linspace(0.9, 0.1, 10), 0.3)
    assert (found["precision"], found["recall"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found["gain_20"] == pytest.approx(1 / 3)
    assert found["lift_20"] == pytest.approx(1 / 3 / 0.2)


def test_ties_at_the_cut_count_by_the_fraction_that_fits_in():
    predicted = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert selected(predicted, 0.3).tolist() == pytest.approx([1, *[0.5] * 4, *[0] * 5])
    label = np.array([0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    assert point_metrics(label, predicted, 0.3)["recall"] == pytest.approx(0.5)
    backwards = point_metrics(label[::-1], predicted[::-1], 0.3)
    assert backwards == pytest.approx(point_metrics(label, predicted, 0.3), nan_ok=True)


def test_a_constant_prediction_has_no_lift_and_no_slope():
    label = np.arange(100) % 4 == 0
    found = point_metrics(label.astype(np.int8), np.full(100, 0.25), 0.1)
    assert [found[f"lift_{percent}"] for percent in (1, 5, 10, 20)] == pytest.approx([1] * 4)
    assert found["calibration_slope"] is None
    assert found["log_loss"] == pytest.approx(entropy(0.25))


def test_with_one_class_only_what_is_defined_is_told():
    found = point_metrics(np.zeros(5, np.int8), np.linspace(0.1, 0.5, 5), 0.2)
    told = {name for name, value in found.items() if value is not None}
    assert told == {"log_loss", "brier", "observed_over_expected"}
