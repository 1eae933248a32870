"""Trainer: TFX's own, and its model carries the statistics and the schema of the data it was trained on."""

from __future__ import annotations

import os
from typing import Any

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.trainer import executor as trainer_executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.proto import trainer_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs

from pipeline.champion import training_record
from pipeline.examples.data_summary import read_data_summary
from pipeline.fast.compat import json_utils, stats_artifact_utils

RAW_EXAMPLES_KEY = "raw_examples"
RAW_STATISTICS_KEY = "raw_statistics"


class TrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's Trainer specification with two more inputs, from which the model's `training_data` folder is written."""

    INPUTS = {  # noqa: RUF012  (TFX reads a plain dict)
        **standard_component_specs.TrainerSpec.INPUTS,
        RAW_EXAMPLES_KEY: component_spec.ChannelParameter(type=standard_artifacts.Examples),
        RAW_STATISTICS_KEY: component_spec.ChannelParameter(type=standard_artifacts.ExampleStatistics),
    }


class Executor(trainer_executor.GenericExecutor):
    """Calls the `run_fn`, then describes its training data in the Model artifact."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX's GenericExecutor; see there for the inputs, outputs and properties."""
        super().Do(input_dict, output_dict, exec_properties)
        statistics = artifact_utils.get_single_instance(input_dict[RAW_STATISTICS_KEY])
        schema_uri = artifact_utils.get_single_uri(input_dict[standard_component_specs.SCHEMA_KEY])
        training_record.write(
            artifact_utils.get_single_uri(output_dict[standard_component_specs.MODEL_KEY]),
            statistics=stats_artifact_utils.load_statistics(statistics, "train").proto(),
            schema=tfdv.load_schema_text(os.path.join(schema_uri, "schema.pbtxt")),
            report=read_data_summary(artifact_utils.get_single_instance(input_dict[RAW_EXAMPLES_KEY])),
        )


class Trainer(base_component.BaseComponent):
    """TFX's Trainer, for a dotted `run_fn`.

    Outputs:
        model: a Model artifact: the SavedModel, and `training_data/` beside it.
        model_run: a ModelRun artifact with the TensorBoard logs.
    """

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        run_fn: str,
        examples: types.BaseChannel,
        transform_graph: types.BaseChannel,
        schema: types.BaseChannel,
        raw_examples: types.BaseChannel,
        raw_statistics: types.BaseChannel,
        hyperparameters: types.BaseChannel | None,
        train_args: trainer_pb2.TrainArgs,
        eval_args: trainer_pb2.EvalArgs,
        custom_config: dict[str, Any],
        custom_executor_spec: executor_spec.ExecutorSpec | None = None,
    ):
        """Builds the component.

        Args:
            run_fn: dotted name of the training function, such as `pipeline.training.run_fn.run_fn`.
            examples: transformed Examples.
            transform_graph: the TransformGraph that made them.
            schema: the raw Schema.
            raw_examples: the Examples before Transform.
            raw_statistics: their ExampleStatistics.
            hyperparameters: HyperParameters that replace those of `custom_config`; None for those.
            train_args: which split to train on; our models take their budget from their hyperparameters.
            eval_args: unused by our models, which evaluate on the whole eval split.
            custom_config: JSON-ready data for the `run_fn`, with a digest of its code.
            custom_executor_spec: of another executor than the one that calls the `run_fn` in the step.
        """
        super().__init__(
            TrainerSpec(
                examples=examples,
                transform_graph=transform_graph,
                schema=schema,
                raw_examples=raw_examples,
                raw_statistics=raw_statistics,
                hyperparameters=hyperparameters,
                train_args=train_args,
                eval_args=eval_args,
                run_fn=run_fn,
                custom_config=json_utils.dumps(custom_config),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            ),
            custom_executor_spec=custom_executor_spec,
        )
