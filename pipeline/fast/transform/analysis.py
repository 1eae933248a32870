"""Analyzes a preprocessing_fn in process: traces it, reads the rows once, runs its analyzers and saves the graph."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf
from tensorflow_transform import TFTransformOutput

from pipeline.fast.compat import (
    analysis_graph_builder,
    analyzer_cache,
    annotators,
    graph_tools,
    impl_helper,
    nodes,
)
from pipeline.fast.transform.analyzer_run import AnalyzerRun
from pipeline.fast.transform.plan import Plan, Unsupported
from pipeline.fast.transform.raw_examples import RawSplit

PreprocessingFn = Callable[[Mapping[str, Any]], Mapping[str, Any]]
DataSets = Mapping[analyzer_cache.DatasetKey, RawSplit]


@dataclasses.dataclass(frozen=True)
class Results:
    """The results of an analysis.

    Attributes:
        bindings: constants by the names of the traced tensors that they replace.
        cache: encoded accumulators by data set and cache key, as in TFT's analyzer cache.
        sizes: bytes read, by data set.
    """

    bindings: dict[str, tf.Tensor]
    cache: dict[analyzer_cache.DatasetKey, dict[bytes, list[bytes]]]
    sizes: dict[analyzer_cache.DatasetKey, int]


class Analysis:
    """One preprocessing_fn, traced on the features of a schema.

    Attributes:
        input_columns: names of the features that its outputs need.
    """

    def __init__(
        self,
        preprocessing_fn: PreprocessingFn,
        type_specs: Mapping[str, tf.TypeSpec],
        datasets: list[analyzer_cache.DatasetKey],
        *,
        cached: bool,
        folder: str,
    ):
        """Traces the function and plans the pass over the rows; reads and writes nothing.

        Args:
            preprocessing_fn: as TFX calls it.
            type_specs: of the raw features.
            datasets: the data sets to analyze.
            cached: whether to encode the accumulators for TFT's analyzer cache too.
            folder: an existing folder for temporary files.

        Raises:
            Unsupported: only TFX's own executor can run this function.
        """
        self._preprocessing_fn = preprocessing_fn
        self._type_specs = type_specs
        self._folder = folder
        self._graph, self._inputs, outputs = impl_helper.trace_preprocessing_function(
            preprocessing_fn, type_specs, use_tf_compat_v1=False, base_temp_dir=folder
        )
        _check(self._graph, outputs)
        self.input_columns = _needed(self._graph, self._inputs, outputs)
        self._asset_map = annotators.get_asset_annotations(self._graph)
        annotators.clear_asset_annotations(self._graph)  # as TFT does before it builds the model
        self._fingerprint = graph_tools.get_analyzers_fingerprint(self._graph, self._inputs)
        self._model, self._cache, self._others = analysis_graph_builder.build(
            self._graph, self._inputs, outputs, datasets, cache_dict={} if cached else None
        )
        self._plan = Plan()
        self._visit_all(nodes.Traverser(self._plan))

    def run(self, datasets: DataSets) -> Results:
        """Reads the rows once and runs the analyzers.

        Raises:
            Unsupported: the traced graph does not run on the rows.
        """
        sizes = self._accumulate(datasets)
        accumulated = {
            label: accumulator.collection()
            for of_dataset in self._plan.accumulators.values()
            for label, accumulator in of_dataset.items()
        }
        bindings, cache = self._visit_all(nodes.Traverser(AnalyzerRun(accumulated, self._folder)))
        return Results(dict(bindings), cache, sizes)

    def save(self, results: Results, transform_output: str) -> None:
        """Writes the SavedModel `transform_fn` and the folder `transformed_metadata`, as TFT lays them out."""
        model = os.path.join(transform_output, TFTransformOutput.TRANSFORM_FN_DIR)
        impl_helper.trace_and_write_v2_saved_model(
            saved_model_dir=model,
            preprocessing_fn=self._preprocessing_fn,
            input_signature=self._type_specs,
            base_temp_dir=self._folder,
            baseline_analyzers_fingerprint=self._fingerprint,
            tensor_replacement_map=results.bindings,
            output_keys_to_name_map=None,
            save_options=None,
        )
        # TFT keeps the schema inside the model until it publishes both.
        metadata = os.path.join(transform_output, TFTransformOutput.TRANSFORMED_METADATA_DIR)
        tf.io.gfile.rename(os.path.join(model, impl_helper.METADATA_DIR_NAME), metadata)
        if self._asset_map:
            with tf.io.gfile.GFile(os.path.join(metadata, TFTransformOutput.ASSET_MAP), "w") as file:
                file.write(json.dumps(self._asset_map))

    def _accumulate(self, datasets: DataSets) -> dict[analyzer_cache.DatasetKey, int]:
        """The pass over the rows; returns the bytes of each data set."""
        sizes = dict.fromkeys(datasets, 0)
        if not self._plan.tensors:
            return sizes
        needed = _needed(self._graph, self._inputs, list(self._plan.tensors.values()))
        try:
            with contextlib.closing(tf.compat.v1.Session(graph=self._graph)) as session:
                for key, split in datasets.items():
                    ours = [
                        accumulator
                        for dataset, of_dataset in self._plan.accumulators.items()
                        if dataset == key or dataset.is_flattened_dataset_key()
                        for accumulator in of_dataset.values()
                    ]
                    for size, tensors in _batches(split.only(needed)):
                        feeds = {_feed_key(self._inputs[name]): values for name, values in tensors.items()}
                        fetched = session.run(self._plan.tensors, feeds)
                        sizes[key] += size
                        for accumulator in ours:
                            accumulator.add(fetched)
        except tf.errors.OpError as error:
            # The graph needs tables or tensors made outside it, or the rows are at fault; TFX's executor says which.
            raise Unsupported(f"the analyzers' graph does not run: {error.message.splitlines()[0]}") from error
        return sizes

    def _visit_all(
        self, traverser: nodes.Traverser
    ) -> tuple[Any, dict[analyzer_cache.DatasetKey, dict[bytes, list[bytes]]]]:
        # The cache first: a merged sketch can no longer be written.
        cache = {
            dataset: {key: traverser.visit_value_node(node) for key, node in entries.items()}
            for dataset, entries in (self._cache or {}).items()
        }
        model = traverser.visit_value_node(self._model)
        for node in self._others:
            traverser.visit_value_node(node)
        return model, cache


def _batches(split: RawSplit) -> Iterator[tuple[int, dict[str, Any]]]:
    """Bytes and tensors of each batch of a split."""
    adapter = split.adapter()
    for batch in split.record_batches():
        yield batch.nbytes, adapter.ToBatchTensors(batch, produce_eager_tensors=False)


def _feed_key(placeholder: Any) -> Any:
    """The key of an input in a session's feeds: a dense tensor has no hash, so its name."""
    return placeholder.name if isinstance(placeholder, tf.Tensor) else placeholder


def _needed(graph: tf.Graph, inputs: Mapping[str, Any], tensors: Any) -> list[str]:
    """Names of the inputs on which some tensors depend."""
    return list(graph_tools.get_dependent_inputs(graph, inputs, tensors))


def _check(graph: tf.Graph, outputs: Any) -> None:
    """Refuses what TFT refuses too, so that TFT's own error says what is wrong."""
    if not isinstance(outputs, dict) or not outputs:
        raise Unsupported("it returns no features")
    if graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES):
        raise Unsupported("it has trainable variables")
