"""Tunes the Keras family: TFX's Tuner calls `tuner_fn`. A trial's score is the eval log loss of a trained network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from models.families.keras.hyperparameters import Hyperparameters
from models.families.keras.training import compile_predict, log_loss, train
from models.features import FeatureSet
from models.trainer_arguments import hyperparameters_of
from models.training_data import TrainingData
from models.tuned import HIDDEN_UNITS, with_values
from models.tuning import ScoreTuner, SearchSpace, choose_oracle
from pipeline.examples.raw import read_raw_training_data

if TYPE_CHECKING:
    from tfx.v1.components import FnArgs


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares the search on raw examples.

    Args:
        fn_args: the Tuner's; `custom_config` holds `features` (FeatureSet.to_config()), `label`, `hyperparameters` (the
            family's settings, which the first trial has) and `tuning` (with `search` and `trials`). `train_steps`
            bounds the steps of a trial.

    Raises:
        SettingsError: the features or hyperparameters are not valid.
        ValueError: a split has no rows.
    """
    config = fn_args.custom_config
    features, label = FeatureSet.from_config(config["features"]), config["label"]
    settings = hyperparameters_of(fn_args, Hyperparameters)
    if fn_args.train_steps:
        settings = settings.model_copy(update={"max_steps": fn_args.train_steps})

    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    training, evaluation = (
        read_raw_training_data(files, transform_output, features, label)[0]
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    vocabularies = tuple(transform_output.vocabulary_size_by_name(feature.name) for feature in features.categorical)
    tuning = config["tuning"]
    space = search_space(settings, len(training))
    oracle = choose_oracle(tuning["search"], space, tuning["trials"], settings.seed)
    score = _eval_log_loss(training, evaluation, features, vocabularies, settings)
    return TunerFnResult(ScoreTuner(score, oracle, fn_args.working_dir), fit_kwargs={})


def search_space(settings: Hyperparameters, rows: int) -> keras_tuner.HyperParameters:
    """What is searched, around the settings for a number of training rows."""
    settings = settings.for_rows(rows)
    space = SearchSpace()
    space.number("learning_rate", 5e-4, 2e-2, settings.learning_rate, log=True)
    space.integer(HIDDEN_UNITS, 32, 256, settings.hidden[0], log=True)
    space.number("dropout", 0.0, 0.4, settings.dropout)
    space.integer("embedding", 4, 16, settings.embedding, log=True)
    space.integer("bins", 4, 64, settings.bins, log=True)
    return space.hyperparameters


def _eval_log_loss(
    training: TrainingData,
    evaluation: TrainingData,
    features: FeatureSet,
    vocabularies: tuple[int, ...],
    settings: Hyperparameters,
) -> Callable[[dict[str, Any]], float]:
    """A function that trains a network by a trial's values, and returns its lowest eval log loss."""

    def score(values: dict[str, Any]) -> float:
        keras.utils.clear_session()  # the last trial's graphs
        network = train(training, evaluation, features, vocabularies, with_values(values, settings))
        return log_loss(evaluation.label, compile_predict(network)(evaluation))

    return score
