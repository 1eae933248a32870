"""How the Keras family is built and trained. Plain data, so that checking settings needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import pydantic

from models.hyperparameters import Hyperparameters as Base

HIDDEN_UNITS = "hidden_units"  # what a search varies in place of `hidden`: the width of the first layer


class Hyperparameters(Base):
    """How the network is built and trained. `custom_config["hyperparameters"]` overrides any of them."""

    LIMIT: ClassVar[str] = "max_steps"

    members: int = pydantic.Field(default=8, ge=1, description="Networks in the ensemble.")
    bins: int = pydantic.Field(
        default=16, ge=1, description="Largest number of bins of the piecewise-linear encoding of a number."
    )
    embedding: int = pydantic.Field(
        default=8, ge=1, description="Size of the embedding of a number, or of a value of a large vocabulary."
    )
    one_hot: int = pydantic.Field(
        default=32, ge=2, description="Largest vocabulary that is one-hot encoded. Larger ones are embedded."
    )
    hidden: tuple[Annotated[int, pydantic.Field(ge=1)], ...] = pydantic.Field(
        default=(64, 64),
        min_length=1,
        json_schema_extra={"form": "list of integers, each from 1, at least one"},
        description="Width of each shared layer.",
    )
    dropout: float = pydantic.Field(
        default=0.1, ge=0, lt=1, description="Share of a shared layer's outputs that a training step drops."
    )
    batch_size: int | None = pydantic.Field(
        default=None,
        ge=1,
        description="Rows in a training step. By default 256; from 30,000 training rows on 512; from 200,000 on 2048.",
    )
    learning_rate: float | None = pydantic.Field(
        default=None,
        gt=0,
        description="Learning rate of Adam. By default 0.002; from 30,000 training rows on 0.005.",
    )
    averaging: float = pydantic.Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Momentum, per step, of the running mean of the weights. The mean is evaluated and kept.",
    )
    max_steps: int = pydantic.Field(
        default=20_000, ge=1, description="Most training steps. Early stopping on eval usually comes first."
    )
    evaluate_every: int = pydantic.Field(
        default=100,
        ge=1,
        description="Most steps between two evaluations. Small data are evaluated once per pass.",
    )
    patience: int = pydantic.Field(
        default=10, ge=1, description="Training stops after this many evaluations without a lower eval log loss."
    )
    seed: int = pydantic.Field(
        default=1, ge=0, description="Seed of the initial weights, the order of rows and dropout."
    )

    def for_rows(self, rows: int) -> Hyperparameters:
        """These hyperparameters, with batch size, learning rate and evaluations chosen for the training rows."""
        batch_size, learning_rate = (256, 2e-3) if rows < 30_000 else (512, 5e-3) if rows < 200_000 else (2048, 5e-3)
        batch_size = self.batch_size or batch_size
        return self.model_copy(
            update={
                "batch_size": batch_size,
                "learning_rate": self.learning_rate or learning_rate,
                # At least 20: on tiny data, an evaluation after fewer steps says too little.
                "evaluate_every": min(self.evaluate_every, max(rows // batch_size, 20)),
            }
        )

    def with_values(self, values: Mapping[str, Any]) -> Hyperparameters:
        """As the base class. `hidden_units` is the first layer's new width; the others keep their proportion to it."""
        fields = dict(values)
        if HIDDEN_UNITS in fields:
            units = fields.pop(HIDDEN_UNITS)
            fields["hidden"] = tuple(max(1, round(width * units / self.hidden[0])) for width in self.hidden)
        return super().with_values(fields)
