"""Runs TFT's graph of operations on the accumulators, with plain lists in place of Beam collections."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.fast.compat import analyzer_nodes, analyzers, beam_nodes, nodes

Collection = list[Any]


class AnalyzerRun(nodes.Visitor):
    """Visits the operations that a Plan has accepted, after the pass over the rows.

    The value of an operation is a list with the elements that its Beam implementation would return. The value of
    CreateSavedModel is the bindings that turn the traced graph into the model: pairs of tensor name and constant.
    """

    def __init__(self, accumulated: Mapping[str, Collection], folder: str):
        """Takes the results of the pass over the rows.

        Args:
            accumulated: the accumulators' collections, by the operation's label.
            folder: where to write vocabularies.
        """
        self._accumulated = accumulated
        self._folder = folder

    def validate_value(self, value: Any) -> None:
        """Accepts any value."""

    def visit(self, operation: nodes.OperationDef, inputs: tuple[Collection, ...]) -> tuple[Collection, ...]:
        """Runs one operation."""
        if operation.label in self._accumulated:
            return (self._accumulated[operation.label],)
        if isinstance(operation, _MANY_OUTPUTS):
            return tuple([output] for output in inputs[0][0])
        if isinstance(operation, analyzer_nodes.VocabularyOrderAndWrite):
            return (_write_vocabulary(operation, inputs[0], self._folder),)
        return (_RUN[type(operation)](operation, *inputs),)


_MANY_OUTPUTS = (analyzer_nodes.ExtractCombineMergeOutputs, analyzer_nodes.ExtractPackedCombineMergeOutputs)


def _nothing(operation: nodes.OperationDef, *inputs: Collection) -> Collection:
    return []  # an accumulator's inputs: the rows have been read already


def _bindings(operation: nodes.OperationDef, *inputs: Collection) -> Collection:
    return [binding for collection in inputs for binding in collection]


def _binding(operation: nodes.OperationDef, values: Collection) -> Collection:
    [value] = values
    return [(operation.tensor_name, tf.constant(value, tf.dtypes.as_dtype(operation.dtype_enum)))]


def _extract(operation: nodes.OperationDef, dicts: Collection) -> Collection:
    return [element[operation.keys] for element in dicts]


def _merge(operation: nodes.OperationDef, accumulated: Collection) -> Collection:
    return [_output(operation.combiner, accumulated)]


def _merge_packed(operation: nodes.OperationDef, accumulated: Collection) -> Collection:
    outputs = {}
    for part in operation.combiners:
        [key] = part.keys
        outputs[part.label] = _output(part.combiner, [value for label, value in accumulated if label == key])
    return [outputs]


def _output(combiner: analyzer_nodes.Combiner, accumulated: Collection) -> Any:
    return combiner.extract_output(combiner.merge_accumulators(accumulated))


def _merge_counts(operation: nodes.OperationDef, pairs: Collection) -> Collection:
    counts: dict[Any, int] = {}
    for token, count in pairs:
        counts[token] = counts.get(token, 0) + count
    return [(count, token) for token, count in counts.items()]


def _count(operation: nodes.OperationDef, counts: Collection) -> Collection:
    return [np.int64(max(len(counts), 1))]  # an empty vocabulary is written with one token


def _prune(operation: nodes.OperationDef, counts: Collection) -> Collection:
    if operation.frequency_threshold:
        counts = [pair for pair in counts if pair[0] >= operation.frequency_threshold]
    if operation.input_dtype != tf.string.name:
        counts = [(count, tf.compat.as_bytes(tf.compat.as_str_any(token))) for count, token in counts]
    return counts if operation.top_k is None else sorted(counts, reverse=True)[: operation.top_k]


def _write_vocabulary(operation: nodes.OperationDef, counts: Collection, folder: str) -> Collection:
    """Writes tokens by falling count, then falling token; returns the file's path."""
    ordered = sorted(counts, reverse=True) or [analyzers.get_empy_vocabulary_dummy_value(operation.input_dtype)]
    path = os.path.join(folder, operation.vocab_filename)
    with tf.io.gfile.GFile(path, "wb") as file:
        for count, token in ordered:
            file.write((b"%d %s" % (count, token) if operation.store_frequency else token) + b"\n")
    return [np.array(path)]


_RUN: dict[type, Callable[..., Collection]] = {
    beam_nodes.ExtractInputForSavedModel: _nothing,
    beam_nodes.ApplySavedModel: _nothing,
    beam_nodes.CreateSavedModel: _bindings,
    beam_nodes.CreateTensorBinding: _binding,
    beam_nodes.ExtractFromDict: _extract,
    beam_nodes.Flatten: _bindings,
    analyzer_nodes.AddKey: lambda operation, values: [(operation.key, value) for value in values],
    analyzer_nodes.CacheableCombineMerge: _merge,
    analyzer_nodes.EncodeCache: lambda operation, values: [operation.coder.encode_cache(value) for value in values],
    analyzer_nodes.InstrumentDatasetCache: _nothing,
    analyzer_nodes.PackedCombineMerge: _merge_packed,
    analyzer_nodes.VocabularyCount: _count,
    analyzer_nodes.VocabularyMerge: _merge_counts,
    analyzer_nodes.VocabularyPrune: _prune,
}
