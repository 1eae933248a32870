"""CuratedSchema: TFX's ImportSchemaGen, but its property holds the schema itself instead of a file's path.

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
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from pipeline.components import specification


class Executor(base_executor.BaseExecutor):
    """Writes the schema to the file that SchemaGen would write."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `schema_text` as the one Schema of `output_dict`.

        Raises:
            ParseError: the text is not a Schema.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = artifact_utils.get_single_uri(output_dict["schema"])
        text_format.Parse(exec_properties["schema_text"], schema_pb2.Schema())
        path = os.path.join(folder, schema_gen_executor.DEFAULT_FILE_NAME)
        io_utils.write_string_file(path, exec_properties["schema_text"])


class CuratedSchema(
    specification.Component,
    executor=Executor,
    outputs={"schema": standard_artifacts.Schema},
    parameters={"schema_text": str},
):
    """Imports a schema.pbtxt that is under review in the repository.

    Parameters:
        schema_text: a text-format tensorflow_metadata Schema.

    Outputs:
        schema: the Schema.
    """

    def __init__(self, schema_file: Path, leave_out: Collection[str] = ()):
        """Builds the component for the schema in a file, without the features of `leave_out`."""
        super().__init__(schema_text=_without(schema_file.read_text(encoding="utf-8"), leave_out))


def _without(text: str, leave_out: Collection[str]) -> str:
    """The text of a schema without these features; the same text if there are none."""
    if not leave_out:
        return text
    schema = text_format.Parse(text, schema_pb2.Schema())
    kept = [feature for feature in schema.feature if feature.name not in leave_out]
    del schema.feature[:]
    schema.feature.extend(kept)
    return text_format.MessageToString(schema)
