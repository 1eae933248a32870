"""Accumulates batches of rows for analyzers: one class per kind of accumulating operation of TFT."""

from __future__ import annotations

import abc
import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.fast.compat import analyzer_nodes

Values = Mapping[str, np.ndarray]  # a batch: tensor name -> values


class Accumulator(abc.ABC):
    """Accumulates batches."""

    @abc.abstractmethod
    def add(self, values: Values) -> None:
        """Adds one batch."""

    @abc.abstractmethod
    def collection(self) -> list[Any]:
        """The elements of the collection that TFT's Beam implementation of the operation would return."""


class Combined(Accumulator):
    """The accumulator of one of TFT's combiners (CacheableCombineAccumulate)."""

    def __init__(self, combiner: analyzer_nodes.Combiner, keys: Sequence[str]):
        """Starts without rows.

        Args:
            combiner: the combiner.
            keys: the names of its input tensors.
        """
        self._combiner = combiner
        self._keys = keys
        self._accumulator = combiner.create_accumulator()

    def add(self, values: Values) -> None:
        """Adds one batch."""
        self._accumulator = self._combiner.add_input(self._accumulator, tuple(values[key] for key in self._keys))

    def collection(self) -> list[Any]:
        """The accumulator."""
        return [self._accumulator]


class Packed(Accumulator):
    """The accumulators of several combiners (PackedCombineAccumulate)."""

    def __init__(self, combiners: Sequence[Any]):
        """Starts without rows.

        Args:
            combiners: each with `combiner`, `keys` and `label`.
        """
        self._parts = {part.label: Combined(part.combiner, part.keys) for part in combiners}

    def add(self, values: Values) -> None:
        """Adds one batch."""
        for part in self._parts.values():
            part.add(values)

    def collection(self) -> list[Any]:
        """One dict: label -> accumulator."""
        return [{label: part.collection()[0] for label, part in self._parts.items()}]


class TokenCounts(Accumulator):
    """Counts how often each token occurs (VocabularyAccumulate)."""

    def __init__(self, key: str):
        """Begins without rows; `key` names the tensor of tokens, `[n]`."""
        self._key = key
        self._counts: collections.Counter[Any] = collections.Counter()

    def add(self, values: Values) -> None:
        """Adds one batch."""
        self._counts.update(values[self._key].tolist())

    def collection(self) -> list[Any]:
        """Pairs of token and count."""
        return list(self._counts.items())
