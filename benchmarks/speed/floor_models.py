"""The floor's arrays and its two models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
import xgboost as xgb

from benchmarks.speed.same_models import column_types, compile_network, untrained_network, xgboost_parameters
from models.families.keras.batch_ensemble import mean_probability
from models.families.keras.hyperparameters import Hyperparameters
from models.families.xgboost.hyperparameters import Hyperparameters as XGBoostHyperparameters
from models.features import CLIP, FeatureSet
from pipeline.settings.dataset_folder import DatasetFolder

_PREDICT_ROWS = 16_384


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Rows in the form that both models take.

    Attributes:
        numbers: float32 `[rows, numbers]`, quantile-normal, NaN for missing.
        categories: int32 `[rows, categories]`: the rank by frequency; the vocabulary's size for all other values.
        label: float32 `[rows]`.
        vocabularies: for each category, how many values its vocabulary has.
    """

    numbers: np.ndarray
    categories: np.ndarray
    label: np.ndarray
    vocabularies: tuple[int, ...]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.label)

    def where(self, chosen: np.ndarray) -> Arrays:
        """The rows where `chosen`, bool `[rows]`, is true."""
        return Arrays(self.numbers[chosen], self.categories[chosen], self.label[chosen], self.vocabularies)

    def matrix(self) -> np.ndarray:
        """All columns in XGBoost's form: float32 `[rows, features]`."""
        return np.hstack([self.numbers, self.categories.astype(np.float32)])


def to_arrays(table: pa.Table, folder: DatasetFolder, is_training: np.ndarray, sample_rows: int) -> Arrays:
    """Transforms the table's columns. Quantiles and vocabularies come from training rows.

    Args:
        table: the columns of the data set.
        folder: the data set.
        is_training: bool `[rows]`.
        sample_rows: number of training rows for the quantiles.
    """
    features, dataset = folder.features, folder.dataset
    numbers = [
        to_normal(
            table[feature.name].to_numpy().astype(np.float32), is_training, dataset.training.quantiles, sample_rows
        )
        for feature in features.numeric
    ]
    ranked = [to_ranks(table[feature.name], is_training) for feature in features.categorical]
    return Arrays(
        numbers=np.stack(numbers, axis=1),
        categories=np.stack([ranks for ranks, _ in ranked], axis=1),
        label=table[dataset.columns.label].to_numpy().astype(np.float32),
        vocabularies=tuple(size for _, size in ranked),
    )


def to_normal(values: np.ndarray, is_training: np.ndarray, quantiles: int, sample_rows: int) -> np.ndarray:
    """A number mapped to a standard normal by its training quantiles: float32 `[rows]`, NaN where `values` is NaN."""
    shares = np.linspace(0, 1, quantiles + 1)
    edges = np.nanquantile(values[is_training][:sample_rows], shares)
    edges, first = np.unique(edges, return_index=True)
    normal = np.clip(tf.math.ndtri(shares[first]).numpy(), -CLIP, CLIP)
    return np.interp(values, edges, normal).astype(np.float32)


def to_ranks(column: pa.ChunkedArray, is_training: np.ndarray) -> tuple[np.ndarray, int]:
    """A category as its rank among the training rows' values, most frequent first; a missing value counts as a value.

    Returns:
        int32 `[rows]`, and the number of values, which is the rank of all values not seen in training.
    """
    encoded = pc.dictionary_encode(column.combine_chunks())
    codes = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    counts = np.bincount(codes[is_training], minlength=len(encoded.dictionary) + 1)
    size = int(np.count_nonzero(counts))
    ranks = np.full(len(counts), size, np.int32)
    ranks[np.argsort(-counts, kind="stable")[:size]] = np.arange(size, dtype=np.int32)
    return ranks[codes], size


def fit_keras(
    training: Arrays, features: FeatureSet, settings: Hyperparameters, sample_rows: int
) -> Callable[[Arrays], np.ndarray]:
    """Trains the network with Keras's `fit`; returns a function that gives its probabilities, float32 `[rows]`."""
    network = untrained_network(
        training.numbers[:sample_rows], training.label, training.vocabularies, features, settings
    )
    compile_network(network, settings, jit_compile=False)
    order = tf.constant(np.random.default_rng(settings.seed).permutation(len(training)).astype(np.int32))
    numbers, categories = tf.constant(training.numbers), tf.constant(training.categories)
    label, size = tf.constant(training.label), settings.batch_size

    def batch(number: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
        rows = order[number * size : (number + 1) * size]
        return (tf.gather(numbers, rows), tf.gather(categories, rows)), tf.gather(label, rows)

    steps = min(settings.max_steps, len(training) // size)
    network.fit(tf.data.Dataset.range(steps).map(batch).prefetch(4), epochs=1, shuffle=False, verbose=0)

    def predict(rows: Arrays) -> np.ndarray:
        logits = network.predict([rows.numbers, rows.categories], batch_size=_PREDICT_ROWS, verbose=0)
        return mean_probability(tf.constant(logits)).numpy()

    return predict


def fit_xgboost(
    training: Arrays, evaluation: Arrays, features: FeatureSet, settings: XGBoostHyperparameters
) -> Callable[[Arrays], np.ndarray]:
    """Trains the booster on arrays; returns a function that gives its probabilities, float32 `[rows]`."""
    types = {"feature_types": column_types(features), "enable_categorical": True}
    quantised = xgb.QuantileDMatrix(training.matrix(), label=training.label, max_bin=settings.max_bin, **types)
    exact = xgb.DMatrix(evaluation.matrix(), label=evaluation.label, **types)
    booster = xgb.train(
        xgboost_parameters(settings), quantised, settings.max_rounds, evals=[(exact, "eval")], verbose_eval=False
    )
    return lambda rows: booster.predict(xgb.DMatrix(rows.matrix(), **types))
