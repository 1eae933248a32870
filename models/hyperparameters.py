"""The base of every family's hyperparameters, and how the Tuner's replace them. Plain data, without KerasTuner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from models.config import Settings, validate_settings

S = TypeVar("S", bound="Hyperparameters")


class Hyperparameters(Settings):
    """How a family is trained. Every family has a seed and a limit of its steps."""

    # The field that limits how long training may take: steps, rounds or whatever the family counts.
    LIMIT: ClassVar[str]

    if TYPE_CHECKING:
        seed: int

    @classmethod
    def from_config(cls: type[S], config: Mapping[str, Any] | None) -> S:
        """The settings of a component's `custom_config`; what they leave out has its default. Raises SettingsError."""
        return validate_settings(dict(config or {}), cls, origin="hyperparameters")

    def tuned(self: S, found: Mapping[str, Any] | None) -> S:
        """The settings with the best hyperparameters of a search.

        Args:
            found: `fn_args.hyperparameters`, which is `keras_tuner.HyperParameters.get_config()`; None without a
                search. Values that were not searched stay as they are.

        Raises:
            SettingsError: a value is out of its range, or the hyperparameters are those of another family.
        """
        return self.with_values((found or {}).get("values") or {})

    def with_values(self: S, values: Mapping[str, Any]) -> S:
        """The settings with the values of one trial, by name. A family whose search has other names overrides this.

        Raises:
            SettingsError: as `tuned`.
        """
        return validate_settings({**self.model_dump(), **values}, type(self), origin="tuned hyperparameters")

    def limited_to(self: S, steps: int | None) -> S:
        """The settings with at most so many steps; None changes nothing."""
        if not steps:
            return self
        return self.model_copy(update={self.LIMIT: min(getattr(self, self.LIMIT), steps)})
