import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from pipeline.gate.curves import MAX_POINTS, curves, thinned
from tests.pipeline.gate.draws import rows_and_predictions


def test_thinned_curves_still_hold_the_area():
    rows, predictions = rows_and_predictions(rows=20_000, users=20_000)
    predicted = predictions["challenger"]
    found = curves(rows.label, predicted)
    for name in ("roc", "pr", "gain"):
        assert 100 < len(found[name]["x"]) <= MAX_POINTS
        assert (np.diff(found[name]["x"]) >= 0).all()
        assert found[name]["x"][-1] == 1
    auc = sklearn_metrics.roc_auc_score(rows.label, predicted)
    assert area(found["roc"]) == pytest.approx(auc, abs=1e-3)
    average_precision = sklearn_metrics.average_precision_score(rows.label, predicted)
    assert area(found["pr"]) == pytest.approx(average_precision, abs=0.01)


def test_the_gain_curve_passes_between_ties():
    label, predicted = np.array([1, 0, 1, 0]), np.array([0.9, 0.5, 0.5, 0.1])
    assert curves(label, predicted)["gain"] == {"x": [0, 0.25, 0.75, 1], "y": [0, 0.5, 1, 1]}


def test_calibration_bins_hold_all_rows_and_keep_ties_together():
    rows, predictions = rows_and_predictions()
    found = curves(rows.label, predictions["challenger"])["calibration"]
    assert found["rows"] == [400] * 10
    assert np.dot(found["rows"], found["observed"]) == pytest.approx(rows.positives)
    assert found["observed"] == pytest.approx(found["predicted"], abs=0.06)
    tied = curves(rows.label, np.where(predictions["challenger"] < 0.3, 0.01, 0.4))["calibration"]
    assert tied["predicted"] == pytest.approx([0.01, 0.4])
    assert sum(tied["rows"]) == rows.rows


def test_a_short_curve_is_left_alone():
    x, y = np.linspace(0, 1, 5), np.linspace(0, 1, 5) ** 2
    assert thinned(x, y) == {"x": x.tolist(), "y": y.tolist()}


def area(curve):
    return sklearn_metrics.auc(curve["x"], curve["y"])
