"""ChampionSchema: the raw schema that the champion was trained with, as a server's requests must fit it."""

from __future__ import annotations

import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.components.schema_gen import executor as schema_gen_executor
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from models.features import FeatureSet
from pipeline.champion import training_record
from pipeline.components import specification
from pipeline.fast.compat import path_utils

SERVING = "SERVING"  # the environment of rows that have no label


class ChampionError(RuntimeError):
    """There is no champion that can score; the message says what to do."""


class Executor(base_executor.BaseExecutor):
    """Reads the champion's training record."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the schema.

        Args:
            input_dict: `champion`: the latest blessed Model, or nothing.
            output_dict: `schema`: Schema.
            exec_properties: ChampionSchema's parameters.

        Raises:
            ChampionError: there is no champion, its files are gone, or it needs a feature that is not declared.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        declared = specification.read_settings(exec_properties, "features", FeatureSet)
        champion = single_champion(input_dict.get("champion") or [])
        schema = serving_schema(training_record.read_schema(champion.uri), exec_properties["label"])
        absent = [feature.name for feature in schema.feature if feature.name not in declared.names]
        if absent:
            raise ChampionError(
                f"the champion (model {champion.id}) needs {', '.join(absent)}, which the data set no longer declares. "
                "Put the features back into features.yaml and query.sql, or train a new champion: make run"
            )
        folder = artifact_utils.get_single_uri(output_dict["schema"])
        fileio.makedirs(folder)
        tfdv.write_schema_text(schema, os.path.join(folder, schema_gen_executor.DEFAULT_FILE_NAME))


def single_champion(found: list[types.Artifact]) -> types.Artifact:
    """The champion. Raises ChampionError if there is none, or its files are gone."""
    if not found:
        raise ChampionError("there is no champion yet: no model was blessed. Train one first: make run")
    [champion] = found
    if not fileio.exists(path_utils.serving_model_path(champion.uri)):
        raise ChampionError(
            f"the files of the champion (model {champion.id}) are gone: {champion.uri}. Restore them from a backup, or "
            "make the previous champion the champion again: make rollback"
        )
    return champion


def serving_schema(schema: schema_pb2.Schema, label: str) -> schema_pb2.Schema:
    """A schema without the label and without every feature that is not in the environment SERVING."""
    serving = schema_pb2.Schema()
    serving.CopyFrom(schema)
    kept = [
        feature for feature in schema.feature if feature.name != label and SERVING not in feature.not_in_environment
    ]
    del serving.feature[:]
    serving.feature.extend(kept)
    return serving


class ChampionSchema(
    specification.Component,
    executor=Executor,
    inputs={"champion": specification.optional(standard_artifacts.Model)},
    outputs={"schema": standard_artifacts.Schema},
    parameters={"label": str, "features": FeatureSet},
):
    """Gives the schema that rows to score must fit: the champion's, without the label.

    Inputs:
        champion: the latest blessed Model; it may resolve to nothing, which fails the step.

    Parameters:
        label: the label's name.
        features: the features that the data set declares.

    Outputs:
        schema: the Schema.
    """
