"""The XGBoost family: TFX's Trainer calls `run_fn`, which reads transformed examples, trains and exports."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_transform as tft

from models.export import SAMPLE_ROWS, export_saved_model, verify_export
from models.families.xgboost.booster_format import parse_booster
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.training import column_names, predict, train
from models.families.xgboost.tree_graph import TreeGraph
from models.features import FeatureSet
from models.trainer_arguments import hyperparameters_of
from pipeline.examples.transformed import TrainingBatches, read_training_data

if TYPE_CHECKING:
    from tfx.v1.components import FnArgs

BOOSTER_FILE = "assets.extra/booster.ubj"  # in the SavedModel's folder, for XGBoost's own tools


def run_fn(fn_args: FnArgs) -> None:
    """Trains a booster on the transformed examples and exports it with raw-feature signatures.

    Args:
        fn_args: the Trainer's; `custom_config` holds `features` (FeatureSet.to_config()), `label` and, optionally,
            `hyperparameters`, which the Tuner's override. `train_steps` bounds the rounds; early stopping usually ends
            training before.

    Raises:
        SettingsError: the features or hyperparameters are not valid.
        ValueError: a split has no rows.
        UnsupportedBoosterError: the booster can't be written as TensorFlow ops.
        ExportMismatchError: the saved model predicts otherwise than the booster.
    """
    config = fn_args.custom_config
    features, label = FeatureSet.from_config(config["features"]), config["label"]
    settings = hyperparameters_of(fn_args, Hyperparameters)
    if fn_args.train_steps:
        settings = settings.model_copy(update={"max_rounds": min(settings.max_rounds, fn_args.train_steps)})

    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    source = (fn_args.data_accessor, transform_output, features, label)
    evaluation = read_training_data(fn_args.eval_files, *source)
    with TrainingBatches(fn_args.train_files, *source).kept_quick() as training:
        booster = train(training, [evaluation], features, settings, fn_args.model_run_dir)

    trees = TreeGraph(parse_booster(booster))
    export_saved_model(
        fn_args.serving_model_dir,
        score=lambda transformed: trees(booster_inputs(transformed, features)),
        variables=[trees],
        transform_output=transform_output,
        features=features,
    )
    sample = evaluation.sample(SAMPLE_ROWS)
    verify_export(fn_args.serving_model_dir, sample.by_feature(features), predict(booster, sample, features))
    file = os.path.join(fn_args.serving_model_dir, BOOSTER_FILE)
    tf.io.gfile.makedirs(os.path.dirname(file))
    with tf.io.gfile.GFile(file, "wb") as stream:
        stream.write(bytes(booster.save_raw("ubj")))


def booster_inputs(transformed: dict[str, tf.Tensor], features: FeatureSet) -> tf.Tensor:
    """The booster's columns from transformed features: float32 `[batch, features]`."""
    return tf.stack([tf.cast(transformed[name], tf.float32) for name in column_names(features)], axis=1)
