"""A Transform step in process: reads Examples, writes the artifacts that TFX's executor would write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfx import types
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils

from pipeline.examples.splits import count_rows
from pipeline.fast import placement
from pipeline.fast.compat import examples_utils, transform_labels, transform_utils, udf_utils
from pipeline.fast.transform import in_process
from pipeline.fast.transform.plan import Unsupported
from pipeline.fast.transform.raw_examples import FORMATS, RawSplit

_NAME = "Transform"

Artifacts = dict[str, list[types.Artifact]]


def transform(
    input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any], beam_args: Sequence[str]
) -> bool:
    """Does the step's work if this process is the place for it and knows all that the preprocessing_fn uses.

    Args:
        input_dict: `examples`, `schema` and, optionally, `analyzer_cache`.
        output_dict: `transform_graph` and, optionally, `transformed_examples`, `updated_analyzer_cache` and statistics.
        exec_properties: the component's.
        beam_args: the executor's Beam options.

    Returns:
        Whether the work is done; if not, TFX's executor must do it.
    """
    splits = transform_utils.ResolveSplitsConfig(
        exec_properties.get(specs.SPLITS_CONFIG_KEY), input_dict[specs.EXAMPLES_KEY]
    )
    rows = _count_rows(input_dict[specs.EXAMPLES_KEY], {*splits.analyze, *splits.transform})
    if placement.choose(_NAME, beam_args, rows) is placement.Place.BEAM:
        return False
    try:
        _check(input_dict, output_dict, exec_properties)
        in_process.run(_task(input_dict, output_dict, exec_properties, splits))
    except Unsupported as error:
        placement.fall_back(_NAME, str(error))
        return False
    return True


def copy_format(raw: Sequence[types.Artifact], transformed: Sequence[types.Artifact]) -> None:
    """Marks transformed examples as Parquet if the raw ones are; TFX's executor writes Parquet but does not say so."""
    for source, result in zip(raw, transformed, strict=False):
        payload_format = examples_utils.get_payload_format(source)
        if payload_format == example_gen_pb2.FORMAT_PARQUET:
            examples_utils.set_payload_format(result, payload_format)
            examples_utils.set_file_format(result, examples_utils.get_file_format(source))


def _check(input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
    """Raises Unsupported if the component asks for more than a preprocessing_fn on one artifact of examples."""
    if len(input_dict[specs.EXAMPLES_KEY]) != 1:
        raise Unsupported("several artifacts of examples")
    if examples_utils.get_payload_format(input_dict[specs.EXAMPLES_KEY][0]) not in FORMATS:
        raise Unsupported("a payload format other than tf.Example and Parquet")
    if input_dict.get(specs.ANALYZER_CACHE_KEY):
        raise Unsupported("an analyzer cache is given")
    if not output_dict.get(specs.TRANSFORMED_EXAMPLES_KEY):
        raise Unsupported("no transformed examples are wanted")
    if not exec_properties.get(specs.DISABLE_STATISTICS_KEY):
        raise Unsupported("statistics are wanted")
    if not exec_properties.get(specs.PREPROCESSING_FN_KEY):
        raise Unsupported("a module file instead of a preprocessing_fn")
    for name in (specs.FORCE_TF_COMPAT_V1_KEY, specs.SAVE_OPTIONS_KEY, specs.STATS_OPTIONS_UPDATER_FN_KEY):
        if exec_properties.get(name):
            raise Unsupported(f"the property '{name}' is set")


def _task(
    input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any], splits: Any
) -> in_process.TransformTask:
    [examples] = input_dict[specs.EXAMPLES_KEY]
    schema_file = io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict[specs.SCHEMA_KEY]))
    schema = io_utils.SchemaReader().read(schema_file)
    function = udf_utils.get_fn(exec_properties, specs.PREPROCESSING_FN_KEY)
    config = {transform_labels.CUSTOM_CONFIG: exec_properties.get(specs.CUSTOM_CONFIG_KEY)}
    transformed = output_dict[specs.TRANSFORMED_EXAMPLES_KEY]
    transform_utils.SetSplitNames(splits.transform, transformed)
    caches = output_dict.get(specs.UPDATED_ANALYZER_CACHE_KEY)
    return in_process.TransformTask(
        schema=schema,
        preprocessing_fn=transform_utils.MaybeBindCustomConfig(config, function),
        analyze=[RawSplit.of(examples, split, schema) for split in splits.analyze],
        transform={
            prefix: RawSplit.of(examples, split, schema)
            for prefix, split in zip(transform_utils.GetSplitPaths(transformed), splits.transform, strict=True)
        },
        graph=artifact_utils.get_single_uri(output_dict[specs.TRANSFORM_GRAPH_KEY]),
        cache=artifact_utils.get_single_uri(caches) if caches else None,
    )


def _count_rows(examples: Sequence[types.Artifact], splits: set[str]) -> int | None:
    """The number of rows in some splits; None if it is not known."""
    counts = [count_rows(artifact, splits) for artifact in examples]
    return None if None in counts else sum(counts)
