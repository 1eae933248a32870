"""How models are trained: the section `training` of dataset.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from models.families.keras import hyperparameters as keras_hyperparameters
from models.families.xgboost import hyperparameters as xgboost_hyperparameters

Family = Literal["keras", "xgboost"]
Metric = Literal["roc_auc", "pr_auc", "log_loss", "brier"]


class Tuning(Settings):
    """How hyperparameters are searched.

    Attributes:
        search: `none`; `random`; or `bayesian`, which proposes the next trial by the results of those before.
        trials: trials of each family.
        folds: for XGBoost, parts of the training users; each is predicted by a booster that has not seen it.
        hyperparameters: instead of a search, the best ones of an earlier run, by family: the folder of the artifact
            (`.../TuneXGBoost/best_hyperparameters/17`).
    """

    search: Literal["none", "random", "bayesian"] = "none"
    trials: Annotated[int, Field(ge=1, le=1000)] = 20
    folds: Annotated[int, Field(ge=2, le=20)] = 3
    hyperparameters: dict[Family, str] = Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> Tuning:
        if self.hyperparameters and self.search != "none":
            raise ValueError("give either search or hyperparameters of an earlier run, not both")
        return self


class Training(Settings):
    """How the models are trained, and which of them challenges the champion.

    Attributes:
        quantiles: how many training quantiles map a number to a standard normal.
        families: which model families are trained.
        select_by: the metric, on eval, by which the better of them is chosen.
        keras: hyperparameters of the Keras family.
        xgboost: hyperparameters of the XGBoost family.
        tuning: how better ones are searched.
    """

    quantiles: Annotated[int, Field(ge=10, le=10_000)] = 1000
    families: Annotated[tuple[Family, ...], Field(min_length=1)] = ("keras", "xgboost")
    select_by: Metric = "log_loss"
    keras: keras_hyperparameters.Hyperparameters = keras_hyperparameters.Hyperparameters()
    xgboost: xgboost_hyperparameters.Hyperparameters = xgboost_hyperparameters.Hyperparameters()
    tuning: Tuning = Tuning()

    @pydantic.field_validator("families")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each family once")
        return value
