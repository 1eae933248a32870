"""The Keras family: TFX's Trainer calls `run_fn`, which reads transformed examples, trains and exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_transform as tft

from models.export import SAMPLE_ROWS, export_saved_model, verify_export
from models.families.keras.batch_ensemble import mean_probability
from models.families.keras.hyperparameters import Hyperparameters
from models.families.keras.training import compile_predict, train
from models.features import FeatureSet
from models.trainer_arguments import hyperparameters_of
from pipeline.examples.transformed import read_training_data

if TYPE_CHECKING:
    from tfx.v1.components import FnArgs


def run_fn(fn_args: FnArgs) -> None:
    """Trains the network on the transformed examples and exports it with raw-feature signatures.

    Args:
        fn_args: the Trainer's; `custom_config` holds `features` (FeatureSet.to_config()), `label` and, optionally,
            `hyperparameters`, which the Tuner's override. `train_steps` bounds the steps; early stopping usually ends
            training before.

    Raises:
        SettingsError: the features or hyperparameters are not valid.
        ValueError: a split has no rows.
        ExportMismatchError: the saved network predicts otherwise than the trained one.
    """
    config = fn_args.custom_config
    features, label = FeatureSet.from_config(config["features"]), config["label"]
    settings = hyperparameters_of(fn_args, Hyperparameters)
    if fn_args.train_steps:
        settings = settings.model_copy(update={"max_steps": fn_args.train_steps})

    transform_output = tft.TFTransformOutput(fn_args.transform_output)
    training, evaluation = (
        read_training_data(files, fn_args.data_accessor, transform_output, features, label)
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    vocabularies = tuple(transform_output.vocabulary_size_by_name(feature.name) for feature in features.categorical)
    network = train(training, evaluation, features, vocabularies, settings, fn_args.model_run_dir)
    export_saved_model(
        fn_args.serving_model_dir,
        score=lambda transformed: mean_probability(network(network_inputs(transformed, features), training=False)),
        # Keras 3 variables themselves can't be found by a C++ server.
        variables=[weight.value for weight in network.weights],
        transform_output=transform_output,
        features=features,
    )
    sample = evaluation.sample(SAMPLE_ROWS)
    verify_export(fn_args.serving_model_dir, sample.by_feature(features), compile_predict(network)(sample))


def network_inputs(transformed: dict[str, tf.Tensor], features: FeatureSet) -> list[tf.Tensor]:
    """The network's two inputs from transformed features: float32 `[batch, numbers]`, int32 `[batch, categories]`."""
    rows = tf.shape(transformed[features.names[0]])[0]
    return [
        tf.stack([tf.cast(transformed[feature.name], dtype) for feature in chosen], axis=1)
        if chosen
        else tf.zeros([rows, 0], dtype)
        for chosen, dtype in ((features.numeric, tf.float32), (features.categorical, tf.int32))
    ]
