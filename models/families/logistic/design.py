"""The columns of the regression: numbers, indicators of missing numbers, and values of categories."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse

from models.families.contract import Inputs
from models.families.logistic.hyperparameters import Hyperparameters
from models.features import Missing
from models.training_data import TrainingData


@dataclasses.dataclass(frozen=True)
class Design:
    """How transformed rows become columns.

    Attributes:
        numbers: how many numbers there are; a missing one is 0, the median.
        indicators: indices of the numbers with a column that is 1 where the number is missing.
        widths: for each category, its columns. The last one is shared by all values without a column.
        scale: the value in a category's column where its value occurs, instead of 1.
    """

    numbers: int
    indicators: tuple[int, ...]
    widths: tuple[int, ...]
    scale: float

    def matrix(self, data: TrainingData) -> sparse.csr_matrix:
        """The rows as columns, float64 `[rows, columns]`: numbers, then indicators, then categories."""
        missing = np.isnan(data.numbers)
        dense = np.hstack([np.where(missing, 0, data.numbers), missing[:, list(self.indicators)]])
        starts = np.cumsum([0, *self.widths])
        codes = np.minimum(data.categories, np.array(self.widths, np.int32) - 1) + starts[:-1]
        rows, categories = codes.shape
        ones = sparse.csr_matrix(
            (
                np.full(codes.size, self.scale),
                codes.ravel(),
                np.arange(0, codes.size + 1, categories) if categories else np.zeros(rows + 1, np.int32),
            ),
            shape=(rows, starts[-1]),
        )
        return sparse.hstack([sparse.csr_matrix(dense.astype(np.float64)), ones], format="csr")


def learn_design(training: TrainingData, inputs: Inputs, settings: Hyperparameters) -> Design:
    """Chooses the columns; only a number that is missing in a training row can have an indicator."""
    told = [feature.missing is Missing.INDICATOR for feature in inputs.features.numeric]
    missing = np.isnan(training.numbers).any(axis=0)
    return Design(
        numbers=training.numbers.shape[1],
        indicators=tuple(int(column) for column in np.flatnonzero(missing) if told[column]),
        widths=tuple(min(size, settings.one_hot) + 1 for size in inputs.vocabularies),
        scale=settings.category_scale,
    )
