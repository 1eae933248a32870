"""Plans the pass over the rows that an analysis needs, before any row is read."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from pipeline.fast.compat import analyzer_cache, analyzer_nodes, beam_nodes, nodes
from pipeline.fast.transform import accumulators


class Unsupported(Exception):
    """A preprocessing_fn uses something that only TFX's own executor can run."""


@dataclasses.dataclass(frozen=True)
class DatasetTensors:
    """Tensors computed from the rows of a data set: the value of each operation between the rows and an accumulator.

    Attributes:
        dataset: the data set.
        keys: names of the tensors; None for all.
    """

    dataset: analyzer_cache.DatasetKey
    keys: tuple[str, ...] | None = None


class Plan(nodes.Visitor):
    """Visits TFT's graph of operations; an operation that cannot be evaluated in process raises Unsupported.

    Attributes:
        tensors: the tensors of the traced graph that the accumulators take, by name.
        accumulators: by data set and by the operation's label.
    """

    def __init__(self) -> None:
        """Makes an empty plan."""
        self.tensors: dict[str, tf.Tensor] = {}
        self.accumulators: dict[analyzer_cache.DatasetKey, dict[str, accumulators.Accumulator]] = {}

    def validate_value(self, value: Any) -> None:
        """Accepts any value."""

    def visit(self, operation: nodes.OperationDef, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """Plans one operation. Returns DatasetTensors if its value is known row by row, None if it is known afterwards.

        Raises:
            Unsupported: the operation cannot be evaluated in process.
        """
        _check_fields(operation)
        kind = type(operation)
        if kind is beam_nodes.ExtractInputForSavedModel:
            return (DatasetTensors(operation.dataset_key),)
        if kind is beam_nodes.CreateSavedModel:
            return (operation,)
        if kind is beam_nodes.ApplySavedModel:
            return (self._tensors(operation, *inputs),)
        if kind is beam_nodes.ExtractFromDict and isinstance(inputs[0], DatasetTensors):
            return (dataclasses.replace(inputs[0], keys=operation.keys),)
        if inputs and isinstance(inputs[0], DatasetTensors):
            of_dataset = self.accumulators.setdefault(inputs[0].dataset, {})
            of_dataset[operation.label] = _accumulator(operation, inputs[0].keys)
            return (None,)
        _check(operation, inputs)
        return (None,) * operation.num_outputs

    def _tensors(
        self, operation: nodes.OperationDef, model: nodes.OperationDef, rows: DatasetTensors
    ) -> DatasetTensors:
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


# Every operation that this package evaluates, with the fields that were tested. TFT's later releases may add fields
# that change what an operation does.
_TESTED_FIELDS: dict[type, set[str]] = {
    analyzer_nodes.AddKey: {"key", "label"},
    analyzer_nodes.CacheableCombineAccumulate: {"combiner", "label"},
    analyzer_nodes.CacheableCombineMerge: {"combiner", "label"},
    analyzer_nodes.EncodeCache: {"coder", "label"},
    analyzer_nodes.ExtractCombineMergeOutputs: {"output_tensor_info_list", "label"},
    analyzer_nodes.ExtractPackedCombineMergeOutputs: {"output_tensor_info_list", "label"},
    analyzer_nodes.InstrumentDatasetCache: {
        "input_cache_dataset_keys",
        "num_encode_cache",
        "num_decode_cache",
        "label",
    },
    analyzer_nodes.PackedCombineAccumulate: {"combiners", "label"},
    analyzer_nodes.PackedCombineMerge: {"combiners", "label"},
    analyzer_nodes.VocabularyAccumulate: {"vocab_ordering_type", "input_dtype", "label"},
    analyzer_nodes.VocabularyCount: {"label"},
    analyzer_nodes.VocabularyMerge: {
        "vocab_ordering_type",
        "use_adjusted_mutual_info",
        "min_diff_from_avg",
        "label",
    },
    analyzer_nodes.VocabularyOrderAndWrite: {
        "vocab_filename",
        "store_frequency",
        "input_dtype",
        "label",
        "fingerprint_shuffle",
        "file_format",
        "input_is_sorted",
    },
    analyzer_nodes.VocabularyPrune: {
        "top_k",
        "frequency_threshold",
        "informativeness_threshold",
        "coverage_top_k",
        "coverage_frequency_threshold",
        "coverage_informativeness_threshold",
        "key_fn",
        "input_dtype",
        "label",
    },
    beam_nodes.ApplySavedModel: {"phase", "label"},
    beam_nodes.CreateSavedModel: {"table_initializers", "output_signature", "label"},
    beam_nodes.CreateTensorBinding: {"tensor_name", "dtype_enum", "is_asset_filepath", "label"},
    beam_nodes.ExtractFromDict: {"keys", "label"},
    beam_nodes.ExtractInputForSavedModel: {"dataset_key", "label"},
    beam_nodes.Flatten: {"label"},
}


def _check_fields(operation: nodes.OperationDef) -> None:
    """Raises Unsupported for a class that this package does not know, or one with other fields than the tested ones."""
    kind = type(operation)
    if kind not in _TESTED_FIELDS:
        raise Unsupported(f"operation {kind.__name__}")
    changed = _TESTED_FIELDS[kind] ^ set(operation._fields)
    if changed:
        raise Unsupported(f"operation {kind.__name__} has other fields than those tested: {', '.join(sorted(changed))}")


def _check(operation: nodes.OperationDef, inputs: tuple[Any, ...]) -> None:
    """Raises Unsupported for values of fields that this package does not evaluate."""
    if isinstance(operation, analyzer_nodes.VocabularyPrune) and (
        operation.key_fn or operation.coverage_top_k is not None or operation.coverage_frequency_threshold
    ):
        raise Unsupported("a vocabulary with a key_fn")
    if isinstance(operation, analyzer_nodes.VocabularyOrderAndWrite) and (
        len(inputs) > 1 or operation.fingerprint_shuffle or operation.file_format != "text"
    ):
        raise Unsupported("a vocabulary with reserved tokens, a shuffled one, or one in a file that is not text")
