"""The SavedModel of every model family: raw features in, probability out, the transform graph inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from models.features import FeatureSet, Kind
from models.signatures import EXAMPLES_SIGNATURE, OUTPUT, TENSORS_SIGNATURE, TRANSFORM_SIGNATURE

Tensors = dict[str, Any]  # tf.Tensor or tf.SparseTensor by feature name

#: Rows of eval on which the exported model is compared with the trained one.
SAMPLE_ROWS = 10_000
#: Largest difference between the probabilities of the exported and the trained model.
_TOLERANCE = 1e-5
_ROWS_PER_CALL = 2_048


class ExportMismatchError(RuntimeError):
    """The saved model and the trained model give different probabilities."""


def export_saved_model(
    directory: str,
    score: Callable[[dict[str, tf.Tensor]], tf.Tensor],
    variables: Sequence[Any],
    transform_output: tft.TFTransformOutput,
    features: FeatureSet,
    contributions: Callable[[dict[str, tf.Tensor]], tf.Tensor] | None = None,
) -> None:
    """Writes a SavedModel with three signatures. None of them takes the label.

    `serving_default`: `examples`, serialised tf.Examples of raw features, string `[batch]`.
    `predict`: a tensor for each raw feature, by its name: a number as float32 `[batch]`, NaN if missing; a category as
    string `[batch]`, '' if missing.
    Both return `probability`, float32 `[batch, 1]`.
    `transform_features`: `examples`; returns the transformed features, each `[batch]`.

    The quantile map clips infinity like any extreme value, so a request with an infinite number gets a probability.

    The loaded model has three more functions as attributes, for programs in Python: `score`; `transform_tensors`, from
    the inputs of `predict` to the outputs of `transform_features`; and `contributions`, if it is given.

    Args:
        directory: where to write. It is created.
        score: maps transformed features (see preprocessing.py) to probabilities, float32 `[batch]`.
        variables: all tf.Variables and other resources that `score` and `contributions` use. Of Keras 3 variables pass
            `.value`: a C++ server cannot load a model with the variables themselves.
        transform_output: the transform graph's folder.
        features: the features.
        contributions: maps transformed features to contributions, float32 `[batch, features]`; see
            contract.Attributions.

    Raises:
        ValueError: a feature is not an input of the transform graph.
    """
    spec = transform_output.raw_feature_spec()
    absent = [name for name in features.names if name not in spec]
    if absent:
        raise ValueError(f"the transform graph has no input for: {', '.join(absent)}")
    wanted = {name: spec[name] for name in features.names}

    module = tf.Module()
    module.variables_of_score = list(variables)
    # Not transform_features_layer(): Keras traces it again, with autograph, when it saves it.
    graph = tf.saved_model.load(transform_output.transform_savedmodel_dir)
    used = {id(captured) for captured in graph.transform_fn.captured_inputs}
    # Each vocabulary's table without its wrapper, which would double the loading time.
    module.tables = [table for table in graph.resources if id(table.resource_handle) in used]
    module.score = tf.function(score, input_signature=[_named_tensors(features, tf.int64)], autograph=False)
    if contributions:
        module.contributions = tf.function(contributions, module.score.input_signature, autograph=False)

    def transform(raw: Tensors, rows: tf.Tensor) -> Tensors:
        unused = {name: _no_value(kind, rows) for name, kind in spec.items() if name not in wanted}
        transformed = graph.transform_fn({**raw, **unused})
        return {name: transformed[name] for name in features.names}

    def probability(transformed: Tensors) -> dict[str, tf.Tensor]:
        return {OUTPUT: module.score(transformed)[:, tf.newaxis]}

    examples = tf.TensorSpec([None], tf.string, name="examples")

    @tf.function(input_signature=[examples], autograph=False)
    def transform_features(examples):
        return transform(tf.io.parse_example(examples, wanted), tf.size(examples))

    @tf.function(input_signature=[examples], autograph=False)
    def serving_default(examples):
        return probability(transform_features(examples))

    @tf.function(input_signature=[_named_tensors(features, tf.string)], autograph=False)
    def transform_tensors(named):
        rows = tf.size(named[features.names[0]])
        return transform({name: _raw(named[name], wanted[name], rows) for name in features.names}, rows)

    @tf.function(input_signature=[_named_tensors(features, tf.string)], autograph=False)
    def predict(named):
        return probability(transform_tensors(named))

    module.transform_tensors = transform_tensors
    tf.saved_model.save(
        module,
        directory,
        signatures={
            EXAMPLES_SIGNATURE: serving_default,
            TENSORS_SIGNATURE: predict,
            TRANSFORM_SIGNATURE: transform_features,
        },
    )


def verify_export(directory: str, transformed: dict[str, np.ndarray], expected: np.ndarray) -> None:
    """Loads a model that export_saved_model wrote and compares it with the trained one. Deletes it if they differ.

    Args:
        directory: the model's folder.
        transformed: transformed features by name, each `[rows]`.
        expected: the trained model's probabilities of these rows, float32 `[rows]`.

    Raises:
        ExportMismatchError: a probability differs by more than `_TOLERANCE`, or is not a number.
    """
    model = tf.saved_model.load(directory)
    starts = range(0, len(expected), _ROWS_PER_CALL)
    saved = np.concatenate(
        [
            model.score({name: values[start : start + _ROWS_PER_CALL] for name, values in transformed.items()}).numpy()
            for start in starts
        ]
    )
    difference = np.abs(saved - expected).max()
    if not difference <= _TOLERANCE:  # also true for NaN
        tf.io.gfile.rmtree(directory)
        raise ExportMismatchError(
            f"the saved model's probabilities differ from the trained model's by up to {difference:.2g} on "
            f"{len(expected):,} eval rows; at most {_TOLERANCE:.0e} is allowed. The saved model was deleted"
        )


def _named_tensors(features: FeatureSet, category: tf.DType) -> dict[str, tf.TensorSpec]:
    """A tensor for each feature, by name: a number as float32, a category as `category`."""
    dtypes = {Kind.NUMERIC: tf.float32, Kind.CATEGORICAL: category}
    return {feature.name: tf.TensorSpec([None], dtypes[feature.kind], feature.name) for feature in features.features}


def _raw(
    values: tf.Tensor, spec: tf.io.VarLenFeature | tf.io.FixedLenFeature, rows: tf.Tensor
) -> tf.Tensor | tf.SparseTensor:
    """A named tensor `[batch]` in the form that the transform graph takes; a sparse one leaves out missing values."""
    if isinstance(spec, tf.io.FixedLenFeature):
        return tf.reshape(tf.cast(values, spec.dtype), [-1, *spec.shape])
    present = tf.where(values != "" if values.dtype == tf.string else tf.logical_not(tf.math.is_nan(values)))
    return tf.SparseTensor(
        indices=tf.pad(present, [[0, 0], [0, 1]]),  # row and position, which is 0
        values=tf.cast(tf.gather_nd(values, present), spec.dtype),
        dense_shape=tf.cast(tf.stack([rows, 1]), tf.int64),
    )


def _no_value(spec: tf.io.VarLenFeature | tf.io.FixedLenFeature, rows: tf.Tensor) -> tf.Tensor | tf.SparseTensor:
    """A placeholder for an input of the transform graph that no feature depends on, such as the label."""
    if isinstance(spec, tf.io.FixedLenFeature):
        return tf.fill(tf.stack([rows, *spec.shape]), tf.constant("" if spec.dtype == tf.string else 0, spec.dtype))
    return tf.SparseTensor(
        indices=tf.zeros([0, 2], tf.int64),
        values=tf.zeros([0], spec.dtype),
        dense_shape=tf.cast(tf.stack([rows, 0]), tf.int64),
    )
