"""The network of the Keras family: a small batch ensemble over embedded columns.

After TabM (Gorishniy et al. 2024) and piecewise-linear embeddings (Gorishniy et al. 2022): `members` networks share all
weights but a multiplier of their inputs and the last layer, so that an ensemble costs little more than one network.
Each member is trained on its own loss; the prediction is the mean of their probabilities.
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


@dataclasses.dataclass(frozen=True)
class Columns:
    """What the network must know of its input columns, all of it learnt from the training rows.

    Attributes:
        bins: for each number, the ascending edges of its bins (none or one if it is constant).
        indicators: indices of the numbers whose absence the network is told.
        vocabularies: for each category, how many values its vocabulary has; that number itself stands for all others.
    """

    bins: tuple[np.ndarray, ...]
    indicators: tuple[int, ...]
    vocabularies: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Shape:
    """The network's size.

    Attributes:
        members: networks in the ensemble.
        bins: most bins of a number.
        embedding: numbers by which the network represents a number or a wide vocabulary's value.
        one_hot: the widest vocabulary that is one-hot; wider ones are embedded.
        hidden: width of each shared layer.
        dropout: share of a shared layer's outputs that training leaves out.
    """

    members: int = 8
    bins: int = 16
    embedding: int = 8
    one_hot: int = 32
    hidden: tuple[int, ...] = (64, 64)
    dropout: float = 0.1


def learn_columns(
    numbers: np.ndarray, vocabularies: tuple[int, ...], may_be_missing: tuple[bool, ...], bins: int
) -> Columns:
    """Learns the bins of the numbers, and which of them need an indicator, from the training rows.

    Args:
        numbers: float32 `[rows, numbers]`, quantile-normal; NaN is missing.
        vocabularies: for each category, how many values its vocabulary has.
        may_be_missing: for each number, whether the network shall be told where it is missing.
        bins: most bins of a number.
    """
    missing = np.isnan(numbers)
    shares = np.linspace(0.0, 1.0, bins + 1)
    return Columns(
        bins=tuple(
            np.unique(np.quantile(column[~absent], shares)).astype(np.float32) if not absent.all() else np.zeros(1)
            for column, absent in zip(numbers.T, missing.T, strict=True)
        ),
        indicators=tuple(int(i) for i in np.flatnonzero(missing.any(axis=0)) if may_be_missing[i]),
        vocabularies=vocabularies,
    )


def build_network(columns: Columns, shape: Shape, prior: float, seed: int) -> keras.Model:
    """Builds the untrained network.

    Args:
        columns: what was learnt of the input columns.
        shape: the network's size.
        prior: share of positive labels, in (0, 1); an untrained network predicts about that.
        seed: of the initial weights and of dropout.

    Returns:
        A model that maps `[numbers, categories]` (float32 `[batch, numbers]` with NaN for missing and int32
        `[batch, categories]`) to the members' logits, float32 `[batch, members]`.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(16).tolist())
    numbers = keras.Input((len(columns.bins),), dtype="float32", name="numbers")
    categories = keras.Input((len(columns.vocabularies),), dtype="int32", name="categories")

    embed = PiecewiseLinear(columns.bins, shape.embedding, next(seeds), name="piecewise_linear")
    indicate = MissingIndicators(columns.indicators, name="missing")
    encode = CategoryEncoding(columns.vocabularies, shape.one_hot, shape.embedding, next(seeds), name="category_codes")
    # How many of the inputs belong to each original column.
    widths = [shape.embedding] * len(columns.bins) + [1] * len(columns.indicators) + encode.widths

    hidden = keras.layers.Concatenate()([embed(numbers), indicate(numbers), encode(categories)])
    first, *others = shape.hidden
    hidden = MemberDense(first, shape.members, tuple(widths), next(seeds), name="shared_0")(hidden)
    hidden = Dropout(shape.dropout, next(seeds))(hidden)
    for layer, units in enumerate(others, start=1):
        initial = keras.initializers.GlorotUniform(seed=next(seeds))
        hidden = SharedDense(units, "relu", kernel_initializer=initial, name=f"shared_{layer}")(hidden)
        hidden = Dropout(shape.dropout, next(seeds))(hidden)
    logits = MemberHeads(prior, next(seeds), name="heads")(hidden)
    return keras.Model([numbers, categories], logits, name="batch_ensemble")


def mean_probability(logits: tf.Tensor) -> tf.Tensor:
    """The ensemble's prediction: members' logits `[batch, members]` to probabilities `[batch]`."""
    return tf.reduce_mean(tf.sigmoid(logits), axis=1)
