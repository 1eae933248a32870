"""The network of the Keras family: a small batch ensemble over embedded columns.

It follows TabM (Gorishniy et al. 2024) and piecewise-linear embeddings (Gorishniy et al. 2022). The `members` networks
share all weights except a multiplier of their inputs and the last layer, so an ensemble costs little more than one
network. Each member is trained on its own loss. The prediction is the mean of their probabilities.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from models.families.keras.ensemble_layers import (
    CategoryEncoding,
    Dropout,
    MemberDense,
    MemberHeads,
    MissingIndicators,
    PiecewiseLinear,
    SharedDense,
)
from models.families.keras.hyperparameters import Hyperparameters


@dataclasses.dataclass(frozen=True)
class InputColumns:
    """What the network must know about its input columns. All of it comes from the training rows.

    Attributes:
        bins: for each number, the ascending edges of its bins (none or one if it is constant).
        indicators: indices of the numbers for which the network sees whether they are missing.
        vocabularies: for each category, how many values its vocabulary has; that number itself is the rank of all
            other values.
    """

    bins: tuple[np.ndarray, ...]
    indicators: tuple[int, ...]
    vocabularies: tuple[int, ...]


def learn_columns(
    numbers: np.ndarray, vocabularies: tuple[int, ...], may_be_missing: tuple[bool, ...], bins: int
) -> InputColumns:
    """Learns from the training rows the bins of the numbers, and which numbers need an indicator.

    Args:
        numbers: float32 `[rows, numbers]`, quantile-normal; NaN is missing.
        vocabularies: for each category, how many values its vocabulary has.
        may_be_missing: for each number, whether the network may see where it is missing.
        bins: most bins of a number.
    """
    missing = np.isnan(numbers)
    shares = np.linspace(0.0, 1.0, bins + 1)
    return InputColumns(
        bins=tuple(
            np.unique(np.quantile(column[~absent], shares)).astype(np.float32) if not absent.all() else np.zeros(1)
            for column, absent in zip(numbers.T, missing.T, strict=True)
        ),
        indicators=tuple(int(i) for i in np.flatnonzero(missing.any(axis=0)) if may_be_missing[i]),
        vocabularies=vocabularies,
    )


def build_network(columns: InputColumns, settings: Hyperparameters, prior: float) -> keras.Model:
    """Builds the untrained network.

    Args:
        columns: what `learn_columns` found out about the input columns.
        settings: the network's size, and the seed of the initial weights and of dropout.
        prior: share of positive labels, in (0, 1); an untrained network predicts roughly this share.

    Returns:
        A model that maps `[numbers, categories]` (float32 `[batch, numbers]` with NaN for missing and int32
        `[batch, categories]`) to the members' logits, float32 `[batch, members]`.
    """
    seeds = iter(np.random.SeedSequence(settings.seed).generate_state(16).tolist())
    numbers = keras.Input((len(columns.bins),), dtype="float32", name="numbers")
    categories = keras.Input((len(columns.vocabularies),), dtype="int32", name="categories")

    embed = PiecewiseLinear(columns.bins, settings.embedding, next(seeds), name="piecewise_linear")
    indicate = MissingIndicators(columns.indicators, name="missing")
    encode = CategoryEncoding(
        columns.vocabularies, settings.one_hot, settings.embedding, next(seeds), name="category_codes"
    )
    # How many inputs belong to each original column.
    widths = [settings.embedding] * len(columns.bins) + [1] * len(columns.indicators) + encode.widths

    hidden = keras.layers.Concatenate()([embed(numbers), indicate(numbers), encode(categories)])
    first, *others = settings.hidden
    hidden = MemberDense(first, settings.members, tuple(widths), next(seeds), name="shared_0")(hidden)
    hidden = Dropout(settings.dropout, next(seeds))(hidden)
    for layer, units in enumerate(others, start=1):
        initial = keras.initializers.GlorotUniform(seed=next(seeds))
        hidden = SharedDense(units, "relu", kernel_initializer=initial, name=f"shared_{layer}")(hidden)
        hidden = Dropout(settings.dropout, next(seeds))(hidden)
    logits = MemberHeads(prior, next(seeds), name="heads")(hidden)
    return keras.Model([numbers, categories], logits, name="batch_ensemble")


def embedding(network: keras.Model) -> tuple[keras.Model, np.ndarray]:
    """The part of a network that embeds its input columns.

    Returns:
        A model that maps the network's inputs to float32 `[batch, width]`, and the input column of each of these
        columns, int `[width]`; categories count on after the numbers.
    """
    numbers, categories = (item.shape[1] for item in network.inputs)
    indicators, widths = network.get_layer("missing").indices, network.get_layer("category_codes").widths
    embedded = network.get_layer("shared_0").input
    of_numbers = embedded.shape[1] - len(indicators) - sum(widths)
    owners = [
        np.repeat(np.arange(numbers), of_numbers // max(numbers, 1)),
        indicators,
        np.repeat(numbers + np.arange(categories), widths),
    ]
    return keras.Model(network.inputs, embedded), np.concatenate(owners).astype(np.int64)


def mean_probability(logits: tf.Tensor) -> tf.Tensor:
    """The ensemble's prediction: members' logits `[batch, members]` to probabilities `[batch]`."""
    return tf.reduce_mean(tf.sigmoid(logits), axis=1)
