"""The settings of a data set: `schema/<data set>/dataset.yaml`."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from pipeline.settings.gate import DataGateSettings, Evaluation, GateSettings, InfraCheckSettings
from pipeline.settings.training import Training

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$", json_schema_extra={"form": "identifier"})]


def _known_zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("not a time zone of the IANA database, such as 'UTC' or 'America/New_York'")
    return value


TimeZone = Annotated[
    str, pydantic.AfterValidator(_known_zone), Field(json_schema_extra={"form": "name in the IANA database"})
]


def _as_of(value: Any, inner: pydantic.ValidatorFunctionWrapHandler) -> Any:
    """Raises one error instead of one for each type of the union."""
    try:
        return inner(value)
    except pydantic.ValidationError:
        raise ValueError("must be 'latest' or a date such as 2025-11-03") from None


AsOf = Annotated[datetime.date | Literal["latest"], pydantic.WrapValidator(_as_of)]

RESERVED_COLUMNS = ("unit", "split")  # pipeline/warehouse/features_table.py adds them to each features table
_GA360_CONVERSIONS = ("transaction", "session")  # those that query.sql of ga360 handles; no session is churn
SPLITS = ("train", "eval", "test")
MISSING_VALUES = ("NA", "N/A", "NULL", "null", "NaN", "nan", "\\N")  # what pandas, R, SQL dumps and Hive write
#: Prefixes that BigQuery does not allow in the names of columns.
FORBIDDEN_PREFIXES = ("_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier")


_FOR_EVENTS = ("windows", "snapshots")  # sections that a table may not have


class EventSource(Settings):
    """Events in daily tables: a Google Analytics 4 export (`events_*`) or a GA360 export (`ga_sessions_*`)."""

    kind: Literal["ga4", "ga360"] = Field(description="A Google Analytics 4 or a GA360 export in daily tables.")
    tables: Literal["daily", "intraday", "fresh"] = Field(
        default="daily",
        description="Which of the export's tables to read. `daily` reads complete days only. For days that have no "
        "daily table, `intraday` reads the streamed table, and `fresh` reads the fresh daily table of GA4 360 "
        "properties. Only one table is read for a day.",
    )
    time_zone: TimeZone = Field(
        default="UTC", description="The time zone of the property or view. It decides where a day begins."
    )
    conversion_event: str = Field(
        default="purchase",
        min_length=1,
        description="The event that counts as the conversion. For `ga360`: `transaction` or `session`.",
    )
    label_is: Literal["conversion", "absence"] = Field(
        default="conversion",
        description="What label 1 means: a `conversion` in the label window, or its `absence` (churn).",
    )
    eligibility: Literal["all", "never_converted"] = Field(
        default="all",
        description="Which users get rows: all users seen in the lookback, or only users without a conversion in it.",
    )
    unknown_ids: tuple[str, ...] = Field(
        default=("(not set)", "not set", "(none)", "none", "null", "undefined", "nan", "n/a", "na", "0"),
        description="Texts that stand for no id, in transaction ids and in the key; case and surrounding blanks do not "
        "matter, and an empty text never is an id. Purchases without an id are never taken for the same purchase; "
        "events without a key are left out.",
    )
    missing_days: tuple[datetime.date, ...] = Field(
        default=(), description="Days that are known to have no table. Any other gap stops the run."
    )

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
    """Your own table with one row per example: a BigQuery table, or a CSV or Parquet file."""

    kind: Literal["table"] = Field(description="One row per example.")
    table: Identifier = Field(description="The name by which `query.sql` reads it. On BigQuery, the table's name.")
    missing_values: tuple[str, ...] = Field(
        default=MISSING_VALUES,
        description="Texts of a CSV file that stand for a missing value, besides an empty field. Upper and lower case "
        "differ. Shorten the list if one of them is a value of yours, such as the country code NA.",
    )
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(
        default=None,
        description="The order of day, month and year in a CSV file's dates that are not ISO. Needed only if the file "
        "can be read in more than one order.",
    )


class Columns(Settings):
    """The columns of the query's output that are not features. Their names differ by more than case."""

    label: Identifier = Field(description="The label: 0 or 1, INT64.")
    key: Identifier | None = Field(
        default=None,
        description="Whose row it is, for example a user. All rows of a key go to the same split. Required for events.",
    )
    date: Identifier | None = Field(default=None, description="The snapshot date, DATE. Required for events.")

    @pydantic.model_validator(mode="after")
    def _names_differ(self) -> Columns:
        taken: dict[str, str] = {}
        for role in ("label", "key", "date"):
            name = getattr(self, role)
            if name is None:
                continue
            if name.lower() in RESERVED_COLUMNS or name.lower().startswith(FORBIDDEN_PREFIXES):
                raise ValueError(f"columns.{role}: the name '{name}' is reserved; choose another in query.sql and here")
            other = taken.setdefault(name.lower(), role)
            if other != role:
                raise ValueError(
                    f"columns.{role} and columns.{other} are both named '{name}' (upper and lower case count as equal)"
                )
        return self


class Windows(Settings):
    """The days that a row looks at, relative to its snapshot date S. For events only."""

    lookback_days: int = Field(
        default=30, ge=1, le=730, description="Features see the days from S - lookback to S - 1."
    )
    gap_days: int = Field(
        default=3,
        ge=0,
        le=3650,
        description="Days from S on that neither features nor label see. Choose the number of days that a table "
        "takes to settle.",
    )
    horizon_days: int = Field(
        default=7, ge=1, le=365, description="The label sees the days from S + gap to S + gap + horizon - 1."
    )
    settle_days: int = Field(
        default=3,
        ge=0,
        le=3650,
        description="For how many days a daily table may still change. Newer days are not used.",
    )

    @property
    def label_end_days(self) -> int:
        """Days from a snapshot to the end of its label window (exclusive)."""
        return self.gap_days + self.horizon_days


class Snapshots(Settings):
    """Which snapshot dates train and which dates test. For events only."""

    every_days: int = Field(
        default=7, ge=1, le=366, description="Days between two snapshots, counted from Monday, 5 January 1970."
    )
    train: int = Field(default=6, ge=1, le=400, description="Number of snapshots that train.")
    test: int = Field(default=2, ge=1, le=100, description="Number of newer snapshots that test.")
    as_of: AsOf = Field(
        default="latest", description="The last day whose events may be used. `latest` is the newest settled day."
    )
    train_dates: tuple[datetime.date, ...] = Field(
        default=(), description="Training snapshots that replace the grid. Give `test_dates` as well."
    )
    test_dates: tuple[datetime.date, ...] = Field(
        default=(), description="Test snapshots that replace the grid. Give `train_dates` as well."
    )

    @pydantic.model_validator(mode="after")
    def _both_or_none(self) -> Snapshots:
        if bool(self.train_dates) != bool(self.test_dates):
            raise ValueError("give both train_dates and test_dates, or neither")
        return self


class Split(Settings):
    """How rows are divided into train, eval and test.

    For events, the snapshots decide which rows are test. A table needs either `test_percent` or, with a date,
    `test_from`. The split is a column that the SQL computes.
    """

    eval_percent: int = Field(
        default=12,
        ge=1,
        le=50,
        description="Percentage of the keys (of the rows, without a key) that go to eval. It counts all keys with "
        "`test_percent`, and otherwise the keys outside test.",
    )
    test_percent: int | None = Field(
        default=None,
        ge=1,
        le=50,
        description="For a table: percentage of the keys (of the rows, without a key) that go to test.",
    )
    test_from: datetime.date | None = Field(
        default=None, description="For a table with `columns.date`: rows of this day and later are test."
    )
    salt: str = Field(default="v1:", description="Text that is hashed with each key. Change it for another split.")


class FeatureChoice(Settings):
    """Which of the declared features a run uses."""

    leave_out: tuple[Identifier, ...] = Field(
        default=(),
        description="Features of features.yaml to do without. The query may return them, but they are not read, not "
        "checked against the curated schema and not trained on. Use it where the source does not have them, such as "
        "events without sessions.",
    )


def leave_out_advice(names: Iterable[str]) -> str:
    """What to add to dataset.yaml so that the run goes on without these features; the end of a sentence."""
    listed = list(names)
    what = "it" if len(listed) == 1 else "them"
    return f"to go on without {what}, add to dataset.yaml: features: {{leave_out: [{', '.join(listed)}]}}"


class Dataset(Settings):
    """Everything particular to one data set except its features, its query and its curated schema."""

    source: EventSource | TableSource = Field(discriminator="kind", description="Where the rows come from.")
    columns: Columns = Field(description="The columns that are not features.")
    windows: Windows = Field(default=Windows(), description="The days that a row looks at.")
    snapshots: Snapshots = Field(default=Snapshots(), description="The dates that train and test.")
    split: Split = Field(default=Split(), description="How rows are divided.")
    features: FeatureChoice = Field(default=FeatureChoice(), description="Which of the declared features are used.")
    training: Training = Field(default=Training(), description="How models are trained.")
    evaluation: Evaluation = Field(default=Evaluation(), description="What is measured on the test split.")
    data_gate: DataGateSettings = Field(default=DataGateSettings(), description="When the data stops the run.")
    infra_check: InfraCheckSettings = Field(default=InfraCheckSettings(), description="How a model must serve.")
    gate: GateSettings = Field(default=GateSettings(), description="When a challenger replaces the champion.")

    @pydantic.model_validator(mode="after")
    def _fits_source(self) -> Dataset:
        if isinstance(self.source, EventSource):
            self._check_events()
        else:
            self._check_table()
        return self

    @pydantic.model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, serialise: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = serialise(self)
        if not isinstance(self.source, EventSource):
            for unfit in _FOR_EVENTS:
                fields.pop(unfit, None)
        return fields

    def _check_events(self) -> None:
        if self.columns.key is None or self.columns.date is None:
            raise ValueError("columns.key and columns.date are required for events")
        if self.split.test_percent is not None or self.split.test_from is not None:
            raise ValueError("split.test_percent and split.test_from are for tables; snapshots decide the test split")

    def _check_table(self) -> None:
        for unfit in _FOR_EVENTS:
            if unfit in self.model_fields_set:
                raise ValueError(f"'{unfit}' is for events (source.kind ga4 or ga360), not for a table")
        if self.columns.date is None:
            if self.split.test_from is not None:
                raise ValueError("split.test_from needs columns.date")
            if self.split.test_percent is None:
                raise ValueError("split.test_percent is required for a table without columns.date")
        elif (self.split.test_from is None) == (self.split.test_percent is None):
            raise ValueError("a table with columns.date needs either split.test_from or split.test_percent")
