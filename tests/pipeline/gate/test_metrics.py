import dataclasses
import typing

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from pipeline.gate.metrics import COMPARED, METRICS, bounded_value, entropy, point_metrics
from pipeline.gate.rules import judge
from pipeline.gate.top_share import selected
from pipeline.settings.gate import GateSettings
from pipeline.settings.training import Metric as SettingsMetric
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
    assert told >= {"log_loss", "brier", "observed_over_expected"}
    assert not told & {"roc_auc", "pr_auc", "calibration_slope", "calibration_intercept", "lift_10", "recall"}


def test_the_registry_says_what_is_needed_of_each_metric():
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.title and metric.meaning and metric.source
        assert metric.title[0].isupper() and metric.meaning[0].isupper()
        assert metric.compared is (name in COMPARED)
    assert set(COMPARED) == set(typing.get_args(SettingsMetric)) >= {"roc_auc", "pr_auc", "log_loss", "brier"}
    assert METRICS["log_loss"].in_sentence == "log loss"
    assert METRICS["roc_auc"].in_sentence == "ROC AUC"


def test_one_entry_is_all_that_a_metric_needs(monkeypatch):
    def absolute_errors(label, predicted):
        return np.abs(predicted - label)

    entry = dataclasses.replace(
        METRICS["brier"],
        name="absolute_error",
        title="Absolute error",
        point=lambda scored: float(absolute_errors(scored.label, scored.predicted).mean()),
        loss=absolute_errors,
    )
    monkeypatch.setitem(METRICS, "absolute_error", entry)
    rows, predictions = rows_and_predictions(noise=(("challenger", 0.1), ("champion", 1.5)))
    settings = GateSettings.model_construct(
        **{**GateSettings().model_dump(), "metric": "absolute_error", "margin": 0.01, "slice_margin": 0.1}
    )
    found = judge(rows, predictions, settings, training_base_rate=rows.base_rate, operating_share=0.1)
    assert found.metrics["challenger"]["absolute_error"] < found.metrics["champion"]["absolute_error"]
    [check] = [check for check in found.checks if check.name == "champion"]
    assert check.outcome == "pass" and "absolute error is better by" in check.text


def test_the_bound_named_calibration_is_tfmas():
    rows, predictions = rows_and_predictions()
    found = point_metrics(rows.label, predictions["challenger"], 0.1)
    expected = predictions["challenger"].sum() / rows.label.sum()
    assert bounded_value("calibration", found) == pytest.approx(expected)
    assert bounded_value("roc_auc", found) == found["roc_auc"]
    nothing = point_metrics(np.zeros(10), np.full(10, 0.1), 0.1)
    assert bounded_value("calibration", nothing) is None
