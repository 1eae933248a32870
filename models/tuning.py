"""A search for hyperparameters behind KerasTuner's interface. TFX's Tuner runs it for every model family."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import keras_tuner
import threadpoolctl
from keras_tuner.engine import base_tuner
from keras_tuner.engine import trial as trial_module

_PROGRESS = logging.getLogger("propensity.progress")
_TRIALS = logging.getLogger("propensity.trials")
_OBJECTIVE = "log_loss"
#: Share of the trials of a Bayesian search that are drawn at random before results propose the next trial.
_RANDOM_SHARE = 0.3
#: Assumed noise of a trial's score in a Bayesian search, as a share of the variance between the trials' scores.
_SCORE_NOISE = 0.01


class ScoreTuner(base_tuner.BaseTuner):
    """Runs each trial with one function. The first trial has the default values, so the best is at least as good."""

    def __init__(self, score: Callable[[dict[str, Any]], float], oracle: keras_tuner.Oracle, directory: str) -> None:
        """Builds the tuner.

        Args:
            score: takes the values of a trial by name and returns the log loss, which is minimised.
            oracle: proposes the trials; see `choose_oracle`.
            directory: where the trials are recorded. Records of an earlier search are removed.
        """
        super().__init__(oracle, directory=directory, project_name="search", overwrite=True)
        self._score = score

    def run_trial(self, trial: trial_module.Trial, *_: Any, **__: Any) -> float:
        """Scores one trial and logs one line.

        Raises:
            keras_tuner.errors.FatalRuntimeError: the trial failed, or its log loss is not finite. (KerasTuner would
                record any other error and continue.)
        """
        values = trial.hyperparameters.values
        name = f"trial {len(self.oracle.trials)} of {self.oracle.max_trials}"
        try:
            with _silent_progress():
                loss = self._score(dict(values))
            if not math.isfinite(loss):
                raise ValueError(f"its log loss is {loss}")
        except Exception as error:
            chosen = ", ".join(f"{key}={value:.6g}" for key, value in values.items())
            raise keras_tuner.errors.FatalRuntimeError(f"{name} ({chosen}) failed: {error}") from error
        earlier = [done.score for done in self.oracle.trials.values() if done.score is not None]
        _TRIALS.info("%s: log loss %.4f, best %.4f", name, loss, min([loss, *earlier]))
        return loss


def choose_oracle(
    search: Literal["random", "bayesian"], space: keras_tuner.HyperParameters, trials: int, seed: int
) -> keras_tuner.Oracle:
    """The oracle that proposes the values of each trial. The first trial has the defaults of the space.

    Args:
        search: `random`, or `bayesian`: after some random trials, a Gaussian process that is fitted to all earlier
            results proposes the next one.
        space: the hyperparameters with their ranges and defaults.
        trials: most trials. A space with fewer different values ends the search earlier.
        seed: seed of the random draws.
    """
    options = {
        "objective": keras_tuner.Objective(_OBJECTIVE, "min"),
        "max_trials": trials,
        "hyperparameters": space,
        "seed": seed + 1,  # to KerasTuner, 0 means "any"
    }
    oracle: keras_tuner.Oracle
    if search == "bayesian":
        initial = max(2, round(trials * _RANDOM_SHARE))
        oracle = _DefaultsFirstBayesian(num_initial_points=initial, alpha=_SCORE_NOISE, **options)
    elif search == "random":
        oracle = _DefaultsFirstRandom(**options)
    else:
        raise ValueError(f"search must be 'random' or 'bayesian', not '{search}'")
    oracle.verbose = 0  # prints no tables
    return oracle


class _DefaultsFirst(keras_tuner.Oracle):
    """An oracle whose first trial has the defaults."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial, in KerasTuner's form."""
        if self.trials:
            return super().populate_space(trial_id)
        defaults = {hyperparameter.name: hyperparameter.default for hyperparameter in self.get_space().space}
        return {"status": trial_module.TrialStatus.RUNNING, "values": defaults}


class _DefaultsFirstRandom(_DefaultsFirst, keras_tuner.oracles.RandomSearchOracle):
    pass


class _DefaultsFirstBayesian(_DefaultsFirst, keras_tuner.oracles.BayesianOptimizationOracle):
    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The values of the next trial, in KerasTuner's form."""
        # Matrices are so small here that several threads take up to 18 times as long as one.
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            proposed = super().populate_space(trial_id)
        # At the upper end of a logarithmic range, KerasTuner proposes an integer that is too large by one.
        greatest = {number.name: number.max_value for number in self.get_space().space}
        values = {name: min(value, greatest[name]) for name, value in (proposed["values"] or {}).items()}
        return {**proposed, "values": values}


class SearchSpace:
    """Collects the ranges of hyperparameters. A default outside its range widens the range."""

    def __init__(self) -> None:
        """Starts empty."""
        self.hyperparameters = keras_tuner.HyperParameters()

    def number(self, name: str, low: float, high: float, default: float, *, log: bool = False) -> None:
        """Adds a real number, drawn evenly or, with `log`, evenly by its logarithm."""
        low, high = min(low, default), max(high, default)
        self.hyperparameters.Float(name, low, high, sampling=_sampling(low, log), default=default)

    def integer(self, name: str, low: int, high: int, default: int, *, log: bool = False) -> None:
        """Adds an integer, drawn evenly or, with `log`, evenly by its logarithm."""
        low, high = min(low, default), max(high, default)
        self.hyperparameters.Int(name, low, high, sampling=_sampling(low, log), default=default)


def _sampling(low: float, log: bool) -> str:
    return "log" if log and low > 0 else "linear"


@contextlib.contextmanager
def _silent_progress() -> Iterator[None]:
    """Drops the progress of training inside a trial, which would be hundreds of lines."""

    def drop(record: logging.LogRecord) -> bool:
        return False

    _PROGRESS.addFilter(drop)
    try:
        yield
    finally:
        _PROGRESS.removeFilter(drop)
