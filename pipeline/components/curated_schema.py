"""CuratedSchema: ImportSchemaGen whose cache key follows the file's content, not only its path."""

from __future__ import annotations

from pathlib import Path

from tfx import types
from tfx.components.schema_gen.import_schema_gen import executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from pipeline.digest import text_digest


class CuratedSchemaSpec(standard_component_specs.ImportSchemaGenSpec):
    """ImportSchemaGen's specification and the digest of the file."""

    PARAMETERS = {  # noqa: RUF012  (TFX reads a plain dict)
        **standard_component_specs.ImportSchemaGenSpec.PARAMETERS,
        "digest": component_spec.ExecutionParameter(type=str),
    }


class CuratedSchema(base_component.BaseComponent):
    """Imports a schema.pbtxt that is under review in the repository.

    Outputs:
        schema: a Schema artifact.
    """

    SPEC_CLASS = CuratedSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, schema_file: Path):
        """Imports `schema_file`, a text-format tensorflow_metadata Schema."""
        super().__init__(
            CuratedSchemaSpec(
                schema_file=str(schema_file),
                digest=text_digest(schema_file.read_text(encoding="utf-8")),
                schema=types.Channel(type=standard_artifacts.Schema),
            )
        )
