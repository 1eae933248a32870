"""The labelled rows that models are judged on, and the models' predictions for them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

MODELS = ("challenger", "champion", "anchor")


@dataclasses.dataclass(frozen=True)
class TestRows:
    """Rows of the test split.

    Attributes:
        label: `[rows]`, 0 or 1.
        unit: `[rows]`, sortable codes of the key: whose row it is. Rows of one unit are drawn together. Without a key,
            each row is a unit.
        date: `[rows]`, snapshot dates as str; None without a date column.
        slices: by feature, its values `[rows]` as str.

    Raises:
        ValueError: lengths differ, there is no row, or a label is neither 0 nor 1.
    """

    __test__: ClassVar[bool] = False  # the name begins as those of pytest's classes do

    label: np.ndarray
    unit: np.ndarray
    date: np.ndarray | None = None
    slices: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses columns that do not fit together."""
        rows = len(self.label)
        if rows == 0:
            raise ValueError("the test split has no rows")
        columns = {
            "unit": self.unit,
            "date": self.date,
            **{f"slice {name}": of for name, of in self.slices.items()},
        }
        for name, values in columns.items():
            if values is not None and len(values) != rows:
                raise ValueError(f"{name} has {len(values)} values for {rows} rows")
        if not np.isin(self.label, (0, 1)).all():
            raise ValueError("labels must be 0 or 1")

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.label)

    @property
    def positives(self) -> int:
        """Rows with label 1."""
        return int(np.sum(self.label == 1))

    @property
    def base_rate(self) -> float:
        """The share of positives."""
        return self.positives / self.rows

    @functools.cached_property
    def unit_codes(self) -> np.ndarray:
        """`[rows]` int64: each row's unit as a number from 0 on."""
        return np.unique(self.unit, return_inverse=True)[1].reshape(-1)

    @functools.cached_property
    def by_date(self) -> dict[str, np.ndarray]:
        """Row numbers by snapshot date, oldest first; empty without dates."""
        if self.date is None:
            return {}
        codes, dates = pd.factorize(np.asarray(self.date, dtype=object), sort=True)
        return {str(date): np.flatnonzero(codes == code) for code, date in enumerate(dates)}

    @property
    def units(self) -> int:
        """How many distinct units."""
        return int(self.unit_codes.max()) + 1


def checked_predictions(predictions: Mapping[str, np.ndarray], rows: TestRows) -> dict[str, np.ndarray]:
    """The predictions `[rows]` by model as float64, in the order of MODELS.

    Raises:
        ValueError: a model is unknown, the challenger is missing, or values are not probabilities for these rows.
    """
    if unknown := set(predictions) - set(MODELS):
        raise ValueError(f"predictions of unknown models: {', '.join(sorted(unknown))}; known: {', '.join(MODELS)}")
    if "challenger" not in predictions:
        raise ValueError("the challenger's predictions are missing")
    checked = {name: np.asarray(predictions[name], np.float64) for name in MODELS if name in predictions}
    for name, predicted in checked.items():
        if predicted.shape != (rows.rows,):
            raise ValueError(f"the {name}'s predictions have shape {predicted.shape}, expected ({rows.rows},)")
        bad = int(np.sum(~((predicted >= 0) & (predicted <= 1))))  # NaN too
        if bad:
            raise ValueError(f"{bad} of the {name}'s {rows.rows} predictions are not in [0, 1]")
    return checked
