import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.gate import bootstrap, calibration
from tests.pipeline.gate.draws import rows_and_predictions, sigmoid

SPREADS = (0.6, 1.0, 1.7)  # the slope of logits multiplied by so much is one over it


def spread(predicted, by):
    return sigmoid(by * calibration.logit(predicted))


@pytest.mark.parametrize("by", SPREADS)
def test_the_line_is_that_of_logistic_regression(by):
    rows, predictions = rows_and_predictions()
    predicted = spread(predictions["challenger"], by)
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(calibration.logit(predicted)[:, None], rows.label)
    line = calibration.fit(rows.label, predicted)
    assert line.slope == pytest.approx(reference.coef_[0, 0], rel=1e-4)
    assert line.intercept == pytest.approx(reference.intercept_[0], rel=1e-4)


def test_there_is_no_line_where_the_likelihood_has_no_maximum():
    label = np.repeat([0, 1], 50)
    assert calibration.fit(label, np.full(100, 0.3)) is None
    assert calibration.fit(label, np.linspace(0.1, 0.9, 100)) is None  # separates the classes
    leaked = np.where(label == 1, 0.99, 0.01) + np.linspace(0, 1e-4, 100)
    assert calibration.slope_interval(label, leaked, np.arange(100)) is None


def test_intervals_are_those_of_the_bootstrap_by_user():
    rows, predictions = rows_and_predictions(rows=3000, users=600)
    predicted = predictions["challenger"]
    slopes, ratios = [], []
    for weights in bootstrap.poisson_weights(rows.units, 1000, seed=3):
        for weight in weights.T[:, rows.unit_codes].astype(int):
            resampled = np.repeat(rows.label, weight), np.repeat(predicted, weight)
            slopes.append(calibration.fit(*resampled).slope)
            ratios.append(resampled[0].sum() / resampled[1].sum())
    slope = calibration.slope_interval(rows.label, predicted, rows.unit_codes)
    ratio = calibration.observed_over_expected_interval(rows.label, predicted, rows.unit_codes)
    for estimate, replicated in ((slope, slopes), (ratio, ratios)):
        lower, upper = np.percentile(replicated, (5, 95))
        width = upper - lower
        assert estimate.upper - estimate.lower == pytest.approx(width, rel=0.1)
        assert estimate.lower == pytest.approx(lower, abs=0.1 * width)
        assert estimate.upper == pytest.approx(upper, abs=0.1 * width)


@pytest.mark.parametrize("interval", [calibration.slope_interval, calibration.observed_over_expected_interval])
def test_rows_of_a_user_are_no_more_evidence_than_the_user(interval):
    rows, predictions = rows_and_predictions(rows=1000, users=1000)
    label, predicted, unit = rows.label, predictions["challenger"], np.arange(1000)
    once = interval(label, predicted, unit)
    thrice = interval(np.tile(label, 3), np.tile(predicted, 3), np.tile(unit, 3))
    assert (thrice.lower, thrice.upper) == pytest.approx((once.lower, once.upper))
