"""How the XGBoost family is trained. Plain data, so that checking settings needs no XGBoost."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from models.hyperparameters import Hyperparameters as Base


class Hyperparameters(Base):
    """How the booster is trained. All but the last four have XGBoost's names and meanings."""

    LIMIT: ClassVar[str] = "max_rounds"

    learning_rate: float = pydantic.Field(
        default=0.05, gt=0, le=1, description="How much each tree corrects the trees before it."
    )
    max_depth: int = pydantic.Field(default=4, ge=1, le=12, description="Most splits between the root and a leaf.")
    min_child_weight: float = pydantic.Field(
        default=5.0, ge=0, description="Smallest sum of second derivatives in a leaf."
    )
    gamma: float = pydantic.Field(default=0.0, ge=0, description="Smallest gain of a split.")
    reg_lambda: float = pydantic.Field(default=1.0, ge=0, description="L2 penalty on leaf values.")
    reg_alpha: float = pydantic.Field(default=0.0, ge=0, description="L1 penalty on leaf values.")
    subsample: float = pydantic.Field(default=1.0, gt=0, le=1, description="Share of the rows that a tree sees.")
    colsample_bytree: float = pydantic.Field(
        default=1.0, gt=0, le=1, description="Share of the columns that a tree sees."
    )
    max_bin: int = pydantic.Field(default=256, ge=2, le=65_536, description="Largest number of bins of a number.")
    max_cat_to_onehot: int = pydantic.Field(
        default=32,
        ge=1,
        description="Largest vocabulary that is split one value against the rest. Larger ones are partitioned.",
    )
    num_parallel_tree: int = pydantic.Field(
        default=1, ge=1, description="Trees per round. With more than one, each round is a small forest."
    )
    max_rounds: int = pydantic.Field(default=2000, ge=1, description="Most rounds.")
    patience: int = pydantic.Field(
        default=50, ge=1, description="Training stops after this many rounds without a lower eval log loss."
    )
    threads: int = pydantic.Field(
        default=0,
        ge=0,
        description="Training threads. 0 chooses by the size of the data, at most one per core.",
    )
    seed: int = pydantic.Field(default=1, ge=0, description="Seed of everything random.")
