"""How the XGBoost family is trained. Plain data, so that settings are checked without XGBoost."""

from __future__ import annotations

import pydantic

from models.config import Settings


class Hyperparameters(Settings):
    """How the booster is trained; names and meanings are XGBoost's own but for the last five.

    Attributes:
        learning_rate: by how much each tree corrects those before it.
        max_depth: most splits on the way to a leaf.
        min_child_weight: least sum of second derivatives in a leaf.
        gamma: least gain of a split.
        reg_lambda: L2 penalty on leaf values.
        reg_alpha: L1 penalty on leaf values.
        subsample: share of rows that a tree sees.
        colsample_bytree: share of columns that a tree sees.
        max_bin: most bins of a number.
        max_cat_to_onehot: widest vocabulary that is split one value against the rest; wider ones are partitioned.
        num_parallel_tree: trees in a round; more than one makes each round a small forest.
        max_rounds: most rounds.
        patience: rounds without a lower eval log loss after which training stops.
        threads: of training; 0 is as many as the rows are worth, at most one per core.
        seed: of everything random.
    """

    learning_rate: float = pydantic.Field(default=0.05, gt=0, le=1)
    max_depth: int = pydantic.Field(default=4, ge=1, le=12)
    min_child_weight: float = pydantic.Field(default=5.0, ge=0)
    gamma: float = pydantic.Field(default=0.0, ge=0)
    reg_lambda: float = pydantic.Field(default=1.0, ge=0)
    reg_alpha: float = pydantic.Field(default=0.0, ge=0)
    subsample: float = pydantic.Field(default=1.0, gt=0, le=1)
    colsample_bytree: float = pydantic.Field(default=1.0, gt=0, le=1)
    max_bin: int = pydantic.Field(default=256, ge=2, le=65_536)
    max_cat_to_onehot: int = pydantic.Field(default=32, ge=1)
    num_parallel_tree: int = pydantic.Field(default=1, ge=1)
    max_rounds: int = pydantic.Field(default=2000, ge=1)
    patience: int = pydantic.Field(default=50, ge=1)
    threads: int = pydantic.Field(default=0, ge=0)
    seed: int = pydantic.Field(default=1, ge=0)
