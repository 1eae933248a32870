"""The run_fn that TFX's Trainer calls for every model family."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_transform as tft

from models.attributions import verify_attributions
from models.description import DESCRIPTION_FILE, Description
from models.export import SAMPLE_ROWS, export_saved_model, verify_export
from models.families.contract import load_model_module
from pipeline.examples.transformed import TrainingBatches, read_training_data
from pipeline.training.arguments import read_arguments

if TYPE_CHECKING:
    from tfx.v1.components import FnArgs


def run_fn(fn_args: FnArgs) -> None:
    """Trains a model on the transformed examples and exports it with raw-feature signatures.

    Args:
        fn_args: the Trainer's; for `custom_config` see pipeline.training.arguments. `train_steps` limits the steps or
            rounds; early stopping usually ends training before.

    Raises:
        SettingsError: the features or hyperparameters are not valid.
        ValueError: there is no such family, or a split has no rows.
        ExportMismatchError: the saved model's probabilities differ from the trained model's.
        AttributionMismatchError: the contributions of features do not add up to the saved model's log odds.
    """
    arguments = read_arguments(fn_args)
    features, family = arguments.features, load_model_module(arguments.family)
    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    source = (fn_args.data_accessor, transform_output, features, arguments.label)
    evaluation = read_training_data(fn_args.eval_files, *source)
    batches = TrainingBatches(fn_args.train_files, *source)
    with batches.kept_quick() if family.READS_REPEATEDLY else contextlib.nullcontext(batches) as training:
        model = family.fit(
            training, evaluation, arguments.inputs(transform_output), arguments.settings, fn_args.model_run_dir
        )

    directory = fn_args.serving_model_dir
    attributions = model.attributions
    export_saved_model(directory, model.score, model.variables, transform_output, features, attributions.graph)
    sample = evaluation.sample(SAMPLE_ROWS)
    verify_export(directory, sample.by_feature(features), model.predict(sample))
    description = Description(arguments.family, features, attributions.method, attributions.baseline)
    _write(directory, {**model.files, DESCRIPTION_FILE: description.to_json()})
    verify_attributions(directory, sample.by_feature(features))


def _write(directory: str, files: Mapping[str, bytes]) -> None:
    """Writes files into the SavedModel's folder."""
    for name, content in files.items():
        path = os.path.join(directory, name)
        tf.io.gfile.makedirs(os.path.dirname(path))
        with tf.io.gfile.GFile(path, "wb") as stream:
            stream.write(content)
