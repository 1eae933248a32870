"""Hyperparameters that the Tuner found, as a family's settings. Plain data, without KerasTuner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from models.config import Settings, validate_settings

HIDDEN_UNITS = "hidden_units"  # searched for `hidden` of the Keras family: the first layer's width

S = TypeVar("S", bound=Settings)


def settings_from(config: Mapping[str, Any] | None, settings: S) -> S:
    """The settings with the best hyperparameters of a search in place of their own.

    Args:
        config: `fn_args.hyperparameters`, which is `keras_tuner.HyperParameters.get_config()`; None where nothing was
            tuned.
        settings: those of the family; what was not searched stays as it is.

    Raises:
        SettingsError: a value is out of its range, or the hyperparameters are another family's.
    """
    return with_values((config or {}).get("values") or {}, settings)


def with_values(values: Mapping[str, Any], settings: S) -> S:
    """The settings with the values of one trial.

    Each name is a field's, but for `hidden_units`: it is the new width of the first of the `hidden` layers, and the
    others keep their proportion to it.

    Args:
        values: by name.
        settings: the family's.

    Raises:
        SettingsError: as settings_from.
    """
    fields = {**settings.model_dump(), **values}
    if HIDDEN_UNITS in values and "hidden" in fields:
        units, first = fields.pop(HIDDEN_UNITS), fields["hidden"][0]
        fields["hidden"] = tuple(max(1, round(width * units / first)) for width in fields["hidden"])
    return validate_settings(fields, type(settings), origin="tuned hyperparameters")
