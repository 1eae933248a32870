"""Rows as input for metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma

from pipeline.fast.text_column import TextColumn


@dataclasses.dataclass(frozen=True)
class LabelledRows:
    """Labels and the predictions of each model.

    Attributes:
        label: int64 `[rows]`, 0 or 1.
        predictions: by the model's name in the EvalConfig ("" for a single one), float32 `[rows]`.
        columns: by name, the columns to slice by.

    Raises:
        ValueError: a model has a prediction that is not a finite number.
    """

    label: np.ndarray
    predictions: Mapping[str, np.ndarray]
    columns: Mapping[str, TextColumn] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses NaN and infinity, for which TFMA has no bucket."""
        for name, values in self.predictions.items():
            bad = np.count_nonzero(~np.isfinite(values))
            if bad:
                raise ValueError(f"model '{name}' returns no number for {bad:,} of {len(values):,} rows")

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.label)

    def take(self, rows: np.ndarray) -> LabelledRows:
        """The rows with these numbers `[taken]`, without the columns."""
        return LabelledRows(self.label[rows], {name: values[rows] for name, values in self.predictions.items()})

    def extracts(self, row: int) -> dict[str, Any]:
        """A row as TFMA's extractors would return it."""
        predictions = {name: values[row : row + 1] for name, values in self.predictions.items()}
        [first, *others] = predictions.values()
        return {
            tfma.LABELS_KEY: self.label[row : row + 1],
            tfma.PREDICTIONS_KEY: predictions if others else first,
            tfma.FEATURES_KEY: {},
        }


def sample(rows: LabelledRows, size: int = 200) -> LabelledRows:
    """At most `size` rows, half of them of each label, spread evenly from the lowest to the highest prediction."""
    prediction = next(iter(rows.predictions.values()))
    chosen = []
    for label in (0, 1):
        own = np.flatnonzero(rows.label == label)
        ordered = own[np.argsort(prediction[own], kind="stable")]
        chosen.append(ordered[np.unique(np.linspace(0, len(own) - 1, min(size // 2, len(own))).astype(np.int64))])
    return rows.take(np.concatenate(chosen))
