"""What a data set is: `schema/<data set>/dataset.yaml`."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models import keras_hyperparameters, xgboost_hyperparameters
from models.config import Settings

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")]
Days = Annotated[int, Field(ge=0, le=3650)]
Family = Literal["keras", "xgboost"]
Metric = Literal["roc_auc", "pr_auc", "log_loss", "brier"]

RESERVED_COLUMNS = ("unit", "split")  # added to each features table; see pipeline/warehouse/features_table.py
_GA360_CONVERSIONS = ("transaction", "session")  # what query.sql of ga360 knows; a session's absence is churn
SPLITS = ("train", "eval", "test")


class EventSource(Settings):
    """Events in daily tables: a Google Analytics 4 export (`events_*`) or a GA360 one (`ga_sessions_*`).

    Attributes:
        kind: ga4 or ga360.
        tables: which of the export's tables to read. `daily`: complete days only; `intraday`: for days that have no
            daily table, the streamed one; `fresh`: the fresh daily tables of GA4 360 properties. Never two for a day.
        time_zone: the property's time zone; days are its days.
        conversion_event: the event whose occurrence is the conversion (ga4), or `transaction` (ga360).
        label_is: what label 1 means: a `conversion` within the horizon, or its `absence` (churn).
        eligibility: `all` users seen in the lookback, or only those who `never_converted` in it.
        missing_days: days known to have no table; any other gap stops the run.
    """

    kind: Literal["ga4", "ga360"]
    tables: Literal["daily", "intraday", "fresh"] = "daily"
    time_zone: str = "UTC"
    conversion_event: str = Field(default="purchase", min_length=1)
    label_is: Literal["conversion", "absence"] = "conversion"
    eligibility: Literal["all", "never_converted"] = "all"
    missing_days: tuple[datetime.date, ...] = ()

    @pydantic.field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in zoneinfo.available_timezones():
            raise ValueError("not a time zone of the IANA database, such as 'UTC' or 'America/New_York'")
        return value

    @pydantic.model_validator(mode="after")
    def _known_conversion(self) -> EventSource:
        if self.kind == "ga360" and self.conversion_event not in _GA360_CONVERSIONS:
            raise ValueError(f"conversion_event of ga360 must be one of: {', '.join(_GA360_CONVERSIONS)}")
        return self

    @property
    def table_prefix(self) -> str:
        """What the daily tables' names begin with."""
        return "events_" if self.kind == "ga4" else "ga_sessions_"


class TableSource(Settings):
    """A table of one's own, one row per example: a BigQuery table, or a CSV or Parquet file.

    Attributes:
        kind: table.
        table: the name under which query.sql reads it (on BigQuery, the table's name).
    """

    kind: Literal["table"]
    table: Identifier


class Columns(Settings):
    """The columns of the query's output that are not features.

    Attributes:
        label: INT64, 0 or 1.
        key: whose row it is (a user); rows of one key stay in one split.
        date: DATE, the snapshot date.
    """

    label: Identifier
    key: Identifier | None = None
    date: Identifier | None = None


class Windows(Settings):
    """Which days a row of events looks at, relative to its snapshot date, in days.

    Attributes:
        lookback_days: features see [snapshot - lookback, snapshot).
        gap_days: days between the snapshot and the label window: as many as a table takes to settle.
        horizon_days: the label sees [snapshot + gap, snapshot + gap + horizon).
        settle_days: how long a daily table may still change; the newest usable day is that old.
    """

    lookback_days: Annotated[int, Field(ge=1, le=730)] = 30
    gap_days: Days = 3
    horizon_days: Annotated[int, Field(ge=1, le=365)] = 7
    settle_days: Days = 3

    @property
    def label_end_days(self) -> int:
        """Days from a snapshot to the end of its label window (exclusive)."""
        return self.gap_days + self.horizon_days


class Snapshots(Settings):
    """Which snapshot dates train and which test.

    Attributes:
        every_days: the grid: dates a multiple of so many days after Monday, 5 January 1970.
        train: how many snapshots train.
        test: how many newer ones test.
        as_of: the last day whose events may be used; `latest` is the newest settled day.
        train_dates: explicit dates instead of the grid.
        test_dates: explicit dates instead of the grid.
    """

    every_days: Annotated[int, Field(ge=1, le=366)] = 7
    train: Annotated[int, Field(ge=1, le=400)] = 6
    test: Annotated[int, Field(ge=1, le=100)] = 2
    as_of: datetime.date | Literal["latest"] = "latest"
    train_dates: tuple[datetime.date, ...] = ()
    test_dates: tuple[datetime.date, ...] = ()

    @pydantic.model_validator(mode="after")
    def _both_or_none(self) -> Snapshots:
        if bool(self.train_dates) != bool(self.test_dates):
            raise ValueError("give both train_dates and test_dates, or neither")
        return self


class Split(Settings):
    """How rows are divided. The split is a column that the SQL computes.

    Attributes:
        eval_percent: share of all keys (rows, without a key) that goes to eval; of the rows before test, where dates
            decide which are the test split.
        test_percent: share of all keys that goes to test, where no date decides it.
        test_from: for a table with a date: rows of this day and later are the test split.
        salt: changes which keys go where.
    """

    eval_percent: Annotated[int, Field(ge=1, le=50)] = 12
    test_percent: Annotated[int, Field(ge=1, le=50)] | None = None
    test_from: datetime.date | None = None
    salt: str = "v1:"


class Tuning(Settings):
    """How hyperparameters are searched.

    Attributes:
        search: `none`; `random`; or `bayesian`, which proposes the next trial by the results of those before.
        trials: trials of each family.
        folds: for XGBoost, parts of the training users; each is predicted by a booster that has not seen it.
        hyperparameters: instead of a search, the best ones of an earlier run, by family: the folder of the artifact
            (`.../TuneXGBoost/best_hyperparameters/17`).
    """

    search: Literal["none", "random", "bayesian"] = "none"
    trials: Annotated[int, Field(ge=1, le=1000)] = 20
    folds: Annotated[int, Field(ge=2, le=20)] = 3
    hyperparameters: dict[Family, str] = Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> Tuning:
        if self.hyperparameters and self.search != "none":
            raise ValueError("give either search or hyperparameters of an earlier run, not both")
        return self


class Training(Settings):
    """How the models are trained, and which of them challenges the champion.

    Attributes:
        quantiles: how many training quantiles map a number to a standard normal.
        families: which model families are trained.
        select_by: the metric, on eval, by which the better of them is chosen.
        keras: hyperparameters of the Keras family.
        xgboost: hyperparameters of the XGBoost family.
        tuning: how better ones are searched.
    """

    quantiles: Annotated[int, Field(ge=10, le=10_000)] = 1000
    families: Annotated[tuple[Family, ...], Field(min_length=1)] = ("keras", "xgboost")
    select_by: Metric = "log_loss"
    keras: keras_hyperparameters.Hyperparameters = keras_hyperparameters.Hyperparameters()
    xgboost: xgboost_hyperparameters.Hyperparameters = xgboost_hyperparameters.Hyperparameters()
    tuning: Tuning = Tuning()

    @pydantic.field_validator("families")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each family once")
        return value


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
        p99_ms: most milliseconds that 99 in 100 of them may take.
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


class DataGateSettings(Settings):
    """When the data stops the run.

    Attributes:
        severity: the least severity of an anomaly that stops the run; `none` never does.
        max_drift: most Jensen-Shannon divergence (L-infinity distance for a category) of a feature between the
            champion's training rows and this run's.
        max_skew: the same between the champion's training rows and this run's test rows.
    """

    severity: Literal["error", "warning", "none"] = "error"
    max_drift: Annotated[float, Field(gt=0, le=1)] = 0.3
    max_skew: Annotated[float, Field(gt=0, le=1)] = 0.3


class Dataset(Settings):
    """Everything particular to one data set but its features, its query and its curated schema."""

    source: EventSource | TableSource = Field(discriminator="kind")
    columns: Columns
    windows: Windows = Windows()
    snapshots: Snapshots = Snapshots()
    split: Split = Split()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    data_gate: DataGateSettings = DataGateSettings()
    infra_check: InfraCheckSettings = InfraCheckSettings()
    gate: GateSettings = GateSettings()

    @pydantic.model_validator(mode="after")
    def _fits_source(self) -> Dataset:
        if isinstance(self.source, EventSource):
            self._check_events()
        else:
            self._check_table()
        return self

    def _check_events(self) -> None:
        if self.columns.key is None or self.columns.date is None:
            raise ValueError("columns.key and columns.date are required for events")
        if self.split.test_percent is not None or self.split.test_from is not None:
            raise ValueError("split.test_percent and split.test_from are for tables; snapshots decide the test split")

    def _check_table(self) -> None:
        for unfit in ("windows", "snapshots"):
            if unfit in self.model_fields_set:
                raise ValueError(f"'{unfit}' is for events (source.kind ga4 or ga360), not for a table")
        if self.columns.date is None:
            if self.split.test_from is not None:
                raise ValueError("split.test_from needs columns.date")
            if self.split.test_percent is None:
                raise ValueError("split.test_percent is required for a table without columns.date")
        elif (self.split.test_from is None) == (self.split.test_percent is None):
            raise ValueError("a table with columns.date needs either split.test_from or split.test_percent")
