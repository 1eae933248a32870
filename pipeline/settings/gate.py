"""Conditions on data and models: the sections `data_gate`, `infra_check`, `evaluation` and `gate` of dataset.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from pipeline.gate.metrics import BOUNDED
from pipeline.settings.training import Metric


class DataGateSettings(Settings):
    """When the data stops the run.

    The distance of a numeric feature is the Jensen-Shannon divergence of quantile histograms. The distance of a
    category is the largest difference between the shares of a value. The shares of missing values and of zeros count
    as distances too.
    """

    severity: Literal["error", "warning", "none"] = Field(
        default="error",
        description="The lowest severity of an anomaly that stops the run. With `none`, no anomaly stops it.",
    )
    max_drift: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Largest distance of a feature between the champion's training rows and this run's. With 1, "
        "the training rows are not compared at all.",
    )
    max_skew: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="Largest distance of a feature between the champion's training rows and this run's test rows. "
        "With 1, the test rows are not compared at all.",
    )
    max_share_change: float = Field(
        default=3,
        gt=1,
        description="Largest factor by which the share of rows with a value, or the share of values that are not 0, "
        "may rise or fall against the champion's training rows.",
    )
    max_value_change: float = Field(
        default=1.5,
        gt=1,
        description="Largest factor by which the mean of a number's non-zero values may rise or fall against the "
        "champion's training rows.",
    )


class Bound(Settings):
    """Absolute bounds on one metric of the test split."""

    lower: float | None = Field(default=None, description="Lowest value that passes.")
    upper: float | None = Field(default=None, description="Highest value that passes.")


class Evaluation(Settings):
    """What is measured on the test split. `calibration` is the mean prediction divided by the mean label."""

    operating_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="The share of the rows, highest predictions first, that you act on. Precision, recall and "
        "fairness are reported for it.",
    )
    bounds: dict[Literal[BOUNDED], Bound] = Field(
        default_factory=dict,
        description="Absolute bounds that a model must meet to be pushed, in addition to the gate's own rule. They "
        "apply to the gate's point estimates.",
    )


class InfraCheckSettings(Settings):
    """How a model must serve before the gate judges it."""

    rows: int = Field(default=256, ge=1, le=100_000, description="Rows of eval that are sent through every signature.")
    requests: int = Field(default=300, ge=100, le=100_000, description="Requests of one row whose latency is measured.")
    p99_ms: float = Field(
        default=100,
        gt=0,
        description="Highest 99th percentile of the latency in milliseconds. The fastest of up to three rounds counts.",
    )


class GateSettings(Settings):
    """When a challenger may replace the champion. [gate.md](gate.md) describes the rules."""

    metric: Metric = Field(
        default="roc_auc", description="The metric by which challenger, champion and anchor are compared."
    )
    rule: Literal["non_inferior", "superior"] = Field(
        default="non_inferior",
        description="`non_inferior`: the challenger may be worse by less than the margin. `superior`: it must be "
        "better.",
    )
    margin: float = Field(
        default=0.005,
        gt=0,
        description="Largest accepted loss, in units of the metric. Required for any metric other than `roc_auc`.",
    )
    replicates: int = Field(default=1000, ge=100, le=100_000, description="Bootstrap replicates.")
    seed: int = Field(default=1, ge=0, description="Seed of the bootstrap.")
    min_positives: int = Field(default=200, ge=1, description="With fewer test positives, the verdict is `undecided`.")
    slice_margin: float = Field(
        default=0.02,
        gt=0,
        description="Largest accepted loss in a slice, in units of the metric. Required for any metric other than "
        "`roc_auc`.",
    )
    slice_min_positives: int = Field(
        default=200, ge=1, description="Slices with fewer positives are reported, but not judged."
    )
    calibration: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1)]] = Field(
        default=(0.9, 1.1),
        description="Lowest and highest accepted calibration slope, and ratio of observed to expected positives. A "
        "model whose whole 90 % interval lies outside is refused.",
    )
    calibration_range: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1)]] = Field(
        default=(0.75, 1.33),
        description="The 90 % intervals of the calibration slope, and of observed over expected positives, must lie "
        "within this range. Where they are wider, the verdict is `undecided`.",
    )
    floor: float | None = Field(
        default=None,
        description="The worst accepted value of the metric, whatever the champion is. The challenger's 95 % bound "
        "must be better. By default there is none.",
    )
    runs_per_year: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="The runs that share an error of 5 %: one of them blesses a model that is worse by the margin "
        "with that probability. By default, each run has 5 %. More runs need more test positives.",
    )

    @pydantic.model_validator(mode="after")
    def _margins_fit_metric(self) -> GateSettings:
        for name in ("margin", "slice_margin"):
            if self.metric != "roc_auc" and name not in self.model_fields_set:
                raise ValueError(f"set {name} as well: its default is for roc_auc, and the metric is {self.metric}")
        return self
