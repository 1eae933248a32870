"""The rule's error, on models whose true difference is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.gate_error_rates import ROWS, SETTINGS, Case, differences, rates, scores

RULE = ("bootstrap", "non_inferior")


@pytest.mark.parametrize("positives", list(ROWS))
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
