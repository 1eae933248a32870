"""The nodes of each model family: Trainer, and the search for its hyperparameters or their import."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tfx.components import Tuner
from tfx.dsl.components.common.importer import Importer
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts

from pipeline.components.trainer import Trainer
from pipeline.digest import code_digest
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.training import Family

if TYPE_CHECKING:
    from pipeline.training.trainer_job import TrainerJob

_TITLES = {"keras": "Keras", "xgboost": "XGBoost"}


# Steps that there are in some pipelines and not in others.
OPTIONAL_STEPS = tuple(f"{verb}{title}" for verb in ("Tune", "Train") for title in _TITLES.values())


@dataclasses.dataclass(frozen=True)
class FamilyNodes:
    """The nodes of one model family.

    Attributes:
        trainer: the Trainer.
        hyperparameters: channel of the best hyperparameters that were searched for or imported; None for the settings'.
        all: every node.
    """

    trainer: Any
    hyperparameters: Any
    all: tuple[Any, ...]

    def learned(self) -> list[tuple[str, Any]]:
        """The channels of what was learned: `model`, `run` and, if there are any, `hyperparameters`."""
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
    """The Trainer of a family and, where the settings say so, the search or the import of its hyperparameters.

    Args:
        family: which one.
        folder: the data set; `training` says how.
        examples: the ExampleGen component.
        statistics: StatisticsGen.
        schema: what gives the raw schema.
        transform: Transform.
        trainer_job: how the Trainer runs as a Vertex AI custom job; None for inside its step.
    """
    training = folder.dataset.training
    settings = getattr(training, family)
    config = {
        "features": folder.features.to_config(),
        "label": folder.dataset.columns.label,
        "hyperparameters": settings.model_dump(mode="json"),
        "digest": code_digest(
            "models", "pipeline.components.trainer", "pipeline.champion.training_record", "pipeline.examples"
        ),
    }
    train_args, eval_args = trainer_pb2.TrainArgs(splits=["train"]), trainer_pb2.EvalArgs(splits=["eval"])
    title = _TITLES[family]
    tuner, hyperparameters = None, None
    if training.tuning.search != "none":
        tuner = Tuner(
            tuner_fn=f"models.families.{family}.tuning.tuner_fn",
            examples=examples.outputs["examples"],  # raw ones: they know the users, by whom rows are folded
            transform_graph=transform.outputs["transform_graph"],
            train_args=train_args,
            eval_args=eval_args,
            custom_config={**config, "tuning": training.tuning.model_dump(mode="json")},
        ).with_id(f"Tune{title}")
        hyperparameters = tuner.outputs["best_hyperparameters"]
    elif family in training.tuning.hyperparameters:
        tuner = Importer(
            source_uri=training.tuning.hyperparameters[family],
            artifact_type=standard_artifacts.HyperParameters,
        ).with_id(f"Import{title}Hyperparameters")
        hyperparameters = tuner.outputs["result"]
    trainer = Trainer(
        run_fn=f"models.families.{family}.model.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.outputs["schema"],
        hyperparameters=hyperparameters,
        raw_examples=examples.outputs["examples"],
        raw_statistics=statistics.outputs["statistics"],
        train_args=train_args,
        eval_args=eval_args,
        custom_config={**config, **(trainer_job.custom_config(title) if trainer_job else {})},
        custom_executor_spec=trainer_job.executor_spec() if trainer_job else None,
    ).with_id(f"Train{title}")
    return FamilyNodes(trainer, hyperparameters, (tuner, trainer) if tuner else (trainer,))
