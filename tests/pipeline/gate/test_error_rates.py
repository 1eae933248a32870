"""The rule's error, on models whose true difference is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.gate_error_rates import (
    POSITIVES,
    SAMPLE,
    SETTINGS,
    Case,
    any_slice_refused,
    blessed_rate,
    differences,
    noise_rate,
    rates,
    scores,
)

RULE = ("bootstrap", "non_inferior")


@pytest.mark.parametrize("positives", POSITIVES)
def test_a_challenger_worse_by_the_margin_passes_in_at_most_67_of_1000_draws(positives):
    found = rates(Case(positives, -SETTINGS.margin), draws=1000, analytic=False)[RULE]
    print(f"{positives} positives, worse by the margin: {found}")
    assert found.blessed <= 0.067
    assert found.blessed >= 0.03  # far fewer would mean that the intervals are too wide


@pytest.mark.parametrize(("positives", "least", "most"), [(380, 0.52, 0.72), (1000, 0.87, 0.98)])
def test_how_often_an_equal_challenger_passes(positives, least, most):
    found = rates(Case(positives, 0.0), draws=300, analytic=False)[RULE]
    print(f"{positives} positives, equal: {found}")
    assert least <= found.blessed <= most
    assert found.refused <= 0.01


def test_rows_of_a_user_do_not_pass_for_more_evidence_than_they_are():
    found = rates(Case(380, -SETTINGS.margin, rows_per_user=3), draws=500, analytic=False)[RULE]
    assert found.blessed <= 0.075


def test_the_draws_are_what_they_claim():
    case = Case(380, -SETTINGS.margin, rows_per_user=3)
    random = np.random.default_rng(0)
    aucs = np.array([[roc_auc_score(case.label, drawn) for drawn in scores(case, random)] for _ in range(300)])
    assert aucs.mean(axis=0) == pytest.approx([0.925, 0.93], abs=0.002)
    found = [drawn["bootstrap"] for drawn in differences(Case(380, 0.0), 100, seed=1, analytic=False)]
    assert np.mean([difference.standard_error for difference in found]) == pytest.approx(0.0025, rel=0.1)


@pytest.mark.parametrize("rows_per_user", [1, 3])
@pytest.mark.parametrize("noise", [0.001, 0.01, 0.03, 0.1])
def test_a_model_that_knows_nothing_seldom_passes_on_a_first_run(noise, rows_per_user):
    assert noise_rate(noise, 1000, rows_per_user=rows_per_user) <= 0.025


@pytest.mark.parametrize("number", [1, 10, 50])
def test_many_slices_refuse_no_more_often_than_one(number):
    # The worst case: in each slice, the true loss is just what is accepted.
    assert any_slice_refused(number, -SETTINGS.slice_margin, draws=60) <= 0.13, "0.05 is expected, give or take 0.03"
    assert any_slice_refused(number, 0.0, draws=20) == 0


def test_runs_of_a_year_share_the_error():
    shared = blessed_rate(Case(380, -SETTINGS.margin), 2000, runs_per_year=52)
    assert shared * 52 <= 0.16, "0.05 is expected; the standard error of 2,000 draws is 0.035"
    assert blessed_rate(Case(4000, 0.0), 60, runs_per_year=52) >= 0.8, "with enough positives an equal model passes"


def test_the_standard_error_of_the_samples_models_is_the_measured_one():
    found = rates(Case(1000, 0.0, SAMPLE), 100, bootstrapped=False)["delong", "non_inferior"]
    assert found.standard_error == pytest.approx(0.0019, rel=0.05)
    assert 0.75 <= found.blessed <= 0.92
