"""Sizes of arms, by simulation of the test that they are for, and against published figures."""

import numpy as np
import pytest

from pipeline.scores.power import LIFTS, arm_sizes

EXPERIMENTS = 40_000


def seen(treated, holdout, treated_rate, holdout_rate):
    """The share of simulated experiments in which the two-sided z-test with pooled variance sees a difference."""
    draws = np.random.default_rng(7)
    first = draws.binomial(treated, treated_rate, EXPERIMENTS) / treated
    second = draws.binomial(holdout, holdout_rate, EXPERIMENTS) / holdout
    pooled = (first * treated + second * holdout) / (treated + holdout)
    error = np.sqrt(pooled * (1 - pooled) * (1 / treated + 1 / holdout))
    return (np.abs(first - second) > 1.959964 * error).mean()


@pytest.mark.parametrize(("base_rate", "share"), [(0.02, 0.1), (0.05, 0.5), (0.3, 0.2), (0.1, 0.03)])
def test_simulated_experiments_see_the_lift_as_often_as_they_should(base_rate, share):
    for sizes in arm_sizes(base_rate, share):
        power = seen(sizes.treated, sizes.holdout, base_rate * (1 + sizes.lift), base_rate)
        assert power == pytest.approx(0.8, abs=0.025)
        assert seen(sizes.treated, sizes.holdout, base_rate, base_rate) == pytest.approx(0.05, abs=0.01)
        fewer = seen(sizes.treated // 2, sizes.holdout // 2, base_rate * (1 + sizes.lift), base_rate)
        assert fewer < 0.6


def test_a_well_known_size():
    """From 50 % to 60 % with equal arms and without correction: 388 each (for example R's power.prop.test: 387.3)."""
    [sizes] = arm_sizes(0.5, 0.5, [0.2])
    assert (sizes.treated, sizes.holdout) == (388, 388)


def test_the_holdout_has_its_share_and_small_lifts_need_more():
    found = arm_sizes(0.02, 0.05)
    assert [sizes.lift for sizes in found] == list(LIFTS)
    for sizes in found:
        assert sizes.holdout / (sizes.treated + sizes.holdout) == pytest.approx(0.05, rel=0.01)
    assert [sizes.holdout for sizes in found] == sorted((sizes.holdout for sizes in found), reverse=True)


def test_a_rate_above_one_cannot_be_seen():
    assert [sizes.treated is None for sizes in arm_sizes(0.7, 0.5, [0.2, 0.5])] == [False, True]


@pytest.mark.parametrize(("base_rate", "share", "lifts"), [(0, 0.1, [0.1]), (1, 0.1, [0.1]), (0.1, 0, [0.1])])
def test_values_out_of_range_are_refused(base_rate, share, lifts):
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        arm_sizes(base_rate, share, lifts)


def test_a_lift_of_nothing_is_refused():
    with pytest.raises(ValueError, match="a lift must be above 0"):
        arm_sizes(0.1, 0.1, [0.0])
