"""TFX's Trainer that also writes a training record: statistics and schema of the rows that the model was trained on."""

from __future__ import annotations

import os
from typing import Any

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.trainer import executor as trainer_executor
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs

from models.families.contract import model_modules
from pipeline.champion import training_record
from pipeline.components import specification
from pipeline.examples.data_summary import read_data_summary
from pipeline.fast.compat import json_utils, stats_artifact_utils

RAW_EXAMPLES_KEY = "raw_examples"
RAW_STATISTICS_KEY = "raw_statistics"


class Executor(trainer_executor.GenericExecutor):
    """Calls the `run_fn`, then writes the training record to the Model."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Takes the arguments of TFX's GenericExecutor, and the inputs `raw_examples` and `raw_statistics`."""
        super().Do(input_dict, output_dict, exec_properties)
        statistics = artifact_utils.get_single_instance(input_dict[RAW_STATISTICS_KEY])
        schema_uri = artifact_utils.get_single_uri(input_dict[standard_component_specs.SCHEMA_KEY])
        training_record.write(
            artifact_utils.get_single_uri(output_dict[standard_component_specs.MODEL_KEY]),
            statistics=stats_artifact_utils.load_statistics(statistics, "train").proto(),
            schema=tfdv.load_schema_text(os.path.join(schema_uri, "schema.pbtxt")),
            summary=read_data_summary(artifact_utils.get_single_instance(input_dict[RAW_EXAMPLES_KEY])),
        )


class Trainer(
    specification.Component,
    executor=Executor,
    extends=standard_component_specs.TrainerSpec,
    inputs={
        RAW_EXAMPLES_KEY: standard_artifacts.Examples,
        RAW_STATISTICS_KEY: standard_artifacts.ExampleStatistics,
    },
):
    """TFX's Trainer for a dotted `run_fn`. It writes the training record from two more inputs.

    Inputs:
        examples: transformed Examples.
        transform_graph: the TransformGraph that made them.
        schema: the raw Schema.
        raw_examples: the Examples before Transform.
        raw_statistics: their ExampleStatistics.
        hyperparameters: HyperParameters that replace those of `custom_config`; optional.

    Parameters:
        run_fn: dotted name of the training function, such as `pipeline.training.run_fn.run_fn`.
        train_args: the split to train on; our models take their budget from their hyperparameters.
        eval_args: the split to evaluate on; our models evaluate on all of it.
        custom_config: JSON for the `run_fn`.

    Outputs:
        model: a Model: the SavedModel, and `training_data/` beside it.
        model_run: a ModelRun with the TensorBoard logs.
    """

    def modules_by_name(self) -> tuple[str, ...]:
        """The module of the `run_fn`, and the modules of the model family that it trains."""
        family = json_utils.loads(self.exec_properties["custom_config"]).get("family")
        return specification.module_of(self.exec_properties["run_fn"]), *(model_modules(family) if family else ())
