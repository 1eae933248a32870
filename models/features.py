"""Every feature once: its name, kind, missing-value policy, vocabulary bound, window, and whether it is a slice.

Plain data; nothing here imports TensorFlow. `schema/<data set>/features.yaml` becomes a FeatureSet. The raw schema, the
transform graph, the models, the slices and the checks of the query's columns all follow from it.
"""

from __future__ import annotations

import enum
import keyword
from pathlib import Path
from typing import Any

import pydantic

from models.config import Settings, load_settings, validate_settings

# tf.saved_model.save passes a signature's inputs by name to a method, whose own first parameter is `self`. With
# Python 3.13, it also refuses Python's keywords.
UNSERVABLE_NAMES = frozenset({"self", *keyword.kwlist})

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

    INDICATOR = "indicator"  # unknown: the model sees that it is missing ("(not set)" for a category)
    ZERO = "zero"  # nothing happened: the number 0
    REFUSE = "refuse"  # not allowed: the run stops


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
        if self.name in UNSERVABLE_NAMES:
            raise ValueError(
                f"feature '{self.name}': TensorFlow cannot save a model with an input of this name; rename it in "
                "features.yaml and in query.sql"
            )
        if self.kind is Kind.NUMERIC and "vocabulary" in self.model_fields_set:
            raise ValueError(f"feature '{self.name}' is numeric and takes no vocabulary")
        if self.kind is Kind.CATEGORICAL and self.missing is Missing.ZERO:
            raise ValueError(f"feature '{self.name}' is categorical: missing must be 'indicator' or 'refuse'")
        if self.kind is Kind.NUMERIC and self.slice:
            raise ValueError(f"feature '{self.name}' is numeric: only a category can be a slice")
        if self.window and not 1 <= self.window[0] <= self.window[1]:
            raise ValueError(f"feature '{self.name}': window must be [first, last] with 1 <= first <= last")
        return self

    @pydantic.model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, serialise: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = serialise(self)
        if self.kind is Kind.NUMERIC:
            fields.pop("vocabulary", None)  # a numeric feature may not have one
        return fields


class FeatureSet(Settings):
    """All features of a data set, in the order of the file."""

    features: tuple[Feature, ...] = pydantic.Field(
        min_length=1, description="The features, in the order in which the model takes them."
    )

    @pydantic.model_validator(mode="after")
    def _unique(self) -> FeatureSet:
        # SQL and Parquet readers treat names that differ only in case as one column.
        declared: dict[str, Feature] = {}
        for feature in self.features:
            other = declared.setdefault(feature.name.lower(), feature)
            if other is feature:
                continue
            if other.name == feature.name:
                raise ValueError(f"feature '{feature.name}' is declared more than once; remove one of them")
            raise ValueError(
                f"features '{other.name}' and '{feature.name}' differ only in case, and SQL treats them as one column; "
                "rename one of them in features.yaml and in query.sql"
            )
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
        """The features whose values are slices of the evaluation."""
        return tuple(feature for feature in self.features if feature.slice)

    def to_config(self) -> list[dict[str, Any]]:
        """Every field of every feature, defaults included, as JSON-ready data for a component's custom_config."""
        return [feature.model_dump(mode="json") for feature in self.features]

    @classmethod
    def from_config(cls, config: list[dict[str, Any]]) -> FeatureSet:
        """The inverse of to_config. Raises SettingsError."""
        return validate_settings({"features": config}, cls, origin="custom_config")


def load_features(path: Path) -> FeatureSet:
    """Reads a features.yaml. Raises SettingsError, whose message names the file and the key."""
    return load_settings(path, FeatureSet)
