"""StatisticsGen, which computes TFDV's statistics inside its step where that is faster, and as TFX does elsewhere.

Most of the stock executor's time on one machine goes into decoding rows, and into a Beam graph around TFDV's combiners.
This one gives the same combiners Arrow batches of many rows. What they cannot do in memory is left to Beam.
"""

from __future__ import annotations

import json
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators import top_k_uniques_sketch_stats_generator as sketches
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx import types
from tfx.components.statistics_gen import component, executor
from tfx.components.util import examples_utils
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, json_utils, stats_utils

from pipeline.examples import example_readers
from pipeline.fast import execution
from pipeline.fast.statistics.value_counts import ValueCountsGenerator

# Of StatsOptions as JSON: what the combiners do in memory as on Beam. Any other option that is set is left to Beam.
_IN_MEMORY_OPTIONS = {
    "_feature_allowlist",
    "_schema",
    "schema_json",
    "num_top_values",
    "frequency_threshold",
    "num_rank_histogram_buckets",
    "_num_values_histogram_buckets",
    "_num_histogram_buckets",
    "_num_quantiles_histogram_buckets",
    "epsilon",
    "_desired_batch_size",
    "_use_sketch_based_topk_uniques",
}
_PAYLOADS = (example_gen_pb2.FORMAT_TF_EXAMPLE, example_gen_pb2.FORMAT_PARQUET)


class Executor(executor.Executor):
    """TFX's executor, or the same statistics without a Beam pipeline: see pipeline/fast/execution.py for which."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX's; see there."""
        examples = artifact_utils.get_single_instance(input_dict[specs.EXAMPLES_KEY])
        excluded = json_utils.loads(exec_properties.get(specs.EXCLUDE_SPLITS_KEY) or "null") or []
        splits = [split for split in artifact_utils.decode_split_names(examples.split_names) if split not in excluded]
        options = _in_memory_options(input_dict, exec_properties)
        rows = example_readers.count_rows(examples, splits) if options and splits else None
        if execution.choose("StatisticsGen", self._beam_pipeline_args, rows) is execution.Path.BEAM:
            super().Do(input_dict, output_dict, exec_properties)
            return
        self._log_startup(input_dict, output_dict, exec_properties)
        statistics = artifact_utils.get_single_instance(output_dict[specs.STATISTICS_KEY])
        _describe(statistics, examples, splits)
        for split in splits:
            found = split_statistics(example_readers.split_files(examples, split), options)
            path = f"{artifact_utils.get_split_uri([statistics], split)}/{executor.DEFAULT_FILE_NAME}"
            io_utils.write_bytes_file(path, found.SerializeToString())


class StatisticsGen(component.StatisticsGen):
    """TFX's StatisticsGen with the executor above: the same specification, results and files."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


def split_statistics(files: list[str], options: tfdv.StatsOptions) -> statistics_pb2.DatasetFeatureStatisticsList:
    """TFDV's statistics of the examples in some files.

    Args:
        files: all Parquet, or all TFRecords of tf.Examples.
        options: only such as the combiners take in memory.

    Returns:
        One data set, whose features are in no particular order.
    """
    generators = [
        ValueCountsGenerator(options)
        if isinstance(generator, sketches.TopKUniquesSketchStatsGenerator) and not options.use_sketch_based_topk_uniques
        else generator
        for generator in stats_impl.get_generators(options, in_memory=True)
    ]
    for generator in generators:
        generator.setup()
    accumulators = [generator.create_accumulator() for generator in generators]
    for batch in example_readers.record_batches(files, options.feature_allowlist):
        accumulators = [
            generator.add_input(accumulator, batch)
            for generator, accumulator in zip(generators, accumulators, strict=True)
        ]
    return stats_impl.extract_statistics_output(accumulators, generators)


def _in_memory_options(
    input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]
) -> tfdv.StatsOptions | None:
    """The options of the statistics; None if the component asks for something that only Beam does."""
    examples = artifact_utils.get_single_instance(input_dict[specs.EXAMPLES_KEY])
    text = exec_properties.get(specs.STATS_OPTIONS_JSON_KEY)
    options = tfdv.StatsOptions.from_json(text) if text else tfdv.StatsOptions()
    usual = json.loads(tfdv.StatsOptions().to_json())
    asked = {name for name, value in json.loads(options.to_json()).items() if value != usual.get(name)}
    schemas = input_dict.get(specs.SCHEMA_KEY)
    if (
        not asked <= _IN_MEMORY_OPTIONS
        or not all(isinstance(name, str) for name in options.feature_allowlist or [])
        or exec_properties.get(specs.SHARDED_STATS_OUTPUT_KEY)
        or json_utils.loads(exec_properties.get(specs.SAMPLE_RATE_BY_SPLIT_KEY) or "null")
        or examples_utils.get_payload_format(examples) not in _PAYLOADS
        or examples.has_custom_property(examples_utils.CUSTOM_SPLIT_PATTERN_PROPERTY_NAME)
        or (schemas and options.schema)  # which TFX's executor refuses
    ):
        return None
    if schemas:
        options.schema = io_utils.SchemaReader().read(
            io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(schemas))
        )
    return options


def _describe(statistics: types.Artifact, examples: types.Artifact, splits: list[str]) -> None:
    """Sets the artifact's properties as TFX's executor does."""
    statistics.split_names = artifact_utils.encode_split_names(splits)
    statistics.span = examples.span
    statistics.set_string_custom_property(
        executor.STATS_DASHBOARD_LINK, stats_utils.generate_stats_dashboard_link(statistics)
    )
    rates = json_utils.dumps(dict.fromkeys(splits, 1.0))
    statistics.set_json_value_custom_property(executor.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME, rates)
