"""What data and models must be: the sections `data_gate`, `infra_check`, `evaluation` and `gate` of dataset.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from pipeline.settings.training import Metric


class DataGateSettings(Settings):
    """When the data stops the run.

    Attributes:
        severity: the least severity of an anomaly that stops the run; `none` never does.
        max_drift: most Jensen-Shannon divergence (L-infinity distance for a category) of a feature between the
            champion's training rows and this run's.
        max_skew: the same between the champion's training rows and this run's test rows.
    """

    severity: Literal["error", "warning", "none"] = "error"
    max_drift: Annotated[float, Field(gt=0, le=1)] = 0.25
    max_skew: Annotated[float, Field(gt=0, le=1)] = 0.25


class Bound(Settings):
    """Absolute bounds on one metric of the test split.

    Attributes:
        lower: least value.
        upper: greatest value.
    """

    lower: float | None = None
    upper: float | None = None


class Evaluation(Settings):
    """What is measured on the test split.

    Attributes:
        operating_share: the share of rows, highest predictions first, that is acted on; precision, recall and fairness
            are told for it.
        bounds: absolute bounds that a model must keep to be pushed; they are held against point estimates.
    """

    operating_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    bounds: dict[Literal["roc_auc", "pr_auc", "log_loss", "brier", "calibration"], Bound] = Field(default_factory=dict)


class InfraCheckSettings(Settings):
    """What a model must do before anyone asks whether it is good.

    Attributes:
        rows: rows of eval that are sent through every signature.
        requests: requests of one row whose latency is measured.
        p99_ms: most milliseconds that 99 in 100 of them may take, in the fastest of up to three rounds.
    """

    rows: Annotated[int, Field(ge=1, le=100_000)] = 256
    requests: Annotated[int, Field(ge=100, le=100_000)] = 300
    p99_ms: Annotated[float, Field(gt=0)] = 100


class GateSettings(Settings):
    """When a challenger may replace the champion.

    Attributes:
        metric: what the two are compared by.
        rule: `non_inferior`: the challenger may be worse by less than the margin; `superior`: it must be better.
        margin: in units of the metric; required for another metric than roc_auc.
        replicates: bootstrap replicates.
        seed: of the bootstrap.
        min_positives: test positives below which there is no verdict.
        slice_margin: by how much a slice may be worse than the champion's, in units of the metric.
        slice_min_positives: positives from which on a slice is judged.
        calibration: least and greatest calibration slope, and ratio of observed to expected positives.
    """

    metric: Metric = "roc_auc"
    rule: Literal["non_inferior", "superior"] = "non_inferior"
    margin: Annotated[float, Field(gt=0)] = 0.005
    replicates: Annotated[int, Field(ge=100, le=100_000)] = 1000
    seed: Annotated[int, Field(ge=0)] = 1
    min_positives: Annotated[int, Field(ge=1)] = 200
    slice_margin: Annotated[float, Field(gt=0)] = 0.02
    slice_min_positives: Annotated[int, Field(ge=1)] = 200
    calibration: tuple[Annotated[float, Field(gt=0, lt=1)], Annotated[float, Field(gt=1)]] = (0.9, 1.1)

    @pydantic.model_validator(mode="after")
    def _margins_fit_metric(self) -> GateSettings:
        for name in ("margin", "slice_margin"):
            if self.metric != "roc_auc" and name not in self.model_fields_set:
                raise ValueError(f"metric {self.metric} needs a {name} of its own; the default is one of ROC AUC")
        return self
