"""Every feature once: its name, kind, missing-value policy, vocabulary bound, window, and whether it is a slice.

Plain data; nothing here imports TensorFlow. `schema/<data set>/features.yaml` is read into a FeatureSet, from which
the raw schema, the transform graph, both models, the slices and the checks of the query's columns are derived.
"""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import pydantic

from models.config import Settings, load_settings, validate_settings

NOT_SET = "(not set)"  # what a missing category becomes, as in Google Analytics' own reports

# How preprocessing.py maps a number to a standard normal; here too so that plain settings can name it.
#: Parts into which the training values of a number are divided, unless `training.quantiles` says otherwise.
DEFAULT_QUANTILES = 1000
#: Standard deviations at which a transformed number is clipped. One value in five million lies beyond.
CLIP = 5.2


class Kind(str, enum.Enum):
    """What a feature holds."""

    NUMERIC = "numeric"  # INT64, FLOAT64 or BOOL in the query; float32 in the examples
    CATEGORICAL = "categorical"  # STRING in the query; bytes in the examples


class Missing(str, enum.Enum):
    """What a missing value means."""

    INDICATOR = "indicator"  # unknown: the model is told that it is missing ("(not set)" for a category)
    ZERO = "zero"  # nothing happened: the number 0
    REFUSE = "refuse"  # may not be missing: the run stops


class Feature(Settings):
    """One feature."""

    name: str = pydantic.Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,127}$",
        json_schema_extra={"form": "identifier that begins with a letter"},
        description="The query's output column. Requests to the model use this name as well.",
    )
    kind: Kind = pydantic.Field(
        description="`numeric` for an INT64, FLOAT64 or BOOL column; `categorical` for a STRING column."
    )
    missing: Missing = pydantic.Field(
        default=Missing.INDICATOR,
        description="What a missing value means. `indicator`: unknown, and the model is told so. `zero`: the number 0. "
        "`refuse`: not allowed; the run stops.",
    )
    vocabulary: int = pydantic.Field(
        default=100,
        ge=2,
        le=100_000,
        description="For a category: how many values are kept, the most frequent first. All others share one bucket.",
    )
    window: tuple[int, int] | None = pydantic.Field(
        default=None,
        description="First and last day before the snapshot that the feature sees, such as [1, 7]. The last day "
        "may not exceed the lookback. Leave it out for a feature without a window.",
    )
    slice: bool = pydantic.Field(
        default=False, description="For a category: whether the gate and the report show each value separately."
    )
    description: str = pydantic.Field(default="", description="One line for reports.")

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Feature:
        if self.kind is Kind.NUMERIC and "vocabulary" in self.model_fields_set:
            raise ValueError(f"feature '{self.name}' is numeric and takes no vocabulary")
        if self.kind is Kind.CATEGORICAL and self.missing is Missing.ZERO:
            raise ValueError(f"feature '{self.name}' is categorical: missing must be 'indicator' or 'refuse'")
        if self.kind is Kind.NUMERIC and self.slice:
            raise ValueError(f"feature '{self.name}' is numeric: only a category can be a slice")
        if self.window and not 1 <= self.window[0] <= self.window[1]:
            raise ValueError(f"feature '{self.name}': window must be [first, last] with 1 <= first <= last")
        return self


class FeatureSet(Settings):
    """All features of a data set, in the order of the file."""

    features: tuple[Feature, ...] = pydantic.Field(
        min_length=1, description="The features, in the order in which the model takes them."
    )

    @pydantic.model_validator(mode="after")
    def _unique(self) -> FeatureSet:
        names = [feature.name for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"declared more than once: {', '.join(twice)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all features."""
        return tuple(feature.name for feature in self.features)

    @property
    def numeric(self) -> tuple[Feature, ...]:
        """The numeric features."""
        return tuple(feature for feature in self.features if feature.kind is Kind.NUMERIC)

    @property
    def categorical(self) -> tuple[Feature, ...]:
        """The categorical features."""
        return tuple(feature for feature in self.features if feature.kind is Kind.CATEGORICAL)

    @property
    def slices(self) -> tuple[Feature, ...]:
        """The features by whose values the evaluation is sliced."""
        return tuple(feature for feature in self.features if feature.slice)

    def to_config(self) -> list[dict[str, Any]]:
        """The features as JSON-ready data, to travel in a component's custom_config."""
        return [feature.model_dump(mode="json", exclude_defaults=True) for feature in self.features]

    @classmethod
    def from_config(cls, config: list[dict[str, Any]]) -> FeatureSet:
        """The inverse of to_config. Raises SettingsError."""
        return validate_settings({"features": config}, cls, origin="custom_config")


def load_features(path: Path) -> FeatureSet:
    """Reads a features.yaml. Raises SettingsError, which names the file and the key."""
    return load_settings(path, FeatureSet)
