import dataclasses

import numpy as np
import pytest

from pipeline.gate import slices
from pipeline.gate.rows import TestRows
from pipeline.gate.slices import OTHER, fairness, judged, slice_result, slices_of
from pipeline.gate.verdict import Difference, SliceResult
from tests.pipeline.gate.draws import rows_and_predictions


def result(number, value, *, error=0.01, positives=500):
    between = Difference(value, value - 1.645 * error, value + 1.645 * error, error, "bootstrap")
    return SliceResult("f", str(number), 5000, positives, {}, {}, between, "shown")


def outcomes(results, **changes):
    return [judged_one.outcome for judged_one in judged(results, **{"margin": 0.02, "min_positives": 200, **changes})]


@pytest.mark.parametrize(
    ("value", "changes", "outcome"),
    [
        (-0.0365, {}, "fail"),  # 1.645 standard errors below the margin
        (-0.0364, {}, "pass"),  # the interval reaches into what is allowed
        (-0.0365, {"margin": 0.03}, "pass"),
        (-0.0365, {"min_positives": 501}, "shown"),
    ],
)
def test_only_a_large_slice_that_is_surely_worse_fails(value, changes, outcome):
    assert outcomes([result(0, value)], **changes) == [outcome]


def test_a_slice_without_a_difference_is_shown():
    assert outcomes([dataclasses.replace(result(0, -0.5), difference=None), result(1, 0)]) == ["shown", "pass"]


def test_slices_are_judged_as_a_family():
    # Holm: the smallest of three p-values must be at most 5 / 3 %, the next 5 / 2 %, the last 5 %.
    below = [-0.02 - 0.01 * z for z in (2.13, 1.97, 1.65)]  # 1.66, 2.44 and 4.95 %
    assert outcomes([result(n, value) for n, value in enumerate(below)]) == ["fail", "fail", "fail"]
    assert outcomes([result(n, value) for n, value in enumerate([below[0], below[2], below[2]])]) == [
        "fail",
        "pass",
        "pass",
    ]
    assert outcomes([result(n, value) for n, value in enumerate([below[1], below[2], 0])]) == ["pass"] * 3
    small = result(3, 0, positives=100)
    assert outcomes([result(0, below[2]), small]) == ["fail", "shown"], "a slice that is only shown is not counted"


def test_a_difference_without_any_error_is_judged_by_its_value():
    assert outcomes([result(0, -0.02, error=0), result(1, 0, error=0)]) == ["fail", "pass"]


def test_a_slice_with_one_class_is_shown_without_rank_metrics():
    rows, predictions = rows_and_predictions(rows=300)
    feature = np.where(np.arange(300) < 10, "rare", "common").astype(object)
    label = rows.label.copy()
    label[:10] = 0
    rows = dataclasses.replace(rows, label=label, slices={"f": feature})
    rare = slices_of(rows)[-1]
    found = slice_result(rare, rows.label, {"challenger": predictions["challenger"]}, None, operating_share=0.1)
    assert (found.value, found.rows, found.positives, found.champion) == ("rare", 10, 0, None)
    assert found.challenger["roc_auc"] is None
    assert found.challenger["log_loss"] > 0
    assert "champion" not in found.to_json()


def test_the_values_with_most_positives_are_slices_and_the_others_one(monkeypatch):
    monkeypatch.setattr(slices, "MAX_VALUES", 2)
    values = np.array(["a", "b", "c", "d", "a", "b", "a"], dtype=object)
    label = np.array([0, 1, 1, 0, 1, 1, 0])
    found = slices_of(TestRows(label, np.arange(7), None, {"f": values}))
    assert {one.value: one.rows.tolist() for one in found} == {"b": [1, 5], "a": [0, 4, 6], OTHER: [2, 3]}


def test_fairness_at_one_cut_for_all_slices(monkeypatch):
    # Two groups of 40: the first has 20 rows above the cut, half of them positives; the second 10, all positives.
    group = np.repeat(["a", "b"], 40).astype(object)
    predicted = np.concatenate([np.repeat([0.9, 0.1], [20, 20]), np.repeat([0.9, 0.1], [10, 30])])
    label = np.concatenate([np.tile([0, 1], 20), np.repeat([1, 0], [10, 30])])
    expected = {"a": (0.5, 0.5, 0.5, 1.0), "b": (0.0, 0.0, 0.25, 0.5)}  # FPR, FNR, selection rate, its ratio
    monkeypatch.setattr(slices, "MIN_COMPARED", 10)
    results = fairness(slices_of(TestRows(label, np.arange(80), None, {"g": group})), label, predicted, 30 / 80)
    for result in results:
        assert (
            result.false_positive_rate,
            result.false_negative_rate,
            result.selection_rate,
            result.selection_rate_ratio,
        ) == pytest.approx(expected[result.value])
        assert result.highest_selection_rate == "a"
        assert result.equalised_odds_difference == pytest.approx(0.5)


def test_rates_of_few_rows_are_shown_but_not_compared():
    rows, predictions = rows_and_predictions(rows=1000)
    feature = np.where(np.arange(1000) < 5, "rare", "common").astype(object)
    predicted = np.where(np.arange(1000) < 5, 0.999, predictions["challenger"])
    rows = dataclasses.replace(rows, slices={"f": feature})
    by_value = {result.value: result for result in fairness(slices_of(rows), rows.label, predicted, 0.1)}
    assert by_value["rare"].selection_rate == 1
    assert by_value["rare"].selection_rate_ratio is None
    assert by_value["common"].selection_rate_ratio == 1
    assert by_value["common"].equalised_odds_difference is None  # there is nothing to compare with
