"""The pass over the rows that an analysis needs, found before any row is read."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from pipeline.fast.compat import analyzer_cache, analyzer_nodes, beam_nodes, nodes
from pipeline.fast.transform import accumulators


class Unsupported(Exception):
    """Something of a preprocessing_fn that only TFX's own executor can run."""


@dataclasses.dataclass(frozen=True)
class Columns:
    """Tensors of a data set: what the operations between the rows and an accumulator stand for.

    Attributes:
        dataset: which data set.
        keys: names of the tensors; None for all.
    """

    dataset: analyzer_cache.DatasetKey
    keys: tuple[str, ...] | None = None


class Plan(nodes.Visitor):
    """Visits TFT's graph of operations; any that cannot be evaluated in process raises Unsupported.

    Attributes:
        tensors: the tensors of the traced graph that the accumulators take, by name.
        accumulators: by data set and by the label of the operation.
    """

    def __init__(self) -> None:
        """A plan of nothing."""
        self.tensors: dict[str, tf.Tensor] = {}
        self.accumulators: dict[analyzer_cache.DatasetKey, dict[str, accumulators.Accumulator]] = {}

    def validate_value(self, value: Any) -> None:
        """Any value will do."""

    def visit(self, operation: nodes.OperationDef, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Plans one operation; gives Columns for what is known row by row, None for what is known afterwards.

        Raises:
            Unsupported: the operation cannot be evaluated in process.
        """
        kind = type(operation)
        if kind is beam_nodes.ExtractInputForSavedModel:
            return (Columns(operation.dataset_key),)
        if kind is beam_nodes.CreateSavedModel:
            return (operation,)
        if kind is beam_nodes.ApplySavedModel:
            return (self._tensors(operation, *inputs),)
        if kind is beam_nodes.ExtractFromDict and isinstance(inputs[0], Columns):
            return (dataclasses.replace(inputs[0], keys=operation.keys),)
        if inputs and isinstance(inputs[0], Columns):
            of_dataset = self.accumulators.setdefault(inputs[0].dataset, {})
            of_dataset[operation.label] = _accumulator(operation, inputs[0].keys)
            return (None,)
        _check(operation, inputs)
        return (None,) * operation.num_outputs

    def _tensors(self, operation: nodes.OperationDef, model: nodes.OperationDef, rows: Columns) -> Columns:
        if operation.phase > 0:
            raise Unsupported("an analyzer needs the result of another one")
        if model.table_initializers:
            raise Unsupported("an analyzer needs a lookup table")
        self.tensors |= model.output_signature
        return rows


def _accumulator(operation: nodes.OperationDef, keys: tuple[str, ...] | None) -> accumulators.Accumulator:
    if isinstance(operation, analyzer_nodes.PackedCombineAccumulate):
        return accumulators.Packed(operation.combiners)
    if isinstance(operation, analyzer_nodes.CacheableCombineAccumulate):
        return accumulators.Combined(operation.combiner, keys)
    # One tensor: tokens. Vocabularies in another order than that of frequency have weights or labels too.
    if isinstance(operation, analyzer_nodes.VocabularyAccumulate) and len(keys) == 1:
        return accumulators.TokenCounts(keys[0])
    raise Unsupported(f"analyzer {type(operation).__name__}")


_AFTER_THE_PASS = (
    analyzer_nodes.AddKey,
    analyzer_nodes.CacheableCombineMerge,
    analyzer_nodes.EncodeCache,
    analyzer_nodes.ExtractCombineMergeOutputs,
    analyzer_nodes.ExtractPackedCombineMergeOutputs,
    analyzer_nodes.InstrumentDatasetCache,
    analyzer_nodes.PackedCombineMerge,
    analyzer_nodes.VocabularyCount,
    analyzer_nodes.VocabularyMerge,
    analyzer_nodes.VocabularyOrderAndWrite,
    analyzer_nodes.VocabularyPrune,
    beam_nodes.CreateTensorBinding,
    beam_nodes.ExtractFromDict,
    beam_nodes.Flatten,
)


def _check(operation: nodes.OperationDef, inputs: tuple[Any, ...]) -> None:
    if not isinstance(operation, _AFTER_THE_PASS):
        raise Unsupported(f"operation {type(operation).__name__}")
    if isinstance(operation, analyzer_nodes.VocabularyPrune) and operation.key_fn:
        raise Unsupported("a vocabulary with a key_fn")
    if isinstance(operation, analyzer_nodes.VocabularyOrderAndWrite) and (
        len(inputs) > 1 or operation.fingerprint_shuffle or operation.file_format != "text"
    ):
        raise Unsupported("a vocabulary with reserved tokens, a shuffled one or one that is no text file")
