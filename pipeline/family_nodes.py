"""The nodes of each model family: Trainer, and the search for its hyperparameters or their import."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfx.dsl.components.common.importer import Importer
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts

from models.families import FAMILIES
from pipeline.components.trainer import Trainer
from pipeline.components.tuner import Tuner
from pipeline.fast.compat import json_utils
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.training import Family
from pipeline.training.arguments import config

if TYPE_CHECKING:
    from pipeline.training.trainer_job import TrainerJob

# Steps that only some pipelines have.
OPTIONAL_STEPS = tuple(f"{verb}{title}" for verb in ("Tune", "Train") for title in FAMILIES.values())


@dataclasses.dataclass(frozen=True)
class FamilyNodes:
    """The nodes of one model family.

    Attributes:
        trainer: the Trainer.
        hyperparameters: channel of the best hyperparameters of a search or an import; None if the settings apply.
        all: every node.
    """

    trainer: Any
    hyperparameters: Any
    all: tuple[Any, ...]

    def learned(self) -> list[tuple[str, Any]]:
        """The channels of what the family learned: `model`, `run` and, if there are any, `hyperparameters`."""
        found = [("model", self.trainer.outputs["model"]), ("run", self.trainer.outputs["model_run"])]
        return [*found, ("hyperparameters", self.hyperparameters)] if self.hyperparameters else found


def family_nodes(
    family: Family,
    folder: DatasetFolder,
    *,
    examples: Any,
    statistics: Any,
    schema: Any,
    transform: Any,
    trainer_job: TrainerJob | None = None,
) -> FamilyNodes:
    """The Trainer of a family and, if the settings ask for it, the search or the import of its hyperparameters.

    Args:
        family: which family.
        folder: the data set, with the settings of the training.
        examples: the ExampleGen component.
        statistics: StatisticsGen.
        schema: the component that gives the raw schema.
        transform: Transform.
        trainer_job: how the Trainer runs as a Vertex AI custom job; None if it runs inside its step.
    """
    training = folder.dataset.training
    given = config(family, folder.features, folder.dataset.columns.label, training.of(family))
    train_args, eval_args = trainer_pb2.TrainArgs(splits=["train"]), trainer_pb2.EvalArgs(splits=["eval"])
    title = FAMILIES[family]
    tuner, hyperparameters = None, None
    if training.tuning.search != "none":
        tuner = Tuner(
            tuner_fn="pipeline.training.tuner_fn.tuner_fn",
            examples=examples.outputs["examples"],  # raw ones, which know whose row each is
            transform_graph=transform.outputs["transform_graph"],
            train_args=train_args,
            eval_args=eval_args,
            custom_config={**given, "tuning": training.tuning.model_dump(mode="json")},
        ).with_id(f"Tune{title}")
        hyperparameters = tuner.outputs["best_hyperparameters"]
    elif family in training.tuning.hyperparameters:
        tuner = Importer(
            source_uri=training.tuning.hyperparameters[family],
            artifact_type=standard_artifacts.HyperParameters,
        ).with_id(f"Import{title}Hyperparameters")
        hyperparameters = tuner.outputs["result"]
    trainer = Trainer(
        run_fn="pipeline.training.run_fn.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        hyperparameters=hyperparameters,
        raw_examples=examples.outputs["examples"],
        raw_statistics=statistics.outputs["statistics"],
        train_args=train_args,
        eval_args=eval_args,
        custom_config=json_utils.dumps({**given, **(trainer_job.custom_config(title) if trainer_job else {})}),
        custom_executor_spec=trainer_job.executor_spec() if trainer_job else None,
    ).with_id(f"Train{title}")
    return FamilyNodes(trainer, hyperparameters, (tuner, trainer) if tuner else (trainer,))
