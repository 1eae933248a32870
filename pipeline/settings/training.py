"""How models are trained: the section `training` of dataset.yaml."""

from __future__ import annotations

from typing import Any, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from models.families import FAMILIES
from models.families.contract import hyperparameters_class
from models.features import DEFAULT_QUANTILES
from models.hyperparameters import Hyperparameters
from pipeline.gate.metrics import COMPARED

LOADED_BY_NAME = ("models.families.*.hyperparameters",)  # read by pipeline.digest

Family = Literal[tuple(FAMILIES)]
Metric = Literal[COMPARED]  # the registry of metrics says which can be compared


class Tuning(Settings):
    """How hyperparameters are searched."""

    search: Literal["none", "random", "bayesian"] = Field(
        default="none",
        description="The search for better hyperparameters of each family. `bayesian` proposes each trial from the "
        "results of earlier trials.",
    )
    trials: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Trials of each family. The first trial runs the hyperparameters of the settings.",
    )
    folds: int = Field(
        default=3,
        ge=2,
        le=20,
        description="For XGBoost: parts of the training users. A booster that was trained on the other parts "
        "predicts each part.",
    )
    hyperparameters: dict[Family, str] = Field(
        default_factory=dict,
        description="The best hyperparameters of an earlier run, by family, in place of a search: the folder of the "
        "artifact, such as `.../TuneXGBoost/best_hyperparameters/17`.",
    )

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> Tuning:
        if self.hyperparameters and self.search != "none":
            raise ValueError("give either search or hyperparameters of an earlier run, not both")
        return self


class _Training(Settings):
    """What all families share of Training."""

    quantiles: int = Field(
        default=DEFAULT_QUANTILES,
        ge=10,
        le=10_000,
        description="Number of training quantiles by which a number is mapped to a standard normal.",
    )
    families: tuple[Family, ...] = Field(
        default=("keras", "xgboost"), min_length=1, description="The model families to train."
    )
    select_by: Metric = Field(
        default="log_loss",
        description="The metric on eval that decides which family challenges the champion.",
    )
    tuning: Tuning = Field(default=Tuning(), description="How hyperparameters are searched.")

    @pydantic.field_validator("families")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("name each family once")
        return value

    def of(self, family: Family) -> Hyperparameters:
        """The hyperparameters of a family."""
        return getattr(self, family)


def _hyperparameters(family: str) -> tuple[type[Hyperparameters], Any]:
    """Type and field of a family's hyperparameters."""
    kind = hyperparameters_class(family)
    return kind, Field(default=kind(), description=f"Hyperparameters of the {FAMILIES[family]} family.")


# A field for each family of the registry, such as `training.keras`.
Training = pydantic.create_model(
    "Training",
    __base__=_Training,
    __module__=__name__,
    __doc__="How models are trained, and which of them challenges the champion.",
    **{family: _hyperparameters(family) for family in FAMILIES},
)
