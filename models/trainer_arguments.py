"""What every family's `run_fn` reads from the arguments that TFX's Trainer passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from models.config import Settings, validate_settings
from models.tuned import settings_from

if TYPE_CHECKING:
    from tfx.v1.components import FnArgs

S = TypeVar("S", bound=Settings)


def hyperparameters_of(fn_args: FnArgs, kind: type[S]) -> S:
    """The family's hyperparameters: its defaults, then the data set's settings, then what the Tuner found.

    Args:
        fn_args: the Trainer's; `custom_config` may hold `hyperparameters`, and `hyperparameters` the Tuner's best ones.
        kind: the family's Hyperparameters.

    Raises:
        SettingsError: an unknown hyperparameter, or a value out of its range.
    """
    configured = fn_args.custom_config.get("hyperparameters") or {}
    settings = validate_settings(configured, kind, origin="hyperparameters")
    return settings_from(fn_args.hyperparameters, settings)
