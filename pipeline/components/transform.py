"""TFX's Transform, whose work is done inside the step where that is faster; artifacts and results are the same."""

from __future__ import annotations

from typing import Any

from tfx import components as tfx_components
from tfx import types
from tfx.components.transform import executor, executor_utils, labels
from tfx.components.util import examples_utils, udf_utils
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import io_utils

from pipeline.examples import example_readers
from pipeline.fast import execution
from pipeline.fast.transform import in_process
from pipeline.fast.transform.plan import Unsupported
from pipeline.fast.transform.raw_examples import FORMATS, RawSplit

_NAME = "Transform"

Artifacts = dict[str, list[types.Artifact]]


class Executor(executor.Executor):
    """TFX's executor, and a shorter way for what can be done in process."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """As TFX's executor; a preprocessing_fn that cannot be run in process is run by it.

        Args:
            input_dict: `examples`, `schema` and, optionally, `analyzer_cache`.
            output_dict: `transform_graph` and, optionally, `transformed_examples`, `updated_analyzer_cache` and
                statistics.
            exec_properties: the component's.
        """
        if not self._do_in_process(input_dict, output_dict, exec_properties):
            super().Do(input_dict, output_dict, exec_properties)
        _copy_format(input_dict[keys.EXAMPLES_KEY], output_dict.get(keys.TRANSFORMED_EXAMPLES_KEY, []))

    def _do_in_process(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> bool:
        """Does the work unless it is for Beam; returns whether it is done."""
        splits = executor_utils.ResolveSplitsConfig(
            exec_properties.get(keys.SPLITS_CONFIG_KEY), input_dict[keys.EXAMPLES_KEY]
        )
        rows = _rows(input_dict[keys.EXAMPLES_KEY], {*splits.analyze, *splits.transform})
        if execution.choose(_NAME, self._beam_pipeline_args or [], rows) is execution.Path.BEAM:
            return False
        try:
            _check(input_dict, output_dict, exec_properties)
            in_process.run(_job(input_dict, output_dict, exec_properties, splits))
        except Unsupported as error:
            execution.fall_back(_NAME, str(error))
            return False
        return True


class Transform(tfx_components.Transform):
    """TFX's Transform with this executor."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


def _check(input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
    """Raises Unsupported for what the component can be told to do beyond a preprocessing_fn on one set of examples."""
    if len(input_dict[keys.EXAMPLES_KEY]) != 1:
        raise Unsupported("several artifacts of examples")
    if examples_utils.get_payload_format(input_dict[keys.EXAMPLES_KEY][0]) not in FORMATS:
        raise Unsupported("another payload format than tf.Example or Parquet")
    if input_dict.get(keys.ANALYZER_CACHE_KEY):
        raise Unsupported("an analyzer cache is given")
    if not output_dict.get(keys.TRANSFORMED_EXAMPLES_KEY):
        raise Unsupported("no transformed examples wanted")
    if not exec_properties.get(keys.DISABLE_STATISTICS_KEY):
        raise Unsupported("statistics wanted")
    if not exec_properties.get(keys.PREPROCESSING_FN_KEY):
        raise Unsupported("a module file instead of a preprocessing_fn")
    for name in (keys.FORCE_TF_COMPAT_V1_KEY, keys.SAVE_OPTIONS_KEY, keys.STATS_OPTIONS_UPDATER_FN_KEY):
        if exec_properties.get(name):
            raise Unsupported(f"the property '{name}' is set")


def _job(input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any], splits: Any) -> in_process.Job:
    [examples] = input_dict[keys.EXAMPLES_KEY]
    schema_file = io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict[keys.SCHEMA_KEY]))
    schema = io_utils.SchemaReader().read(schema_file)
    function = udf_utils.get_fn(exec_properties, keys.PREPROCESSING_FN_KEY)
    config = {labels.CUSTOM_CONFIG: exec_properties.get(keys.CUSTOM_CONFIG_KEY)}
    transformed = output_dict[keys.TRANSFORMED_EXAMPLES_KEY]
    executor_utils.SetSplitNames(splits.transform, transformed)
    caches = output_dict.get(keys.UPDATED_ANALYZER_CACHE_KEY)
    return in_process.Job(
        schema=schema,
        preprocessing_fn=executor_utils.MaybeBindCustomConfig(config, function),
        analyze=[RawSplit.of(examples, split, schema) for split in splits.analyze],
        transform={
            prefix: RawSplit.of(examples, split, schema)
            for prefix, split in zip(executor_utils.GetSplitPaths(transformed), splits.transform, strict=True)
        },
        graph=artifact_utils.get_single_uri(output_dict[keys.TRANSFORM_GRAPH_KEY]),
        cache=artifact_utils.get_single_uri(caches) if caches else None,
    )


def _rows(examples: list[types.Artifact], splits: set[str]) -> int | None:
    """How many rows some splits have; None if nothing tells."""
    counts = [example_readers.count_rows(artifact, splits) for artifact in examples]
    return None if None in counts else sum(counts)


def _copy_format(raw: list[types.Artifact], transformed: list[types.Artifact]) -> None:
    """Says of transformed examples that they are Parquet, which TFX's executor writes but does not tell."""
    for source, result in zip(raw, transformed, strict=False):
        payload_format = examples_utils.get_payload_format(source)
        if payload_format == example_gen_pb2.FORMAT_PARQUET:
            examples_utils.set_payload_format(result, payload_format)
            examples_utils.set_file_format(result, examples_utils.get_file_format(source))
