import logging

import numpy as np
import pytest

from models.tuning import ScoreTuner, SearchSpace, choose_oracle

SEARCHES = ("random", "bayesian")
pytestmark = pytest.mark.filterwarnings("ignore:The optimal value found")  # of a process fitted to a handful of trials


def two_numbers():
    space = SearchSpace()
    space.number("x", -1.0, 1.0, 0.9)
    space.integer("n", 1, 100, 80, log=True)
    return space.hyperparameters


def bowl(values):
    """Lowest, 0.2, at x = 0.3 and n = 10."""
    return 0.2 + (values["x"] - 0.3) ** 2 + 0.1 * (np.log10(values["n"]) - 1) ** 2


def searched(search, directory, score=bowl, trials=8, seed=1):
    tuner = ScoreTuner(score, choose_oracle(search, two_numbers(), trials, seed), str(directory))
    tuner.search()
    return tuner


def tried(tuner):
    return [dict(trial.hyperparameters.values) for trial in tuner.oracle.trials.values()]


@pytest.mark.parametrize("search", SEARCHES)
def test_first_trial_has_the_defaults(search, tmp_path):
    assert tried(searched(search, tmp_path, trials=2))[0] == {"x": 0.9, "n": 80}


@pytest.mark.parametrize("search", SEARCHES)
def test_best_trial_is_the_lowest_score(search, tmp_path):
    tuner = searched(search, tmp_path)
    best = tuner.get_best_hyperparameters()[0].values
    assert bowl(best) == min(bowl(values) for values in tried(tuner)) < bowl({"x": 0.9, "n": 80})


def test_best_are_the_defaults_where_nothing_is_better(tmp_path):
    tuner = searched("random", tmp_path, score=lambda values: abs(values["x"] - 0.9))
    assert tuner.get_best_hyperparameters()[0].values == {"x": 0.9, "n": 80}


@pytest.mark.parametrize("search", SEARCHES)
def test_same_seed_gives_the_same_trials(search, tmp_path):
    trials = [tried(searched(search, tmp_path, trials=4, seed=seed)) for seed in (0, 0, 1)]
    assert trials[0] == trials[1] != trials[2]


def test_bayesian_search_learns_from_earlier_trials(tmp_path):
    """Of 20 trials, those that the results propose are on average better than those that were drawn."""
    drawn, proposed = [], []
    for seed in range(2):
        scores = [bowl(values) for values in tried(searched("bayesian", tmp_path / str(seed), trials=20, seed=seed))]
        drawn += scores[1:6]
        proposed += scores[6:]
    assert np.mean(proposed) < 0.5 * (np.mean(drawn) - 0.2) + 0.2


def test_bayesian_search_goes_to_the_end_of_a_range_and_not_beyond(tmp_path):
    tuner = searched("bayesian", tmp_path, score=lambda values: 1 - np.log10(values["n"]) / 4, trials=12)
    assert max(values["n"] for values in tried(tuner)) == 100


def test_a_line_for_each_trial_and_none_of_what_runs_inside(tmp_path, caplog):
    progress = logging.getLogger("propensity.progress")

    def score(values):
        progress.info("step 7 of 9")
        return bowl(values)

    with caplog.at_level("INFO", logger="propensity"):
        tuner = searched("random", tmp_path, score, trials=3)
    losses = [bowl(values) for values in tried(tuner)]
    assert [record.getMessage() for record in caplog.records] == [
        f"trial {done} of 3: log loss {losses[done - 1]:.4f}, best {min(losses[:done]):.4f}" for done in (1, 2, 3)
    ]


def test_failing_trial_ends_the_search_and_is_named(tmp_path):
    def score(values):
        if values["x"] != 0.9:
            raise MemoryError("not enough memory")
        return 0.5

    with pytest.raises(RuntimeError, match=r"trial 2 of 8 \(x=.*, n=\d+\) failed: not enough memory"):
        searched("random", tmp_path, score)


def test_log_loss_that_is_no_number_ends_the_search(tmp_path):
    with pytest.raises(RuntimeError, match=r"trial 1 of 8 .* log loss is nan"):
        searched("random", tmp_path, lambda values: float("nan"))


def test_search_begins_anew_in_a_used_folder(tmp_path):
    searched("random", tmp_path, trials=2)
    assert len(tried(searched("random", tmp_path, trials=3))) == 3


def test_unknown_search_is_refused():
    with pytest.raises(ValueError, match="'grid'"):
        choose_oracle("grid", two_numbers(), 3, 1)


def test_default_outside_its_range_widens_it():
    space = SearchSpace()
    space.number("low", 0.1, 1.0, 0.0, log=True)
    space.integer("high", 2, 10, 12)
    low, high = space.hyperparameters.space
    assert (low.min_value, low.default, low.sampling) == (0.0, 0.0, "linear")
    assert (high.max_value, high.default) == (12, 12)
