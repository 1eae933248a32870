"""Transformed rows as arrays, from which every model family learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from models.features import FeatureSet


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """Rows of one split, columns in the order of the features.

    Attributes:
        numbers: float32 `[rows, numeric features]`, quantile-normal; NaN is missing.
        categories: int32 `[rows, categorical features]`, the rank in the vocabulary; the vocabulary's size is the rank
            of all values that it lacks.
        label: float32 `[rows]`, 0 or 1.
    """

    numbers: np.ndarray
    categories: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.label)

    def sample(self, rows: int) -> TrainingData:
        """At most `rows` rows, evenly spaced."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(rows, len(self))).astype(np.int64))
        return TrainingData(self.numbers[chosen], self.categories[chosen], self.label[chosen])

    def by_feature(self, features: FeatureSet) -> dict[str, np.ndarray]:
        """The columns in the form of the transform graph: float32 or int64 `[rows]`, by the feature's name."""
        return {
            **{feature.name: self.numbers[:, column] for column, feature in enumerate(features.numeric)},
            **{
                feature.name: self.categories[:, column].astype(np.int64)
                for column, feature in enumerate(features.categorical)
            },
        }


def concatenate(parts: Sequence[TrainingData]) -> TrainingData:
    """The rows of all parts; there must be at least one part."""
    if len(parts) == 1:
        return parts[0]
    return TrainingData(
        numbers=np.concatenate([part.numbers for part in parts]),
        categories=np.concatenate([part.categories for part in parts]),
        label=np.concatenate([part.label for part in parts]),
    )
