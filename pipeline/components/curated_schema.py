"""CuratedSchema: like TFX's ImportSchemaGen, but the schema itself is the property, not the path of a file.

So the cache key follows the content, and a pipeline that is compiled on one machine runs on another.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.schema_gen import executor as schema_gen_executor
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import io_utils


class CuratedSchemaSpec(component_spec.ComponentSpec):
    """Outputs and parameters of CuratedSchema."""

    PARAMETERS = {"schema_text": component_spec.ExecutionParameter(type=str)}  # noqa: RUF012  (TFX reads a plain dict)
    INPUTS = {}  # noqa: RUF012
    OUTPUTS = standard_component_specs.ImportSchemaGenSpec.OUTPUTS


class Executor(base_executor.BaseExecutor):
    """Writes the schema where SchemaGen would."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `schema_text` as the one Schema of `output_dict`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = artifact_utils.get_single_uri(output_dict[standard_component_specs.SCHEMA_KEY])
        text_format.Parse(exec_properties["schema_text"], schema_pb2.Schema())  # raises if it is none
        path = os.path.join(folder, schema_gen_executor.DEFAULT_FILE_NAME)
        io_utils.write_string_file(path, exec_properties["schema_text"])


class CuratedSchema(base_component.BaseComponent):
    """Imports a schema.pbtxt that is under review in the repository.

    Outputs:
        schema: a Schema artifact.
    """

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, schema_file: Path, leave_out: Collection[str] = ()):
        """Imports `schema_file`, a text-format tensorflow_metadata Schema, without the features of `leave_out`."""
        super().__init__(
            CuratedSchemaSpec(
                schema_text=_without(schema_file.read_text(encoding="utf-8"), leave_out),
                schema=types.Channel(type=standard_artifacts.Schema),
            )
        )


def _without(text: str, leave_out: Collection[str]) -> str:
    """The text of a schema without these features; the same text if there are none."""
    if not leave_out:
        return text
    schema = text_format.Parse(text, schema_pb2.Schema())
    kept = [feature for feature in schema.feature if feature.name not in leave_out]
    del schema.feature[:]
    schema.feature.extend(kept)
    return text_format.MessageToString(schema)
