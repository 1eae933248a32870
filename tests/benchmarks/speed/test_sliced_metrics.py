import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from benchmarks.speed.sliced_metrics import by_slice, metrics


def test_metrics_equal_scikit_learns_with_ties():
    random = np.random.default_rng(1)
    predicted = random.random(2_000).round(2)
    label = (random.random(2_000) < predicted / 2).astype(np.float32)
    found = metrics(label, predicted)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(label, predicted), abs=1e-12)
    assert found["pr_auc"] == pytest.approx(average_precision_score(label, predicted), abs=1e-12)
    assert found["log_loss"] == pytest.approx(log_loss(label, predicted.clip(1e-7, 1 - 1e-7)), abs=1e-6)
    assert found["calibration"] == pytest.approx(predicted.sum() / label.sum())


def test_one_class_has_no_ranking():
    found = metrics(np.zeros(3), np.array([0.1, 0.2, 0.3]))
    assert np.isnan(found["roc_auc"]) and np.isnan(found["pr_auc"]) and found["log_loss"] > 0


def test_each_value_of_each_code_is_a_slice():
    label, predicted = np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.8, 0.2])
    overall, first, second = by_slice(label, predicted, [np.array([0, 0, 1, 1])])
    assert (overall["rows"], first["rows"], second["rows"]) == (4, 2, 2)
    assert (first["roc_auc"], second["roc_auc"]) == (1, 0)
