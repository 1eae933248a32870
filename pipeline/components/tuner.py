"""TFX's Tuner for a dotted `tuner_fn`, whose code is part of the cache key."""

from __future__ import annotations

from tfx import components as tfx_components

from models.families.contract import tuning_modules
from pipeline.components import specification
from pipeline.fast.compat import json_utils


class Tuner(specification.Digested, tfx_components.Tuner):
    """TFX's Tuner, with TFX's inputs, outputs and parameters."""

    def modules_by_name(self) -> tuple[str, ...]:
        """The module of the `tuner_fn`, and the modules of the model family that it tunes."""
        family = json_utils.loads(self.exec_properties["custom_config"])["family"]
        return specification.module_of(self.exec_properties["tuner_fn"]), *tuning_modules(family)
