"""What the shared run_fn and tuner_fn read from the arguments that TFX passes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from models.families.contract import Inputs, hyperparameters_class
from models.features import FeatureSet
from models.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import tensorflow_transform as tft
    from tfx.v1.components import FnArgs


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Which family learns what, and how.

    Attributes:
        family: the family's name.
        features: what it learns from.
        label: what it predicts.
        settings: the family's hyperparameters: its defaults, overridden by the data set's settings, then by what the
            Tuner found. `train_steps` limits its steps.
    """

    family: str
    features: FeatureSet
    label: str
    settings: Hyperparameters

    def inputs(self, transform_output: tft.TFTransformOutput) -> Inputs:
        """What the columns of the transformed rows are."""
        sizes = (transform_output.vocabulary_size_by_name(feature.name) for feature in self.features.categorical)
        return Inputs(self.features, tuple(sizes))


def config(family: str, features: FeatureSet, label: str, settings: Hyperparameters) -> dict[str, Any]:
    """The JSON-ready `custom_config` from which `read_arguments` reads."""
    return {
        "family": family,
        "features": features.to_config(),
        "label": label,
        "hyperparameters": settings.model_dump(mode="json"),
    }


def read_arguments(fn_args: FnArgs) -> Arguments:
    """Reads a Trainer's or Tuner's arguments.

    Args:
        fn_args: TFX's; `custom_config` is that of `config`, where `hyperparameters` may be left out.

    Raises:
        ValueError: there is no such family.
        SettingsError: the features or hyperparameters are not valid.
    """
    given = fn_args.custom_config
    settings = hyperparameters_class(given["family"]).from_config(given.get("hyperparameters"))
    return Arguments(
        family=given["family"],
        features=FeatureSet.from_config(given["features"]),
        label=given["label"],
        settings=settings.tuned(fn_args.hyperparameters).limited_to(fn_args.train_steps),
    )
