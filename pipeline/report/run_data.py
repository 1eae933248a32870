"""What the report's page is made from. Plain data: nothing here imports TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.features import FeatureSet


@dataclasses.dataclass(frozen=True)
class Curve:
    """One scalar over training.

    Attributes:
        steps: int64 `[points]`, ascending.
        values: float64 `[points]`.
    """

    steps: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Importance:
    """What a model makes of each feature.

    Attributes:
        rows: rows it was measured on.
        log_loss: of these rows as they are.
        rise: by feature, the log loss after shuffling it among the rows, minus that.
        standard_error: of the rise, by feature.
    """

    rows: int
    log_loss: float
    rise: Mapping[str, float]
    standard_error: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Family:
    """What one model family learned.

    Attributes:
        name: keras or xgboost.
        curves: log loss over training by split, `train` and `eval`; empty if nothing was recorded.
        importance: None if it could not be measured.
        problem: why not, or empty.
        hyperparameters: those a search found, by name; None without a search.
    """

    name: str
    curves: Mapping[str, Curve] = dataclasses.field(default_factory=dict)
    importance: Importance | None = None
    problem: str = ""
    hyperparameters: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Anomaly:
    """An anomaly that TensorFlow Data Validation found in a feature of a split."""

    split: str
    feature: str
    severity: str
    text: str


@dataclasses.dataclass(frozen=True)
class Reference:
    """An artifact of the run: what it is, its id in the metadata store, and its URI."""

    what: str
    id: str
    uri: str


@dataclasses.dataclass(frozen=True)
class RunData:
    """A run.

    Attributes:
        title: the data set's name.
        label: the label's name.
        features: of the data set.
        data: ExampleGen's `data_report.json`.
        anomalies: what ExampleValidator found.
        drift: what DataGate found against the champion's training data; None without a champion.
        families: what was trained.
        selection: `selection.json`: which family challenges, and the figures compared; None if there is none.
        verdict: `verdict.json`.
        infra: `check.json` of the infrastructure check; None if there is none.
        pushed: whether this run pushed the model.
        pushed_to: where to, if it did.
        references: artifacts used.
        versions: library versions by name.
        digest: of settings and code.
        made_at: when the report was made, as text.
    """

    title: str
    label: str
    features: FeatureSet
    data: Mapping[str, Any]
    anomalies: Sequence[Anomaly]
    drift: Sequence[Anomaly] | None
    families: Sequence[Family]
    selection: Mapping[str, Any] | None
    verdict: Mapping[str, Any]
    infra: Mapping[str, Any] | None
    pushed: bool
    pushed_to: str = ""
    references: Sequence[Reference] = ()
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    digest: str = ""
    made_at: str = ""
