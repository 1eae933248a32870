"""What a data set is: `schema/<data set>/dataset.yaml`."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from pipeline.settings.gate import DataGateSettings, Evaluation, GateSettings, InfraCheckSettings
from pipeline.settings.training import Training

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")]
Days = Annotated[int, Field(ge=0, le=3650)]


def _known_zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("not a time zone of the IANA database, such as 'UTC' or 'America/New_York'")
    return value


TimeZone = Annotated[str, pydantic.AfterValidator(_known_zone)]


def _as_of(value: Any, inner: pydantic.ValidatorFunctionWrapHandler) -> Any:
    """One error instead of one for each kind of value."""
    try:
        return inner(value)
    except pydantic.ValidationError:
        raise ValueError("must be 'latest' or a date such as 2025-11-03") from None


AsOf = Annotated[datetime.date | Literal["latest"], pydantic.WrapValidator(_as_of)]

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
    time_zone: TimeZone = "UTC"
    conversion_event: str = Field(default="purchase", min_length=1)
    label_is: Literal["conversion", "absence"] = "conversion"
    eligibility: Literal["all", "never_converted"] = "all"
    missing_days: tuple[datetime.date, ...] = ()

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
    as_of: AsOf = "latest"
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
