"""How the logistic family is trained. Plain data, so that checking settings needs no scikit-learn."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from models.hyperparameters import Hyperparameters as Base


class Hyperparameters(Base):
    """How the logistic regression is trained."""

    LIMIT: ClassVar[str] = "max_iterations"

    l2: float | None = pydantic.Field(
        default=None,
        gt=0,
        description="Strength of the L2 penalty: weights are expected to be within 1 / sqrt(l2) of 0. By default the "
        "strength with the lowest eval log loss, from 1000 down to 0.01.",
    )
    one_hot: int = pydantic.Field(
        default=200,
        ge=1,
        description="How many values of a category have their own weight, the most frequent first. All others share "
        "one weight.",
    )
    category_scale: float = pydantic.Field(
        default=1.0,
        gt=0,
        description="Scale of the categories' columns beside the numbers'. Below 1, the penalty on the weights of "
        "categories is stronger than that on numbers.",
    )
    max_iterations: int = pydantic.Field(default=1000, ge=1, description="Most iterations of the solver (L-BFGS).")
    patience: int = pydantic.Field(
        default=2, ge=1, description="Training stops after this many strengths without a lower eval log loss."
    )
    seed: int = pydantic.Field(
        default=1, ge=0, description="Seed of a search for hyperparameters. Training itself draws nothing at random."
    )
