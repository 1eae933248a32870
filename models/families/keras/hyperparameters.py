"""How the Keras family is built and trained. Plain data, so that settings are checked without TensorFlow."""

from __future__ import annotations

import pydantic

from models.config import Settings


class Hyperparameters(Settings):
    """How the network is built and trained; `custom_config["hyperparameters"]` overrides any of them.

    Attributes:
        members, bins, embedding, one_hot, hidden, dropout: see batch_ensemble.Shape.
        batch_size: rows in a step; by default by the number of training rows.
        learning_rate: of Adam; by default by the number of training rows.
        averaging: momentum, per step, of the running mean of the weights that is evaluated and kept.
        max_steps: most training steps, unless the Trainer's train_args say otherwise.
        evaluate_every: most steps between two evaluations; small data are evaluated once a pass.
        patience: evaluations without a lower eval log loss after which training stops.
        seed: of everything random.
    """

    members: int = pydantic.Field(default=8, ge=1)
    bins: int = pydantic.Field(default=16, ge=1)
    embedding: int = pydantic.Field(default=8, ge=1)
    one_hot: int = pydantic.Field(default=32, ge=2)
    hidden: tuple[int, ...] = (64, 64)
    dropout: float = pydantic.Field(default=0.1, ge=0, lt=1)
    batch_size: int | None = pydantic.Field(default=None, ge=1)
    learning_rate: float | None = pydantic.Field(default=None, gt=0)
    averaging: float = pydantic.Field(default=0.99, ge=0, lt=1)
    max_steps: int = pydantic.Field(default=20_000, ge=1)
    evaluate_every: int = pydantic.Field(default=100, ge=1)
    patience: int = pydantic.Field(default=10, ge=1)
    seed: int = pydantic.Field(default=1, ge=0)

    def for_rows(self, rows: int) -> Hyperparameters:
        """The same with batch size, learning rate and evaluations chosen for a number of training rows."""
        batch_size, learning_rate = (256, 2e-3) if rows < 30_000 else (512, 5e-3) if rows < 200_000 else (2048, 5e-3)
        batch_size = self.batch_size or batch_size
        return self.model_copy(
            update={
                "batch_size": batch_size,
                "learning_rate": self.learning_rate or learning_rate,
                # A lower bound too: on tiny data, ten passes are too few steps to judge by.
                "evaluate_every": min(self.evaluate_every, max(rows // batch_size, 20)),
            }
        )
