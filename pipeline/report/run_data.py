"""The data of the report's page. Plain data: nothing here imports TensorFlow."""

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
    """The importance of each feature for a model.

    Attributes:
        rows: number of rows that it was measured on.
        log_loss: log loss on these rows.
        rise: by feature, the rise in log loss when its values are shuffled among the rows.
        standard_error: by feature, the standard error of the rise.
    """

    rows: int
    log_loss: float
    rise: Mapping[str, float]
    standard_error: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Family:
    """One trained family.

    Attributes:
        name: the family's name, such as keras.
        curves: log loss over training by split, `train` and `eval`; empty if nothing was recorded.
        importance: importance of the features; None if it could not be measured.
        problem: why it could not be measured; empty otherwise.
        hyperparameters: by name, the result of a search; None without a search.
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
        features: the data set's features.
        data: the data summary, ExampleGen's `data_report.json`.
        anomalies: the anomalies that ExampleValidator found.
        drift: the differences from the champion's training rows that DataGate found; None without a champion.
        families: the trained families.
        selection: `selection.json` with the chosen family and the figures of all; None if there is none.
        verdict: `verdict.json`.
        infra: `check.json` of the infrastructure check; None if there is none.
        pushed: whether this run pushed the model.
        pushed_to: the folder of the pushed model, if there is one.
        references: the artifacts of the run.
        versions: library versions by name.
        digest: digest of settings and code.
        made_at: date and time of the report, as text.
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
