"""Checks the values of each feature as the steps after ExampleGen will see them: numbers as float32."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from models.features import Feature, FeatureSet, Kind, Missing
from pipeline.settings.dataset import leave_out_advice
from pipeline.warehouse.dialect import quoted
from pipeline.warehouse.interface import Query, Warehouse

#: Numbers of this size and more become infinite as float32: (2 - 2^-24) * 2^127, IEEE 754's limit of rounding.
FLOAT32_LIMIT = "3.4028235677973366e38"
#: The run warns of a feature that is missing in at least this share of the training rows.
NEARLY_EMPTY = 0.99
FEATURES_AT_ONCE = (
    100  # of one aggregate query; the time to plan thousands of aggregates would grow faster than they do
)


@dataclasses.dataclass(frozen=True)
class Counted:
    """Counts of one feature's values.

    Attributes:
        feature: the feature.
        missing: rows in which it is NULL, NaN or an empty text.
        missing_train: the same in the train split.
        train: rows of the train split.
        nan: rows in which it is NaN.
        infinite: rows in which it is infinite, or too large for float32.
        distinct: for a category, distinct values in the train split.
    """

    feature: Feature
    missing: int
    missing_train: int
    train: int
    nan: int
    infinite: int
    distinct: int | None


def count_values(warehouse: Warehouse, table: str, features: FeatureSet) -> list[Counted]:
    """Counts the values of each feature of a features table."""
    found = warehouse.columns(Query(f"SELECT * FROM {quoted(table)} AS t"))
    floats = {column.name for column in found if column.type == "FLOAT64"}
    counted = []
    for start in range(0, len(features.features), FEATURES_AT_ONCE):
        part = features.features[start : start + FEATURES_AT_ONCE]
        selected = ["COUNTIF(t.split = 'train') AS train"]
        for place, feature in enumerate(part):
            selected += _counts(place, feature, feature.name in floats)
        (row,) = warehouse.select(Query(f"SELECT {', '.join(selected)} FROM {quoted(table)} AS t"))
        for place, feature in enumerate(part):
            is_category = feature.kind is Kind.CATEGORICAL
            counted.append(
                Counted(
                    feature=feature,
                    missing=int(row[f"missing_{place}"]),
                    missing_train=int(row[f"missing_train_{place}"]),
                    train=int(row["train"]),
                    nan=int(row.get(f"nan_{place}", 0)),
                    infinite=int(row.get(f"infinite_{place}", 0)),
                    distinct=int(row[f"distinct_{place}"]) if is_category else None,
                )
            )
    return counted


def problems(values: Sequence[Counted]) -> list[str]:
    """What the rows cannot be trained with; one line each."""
    found = []
    for counted in values:
        name = counted.feature.name
        if counted.infinite:
            found.append(
                f"feature '{name}' is infinite in {counted.infinite} rows (as float32, so from 3.4e38 on); "
                "SAFE_DIVIDE gives NULL instead"
            )
        if counted.missing and counted.feature.missing is Missing.REFUSE:
            found.append(f"feature '{name}' is missing in {counted.missing} rows, and its policy is 'refuse'")
    return found


def nan_warnings(values: Sequence[Counted]) -> list[str]:
    """A line for each feature that is NaN somewhere."""
    return [
        f"feature '{counted.feature.name}' is NaN in {counted.nan} rows; they count as missing"
        for counted in values
        if counted.nan
    ]


def warnings(values: Sequence[Counted]) -> list[str]:
    """What you should know about the values of the splits; one line each."""
    found = nan_warnings(values)
    for counted in values:
        name = counted.feature.name
        if counted.missing_train == counted.train:
            found.append(f"feature '{name}' has no value in the train split; {leave_out_advice([name])}")
        elif counted.missing_train >= NEARLY_EMPTY * counted.train:
            rows = counted.train - counted.missing_train
            found.append(f"feature '{name}' has a value in only {rows:,} of {counted.train:,} rows of the train split")
        if counted.distinct is not None and counted.distinct > counted.feature.vocabulary:
            found.append(
                f"feature '{name}' has {counted.distinct} distinct values in train; the {counted.feature.vocabulary} "
                "most frequent are kept (its 'vocabulary'), the others share one bucket"
            )
    return found


def _counts(place: int, feature: Feature, is_float: bool) -> list[str]:
    """SQL for the counts of one feature."""
    column = f"t.{quoted(feature.name)}"
    selected = []
    missing = f"{column} IS NULL"
    if is_float:
        missing = f"({missing} OR IS_NAN({column}))"
        selected.append(f"COUNTIF(IS_NAN({column})) AS nan_{place}")
        selected.append(f"COUNTIF(ABS({column}) >= {FLOAT32_LIMIT} AND NOT IS_NAN({column})) AS infinite_{place}")
    if feature.kind is Kind.CATEGORICAL:
        missing = f"({missing} OR {column} = '')"
        selected.append(f"COUNT(DISTINCT IF(t.split = 'train', {column}, NULL)) AS distinct_{place}")
    selected.append(f"COUNTIF({missing}) AS missing_{place}")
    selected.append(f"COUNTIF({missing} AND t.split = 'train') AS missing_train_{place}")
    return selected
