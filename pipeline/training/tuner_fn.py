"""The tuner_fn that TFX's Tuner calls for every model family."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow_transform as tft
from tfx.components.tuner.component import TunerFnResult

from models.families.contract import TuningRows, load_tuning_module
from models.tuning import ScoreTuner, choose_oracle
from pipeline.examples.raw import read_raw_training_data
from pipeline.training.arguments import read_arguments

if TYPE_CHECKING:
    from tfx.v1.components import FnArgs


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares the search on raw examples, which alone know whose row is whose.

    Args:
        fn_args: the Tuner's; for `custom_config` see pipeline.training.arguments. It also holds `tuning`, with
            `search`, `trials` and `folds`. The first trial has the family's settings.

    Raises:
        SettingsError: the features or hyperparameters are not valid.
        ValueError: there is no such family, a split has no rows, or there are fewer training users than folds.
    """
    arguments, tuning = read_arguments(fn_args), fn_args.custom_config["tuning"]
    settings, family = arguments.settings, load_tuning_module(arguments.family)
    transform_output = tft.TFTransformOutput(fn_args.transform_graph_path)
    (training, units), (evaluation, _) = (
        read_raw_training_data(files, transform_output, arguments.features, arguments.label)
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    rows = TuningRows(training, units, evaluation, arguments.inputs(transform_output))
    space = family.search_space(settings, len(training))
    oracle = choose_oracle(tuning["search"], space, tuning["trials"], settings.seed)
    score = family.trial_score(rows, settings, tuning["folds"])
    return TunerFnResult(ScoreTuner(score, oracle, fn_args.working_dir), fit_kwargs={})
