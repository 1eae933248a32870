"""What is known of a metric, and the rows it is computed from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from pipeline.gate import calibration
from pipeline.gate.top_share import gain
from pipeline.gate.weighted import WeightedRanking


@dataclasses.dataclass(frozen=True)
class Scored:
    """Labelled rows and one model's predictions for them.

    Attributes:
        label: `[rows]`, 0 or 1; at least one row.
        predicted: `[rows]` float64, probabilities.
        operating_share: the share of rows, highest predictions first, that precision and recall refer to.
    """

    label: np.ndarray
    predicted: np.ndarray
    operating_share: float

    @functools.cached_property
    def positives(self) -> int:
        """Rows with label 1."""
        return int(np.sum(self.label == 1))

    @property
    def both(self) -> bool:
        """Whether there are labels of both classes."""
        return 0 < self.positives < len(self.label)

    @functools.cached_property
    def line(self) -> calibration.Line | None:
        """The calibration line; None if there is none."""
        return calibration.fit(self.label, self.predicted) if self.both else None

    def gain(self, share: float) -> float | None:
        """The share of all positives in the top share of rows; None without positives."""
        return gain(self.label, self.predicted, share) if self.positives else None


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: in settings, artifacts and verdicts.
        title: what readers see.
        better: which values are better: `higher`, `lower`, or those nearest to a value: `near 1`; empty if unknown.
        decimals: how many are shown.
        meaning: one line for readers who do not know it.
        source: where the formula comes from.
        point: its value for one model; None where it is not defined on these rows.
        loss: for a mean over rows, what each row adds to it: (label, predicted) `[rows]` -> `[rows]` float64.
        ranked: for a rank metric, its value under each replicate's weights, `[units, replicates]` -> `[replicates]`.
        delong: whether the clustered DeLong interval is that of this rank metric.
        tfma: name and configuration of TFMA's metric of that kind, for the ModelEvaluation artifact.
    """

    name: str
    title: str
    better: Literal["higher", "lower", "near 1", "near 0", ""]
    decimals: int
    meaning: str
    source: str
    point: Callable[[Scored], float | None]
    loss: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    ranked: Callable[[WeightedRanking, np.ndarray], np.ndarray] | None = None
    delong: bool = False
    tfma: tuple[str, dict[str, Any]] | None = None

    @property
    def higher_is_better(self) -> bool | None:
        """None where neither is: the best value lies between."""
        return {"higher": True, "lower": False}.get(self.better)

    @property
    def sign(self) -> int:
        """1 where a higher value is better, -1 where a lower one is."""
        return -1 if self.better == "lower" else 1

    @property
    def compared(self) -> bool:
        """Whether two models can be compared by it, with intervals."""
        return self.loss is not None or self.ranked is not None

    @property
    def in_sentence(self) -> str:
        """The title within a sentence."""
        return in_sentence(self.title)


def in_sentence(title: str) -> str:
    """A title within a sentence: `log loss`, but `ROC AUC`."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
