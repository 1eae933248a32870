"""The settings of a data set: `schema/<data set>/dataset.yaml`."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from pipeline.settings.gate import DataGateSettings, Evaluation, GateSettings, InfraCheckSettings
from pipeline.settings.scoring import ScoringSettings
from pipeline.settings.source import EventSource, Identifier, TableSource
from pipeline.settings.training import Training


def _as_of(value: Any, inner: pydantic.ValidatorFunctionWrapHandler) -> Any:
    """Raises one error instead of one for each type of the union."""
    try:
        return inner(value)
    except pydantic.ValidationError:
        raise ValueError("must be 'latest' or a date such as 2025-11-03") from None


AsOf = Annotated[datetime.date | Literal["latest"], pydantic.WrapValidator(_as_of)]

RESERVED_COLUMNS = ("unit", "split")  # pipeline/warehouse/features_table.py adds them to each features table
SPLITS = ("train", "eval", "test")
SCORE_SPLIT = "score"  # the one split of a scoring run
#: Prefixes that BigQuery does not allow in the names of columns.
FORBIDDEN_PREFIXES = ("_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier")


_FOR_EVENTS = ("windows", "snapshots")  # sections that a table may not have


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


class RowSettings(Settings):
    """The settings that decide which rows there are: all that BigQueryExampleGen gets of a data set's settings."""

    source: EventSource | TableSource = Field(discriminator="kind", description="Where the rows come from.")
    columns: Columns = Field(description="The columns that are not features.")
    windows: Windows = Field(default=Windows(), description="The days that a row looks at.")
    snapshots: Snapshots = Field(default=Snapshots(), description="The dates that train and test.")
    split: Split = Field(default=Split(), description="How rows are divided.")
    features: FeatureChoice = Field(default=FeatureChoice(), description="Which of the declared features are used.")

    @pydantic.model_validator(mode="after")
    def _fits_source(self) -> RowSettings:
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


class Dataset(RowSettings):
    """Everything particular to one data set except its features, its query and its curated schema."""

    training: Training = Field(default=Training(), description="How models are trained.")
    evaluation: Evaluation = Field(default=Evaluation(), description="What is measured on the test split.")
    data_gate: DataGateSettings = Field(default=DataGateSettings(), description="When the data stops the run.")
    infra_check: InfraCheckSettings = Field(default=InfraCheckSettings(), description="How a model must serve.")
    gate: GateSettings = Field(default=GateSettings(), description="When a challenger replaces the champion.")
    scoring: ScoringSettings = Field(default=ScoringSettings(), description="How the champion scores customers.")
