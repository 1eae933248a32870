"""The stock pipeline's Keras trainer, in the style of TFX's examples: tf_dataset_factory, fit, a saved transform layer.

The network, optimizer, learning rate, batch size and number of steps are the same as in our Keras family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tfx_bsl.public import tfxio

from benchmarks.speed.same_models import compile_network, untrained_network
from models.families.keras.batch_ensemble import mean_probability
from models.families.keras.hyperparameters import Hyperparameters
from models.features import FeatureSet

if TYPE_CHECKING:
    from tfx.v1.components import DataAccessor, FnArgs

ADAPT_ROWS = 50_000  # rows from which the network learns the bins of its numbers


def run_fn(fn_args: FnArgs) -> None:
    """TFX's Trainer calls this. `custom_config` holds `features`, `label` and all `hyperparameters`."""
    config = fn_args.custom_config
    features, label = FeatureSet.from_config(config["features"]), config["label"]
    settings = Hyperparameters(**config["hyperparameters"])
    transform_output = tft.TFTransformOutput(fn_args.transform_output)

    train_dataset = _input_fn(fn_args.train_files, fn_args.data_accessor, transform_output, features, label, settings)
    eval_dataset = _input_fn(fn_args.eval_files, fn_args.data_accessor, transform_output, features, label, settings)
    network = _build_network(train_dataset, transform_output, features, settings)
    compile_network(network, settings)
    network.fit(
        train_dataset,
        steps_per_epoch=fn_args.train_steps,
        validation_data=eval_dataset,
        validation_steps=fn_args.eval_steps,
        callbacks=[keras.callbacks.TensorBoard(log_dir=fn_args.model_run_dir, update_freq="epoch")],
        verbose=2,
    )
    _save(network, transform_output, features, label, fn_args.serving_model_dir)


def _input_fn(
    file_pattern: list[str],
    data_accessor: DataAccessor,
    transform_output: tft.TFTransformOutput,
    features: FeatureSet,
    label: str,
    settings: Hyperparameters,
) -> tf.data.Dataset:
    """Endless batches `((numbers, categories), label)` of transformed examples."""
    options = tfxio.TensorFlowDatasetOptions(batch_size=settings.batch_size, label_key=label)
    schema = transform_output.transformed_metadata.schema
    batches = data_accessor.tf_dataset_factory(file_pattern, options, schema).repeat()
    return batches.map(
        lambda transformed, labels: (
            _network_inputs(transformed, features),
            tf.cast(tf.reshape(labels, [-1]), tf.float32),
        )
    )


def _network_inputs(transformed: dict[str, tf.Tensor], features: FeatureSet) -> tuple[tf.Tensor, tf.Tensor]:
    numbers = [tf.reshape(transformed[feature.name], [-1]) for feature in features.numeric]
    categories = [tf.reshape(transformed[feature.name], [-1]) for feature in features.categorical]
    return tf.stack(numbers, axis=1), tf.cast(tf.stack(categories, axis=1), tf.int32)


def _build_network(
    dataset: tf.data.Dataset,
    transform_output: tft.TFTransformOutput,
    features: FeatureSet,
    settings: Hyperparameters,
) -> keras.Model:
    """The network of our family. Its bins come from some batches, as when a Keras layer adapts."""
    sample = list(dataset.take(max(1, ADAPT_ROWS // settings.batch_size)))
    numbers = np.concatenate([inputs[0].numpy() for inputs, _ in sample])
    label = np.concatenate([labels.numpy() for _, labels in sample])
    vocabularies = tuple(transform_output.vocabulary_size_by_name(feature.name) for feature in features.categorical)
    return untrained_network(numbers, label, vocabularies, features, settings)


def _save(
    network: keras.Model, transform_output: tft.TFTransformOutput, features: FeatureSet, label: str, directory: str
) -> None:
    """Saves the network with the transform layer and one signature, `serving_default`, of serialised tf.Examples.

    It uses `tf.saved_model.save`, as TFX's examples do, but saves a module: Keras 3's `model.save` writes no folder.
    """
    module = tf.Module()
    module.weights = [weight.value for weight in network.weights]
    module.transform_layer = transform_output.transform_features_layer()
    spec = transform_output.raw_feature_spec()
    spec.pop(label)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serving_default(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = module.transform_layer(tf.io.parse_example(examples, spec))
        logits = network(_network_inputs(transformed, features), training=False)
        return {"probability": mean_probability(logits)[:, tf.newaxis]}

    tf.saved_model.save(module, directory, signatures={"serving_default": serving_default})
