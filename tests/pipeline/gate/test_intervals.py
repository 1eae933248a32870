import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from pipeline.gate import bootstrap, delong, intervals
from pipeline.gate.intervals import Pair
from tests.pipeline.gate.draws import rows_and_predictions


def drawn(**changes):
    rows, predictions = rows_and_predictions(**changes)
    return rows, Pair(predictions["challenger"], predictions["champion"])


def bootstrapped(rows, pair, metric, unit=None, replicates=2000):
    unit = rows.unit_codes if unit is None else unit
    weights = bootstrap.poisson_weights(unit.max() + 1, replicates, seed=5)
    return intervals.bootstrap_differences({"": pair}, rows.label, unit, metric=metric, weights=weights)[""]


def test_delong_is_the_classic_one_where_each_row_is_a_unit():
    rows, pair = drawn(rows=300, base_rate=0.3)
    positive = rows.label == 1
    components = []
    for predicted in (pair.challenger.round(1), pair.champion.round(1)):  # with ties
        ours, theirs = predicted[positive][:, None], predicted[~positive][None, :]
        components.append((ours > theirs) + 0.5 * (ours == theirs))
    kernel = components[0] - components[1]
    m, n = kernel.shape
    variance = kernel.mean(axis=1).var(ddof=1) / m + kernel.mean(axis=0).var(ddof=1) / n
    value, error = delong.auc_difference(
        rows.label, pair.challenger.round(1), pair.champion.round(1), np.arange(rows.rows)
    )
    assert value == pytest.approx(kernel.mean())
    assert error == pytest.approx(np.sqrt(variance))


def test_placements_average_to_the_auc():
    rows, pair = drawn(rows=500)
    predicted = pair.challenger.round(1)
    placed = delong.placements(rows.label, predicted)
    expected = sklearn_metrics.roc_auc_score(rows.label, predicted)
    assert placed[rows.label == 1].mean() == pytest.approx(expected)
    assert placed[rows.label == 0].mean() == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "brier"])
def test_analytic_intervals_are_those_of_the_bootstrap_by_user(metric):
    # Each row three times, as a user's own: an interval by rows would be narrower by the root of three.
    rows, pair = drawn(rows=1500, users=1500)
    label, unit = np.tile(rows.label, 3), np.tile(np.arange(rows.rows), 3)
    tripled = Pair(np.tile(pair.challenger, 3), np.tile(pair.champion, 3))
    weights = bootstrap.poisson_weights(rows.rows, 2000, seed=5)
    expected = intervals.bootstrap_differences({"": tripled}, label, unit, metric=metric, weights=weights)[""]
    found = intervals.analytic_differences({"": tripled}, label, unit, metric=metric)[""]
    assert found.value == pytest.approx(expected.value, abs=1e-7)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.07)
    assert found.lower == pytest.approx(expected.lower, abs=0.2 * expected.standard_error)
    assert found.upper == pytest.approx(expected.upper, abs=0.2 * expected.standard_error)
    by_row = intervals.analytic_differences({"": tripled}, label, np.arange(len(label)), metric=metric)[""]
    assert by_row.standard_error == pytest.approx(found.standard_error / np.sqrt(3), rel=0.01)


def test_clustered_delong_is_the_bootstrap_where_users_have_both_labels():
    random = np.random.default_rng(2)
    rows, pair = drawn(rows=3000, users=500)
    # The challenger ranks all rows of some users too well, of others too badly: both labels err together.
    shared = random.normal(size=rows.units)[rows.unit_codes] * np.where(rows.label == 1, 1, -1)
    pair = Pair(pair.challenger * np.exp(shared) / 100, pair.champion)
    expected = bootstrapped(rows, pair, "roc_auc")
    found = intervals.analytic_differences({"": pair}, rows.label, rows.unit_codes, metric="roc_auc")[""]
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.06)
    by_row = bootstrapped(rows, pair, "roc_auc", np.arange(rows.rows), replicates=500)
    assert by_row.standard_error < 0.8 * expected.standard_error


@pytest.mark.parametrize("metric", ["roc_auc", "pr_auc", "log_loss", "brier"])
def test_a_positive_difference_is_a_better_challenger(metric):
    rows, pair = drawn(noise=(("challenger", 0.1), ("champion", 1.5)))
    better = bootstrapped(rows, pair, metric, replicates=200)
    worse = bootstrapped(rows, Pair(pair.champion, pair.challenger), metric, replicates=200)
    assert 0 < better.lower < better.value < better.upper
    assert worse.value == pytest.approx(-better.value)
    assert worse.upper == pytest.approx(-better.lower)


def test_equal_models_differ_by_nothing():
    rows, pair = drawn(rows=500)
    found = bootstrapped(rows, Pair(pair.champion, pair.champion), "roc_auc", replicates=200)
    assert (found.value, found.lower, found.upper, found.standard_error) == (0, 0, 0, 0)


def test_some_rows_are_judged_as_if_there_were_no_others():
    rows, pair = drawn()
    numbers = rows.by_date["2025-01-06"]
    weights = list(bootstrap.poisson_weights(rows.units, 100, seed=5))
    unit = rows.unit_codes
    whole = intervals.bootstrap_differences(
        {"": Pair(pair.challenger, pair.champion, numbers)}, rows.label, unit, metric="pr_auc", weights=weights
    )
    cut = Pair(pair.challenger[numbers], pair.champion[numbers])
    weights = [chunk[: unit[numbers].max() + 1] for chunk in weights]
    alone = intervals.bootstrap_differences(
        {"": cut}, rows.label[numbers], unit[numbers], metric="pr_auc", weights=weights
    )
    assert whole == alone


def test_few_users_of_a_class_have_no_interval():
    rows, pair = drawn(rows=500)
    unit = np.where(rows.label == 1, rows.unit_codes % 9, rows.unit_codes)  # all positives are of nine users
    found = intervals.differences({"": pair}, rows.label, unit, metric="roc_auc", replicates=100, seed=1)
    assert found == {"": None}


def test_many_users_are_judged_analytically(monkeypatch):
    assert intervals.method("roc_auc", 50_000) == "bootstrap"
    assert [intervals.method(metric, 50_001) for metric in ("roc_auc", "pr_auc", "log_loss", "brier")] == [
        "delong",
        "bootstrap",
        "ratio",
        "ratio",
    ]
    monkeypatch.setattr(intervals, "MAX_BOOTSTRAP_UNITS", 100)
    rows, pair = drawn(rows=500)
    found = intervals.differences({"": pair}, rows.label, rows.unit_codes, metric="roc_auc", replicates=100, seed=1)
    assert found[""].method == "delong"
