"""A StatisticsGen step in process: reads Examples, writes the artifact that TFX's executor would write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.statistics_gen import executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils

from pipeline.examples.splits import count_rows, split_files
from pipeline.fast import placement
from pipeline.fast.compat import examples_utils, json_utils, stats_utils
from pipeline.fast.statistics.combiners import split_statistics

# The fields of StatsOptions, as JSON, that the combiners support in memory. Beam handles every other option.
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

Artifacts = dict[str, list[types.Artifact]]


def compute(
    input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any], beam_args: Sequence[str]
) -> bool:
    """Does the step's work if this process is the place for it.

    Args:
        input_dict: as TFX's executor takes it.
        output_dict: as TFX's executor takes it.
        exec_properties: as TFX's executor takes them.
        beam_args: the executor's Beam options.

    Returns:
        Whether the work is done; if not, nothing has been written, and TFX's executor must do it.
    """
    examples = artifact_utils.get_single_instance(input_dict[specs.EXAMPLES_KEY])
    excluded = json_utils.loads(exec_properties.get(specs.EXCLUDE_SPLITS_KEY) or "null") or []
    splits = [split for split in artifact_utils.decode_split_names(examples.split_names) if split not in excluded]
    options = in_memory_options(input_dict, exec_properties)
    rows = count_rows(examples, splits) if options and splits else None
    if placement.choose("StatisticsGen", beam_args, rows) is placement.Place.BEAM:
        return False
    statistics = artifact_utils.get_single_instance(output_dict[specs.STATISTICS_KEY])
    _set_properties(statistics, examples, splits)
    for split in splits:
        found = split_statistics(split_files(examples, split), options)
        path = f"{artifact_utils.get_split_uri([statistics], split)}/{executor.DEFAULT_FILE_NAME}"
        io_utils.write_bytes_file(path, found.SerializeToString())
    return True


def in_memory_options(input_dict: Artifacts, exec_properties: dict[str, Any]) -> tfdv.StatsOptions | None:
    """The options of the statistics; None if the component asks for something that only Beam computes."""
    examples = artifact_utils.get_single_instance(input_dict[specs.EXAMPLES_KEY])
    text = exec_properties.get(specs.STATS_OPTIONS_JSON_KEY)
    options = tfdv.StatsOptions.from_json(text) if text else tfdv.StatsOptions()
    defaults = json.loads(tfdv.StatsOptions().to_json())
    asked = {name for name, value in json.loads(options.to_json()).items() if value != defaults.get(name)}
    schemas = input_dict.get(specs.SCHEMA_KEY)
    if (
        not asked <= _IN_MEMORY_OPTIONS
        or not all(isinstance(name, str) for name in options.feature_allowlist or [])
        or exec_properties.get(specs.SHARDED_STATS_OUTPUT_KEY)
        or json_utils.loads(exec_properties.get(specs.SAMPLE_RATE_BY_SPLIT_KEY) or "null")
        or examples_utils.get_payload_format(examples) not in _PAYLOADS
        or examples.has_custom_property(examples_utils.CUSTOM_SPLIT_PATTERN_PROPERTY_NAME)
        or (schemas and options.schema)  # TFX's executor refuses this and says why
    ):
        return None
    if schemas:
        options.schema = io_utils.SchemaReader().read(
            io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(schemas))
        )
    return options


def _set_properties(statistics: types.Artifact, examples: types.Artifact, splits: list[str]) -> None:
    """Sets the artifact's properties as TFX's executor does."""
    statistics.split_names = artifact_utils.encode_split_names(splits)
    statistics.span = examples.span
    statistics.set_string_custom_property(
        executor.STATS_DASHBOARD_LINK, stats_utils.generate_stats_dashboard_link(statistics)
    )
    rates = json_utils.dumps(dict.fromkeys(splits, 1.0))
    statistics.set_json_value_custom_property(executor.SAMPLE_RATE_BY_SPLIT_PROPERTY_NAME, rates)
