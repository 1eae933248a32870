"""Values that may differ between runs of one compiled pipeline: runtime parameters on Vertex AI."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from models.config import Settings
from pipeline.settings.dataset import AsOf


def _date_or_none(value: Any, inner: pydantic.ValidatorFunctionWrapHandler) -> Any:
    """Raises one error instead of one for each type of the union."""
    try:
        return inner(value)
    except pydantic.ValidationError:
        raise ValueError("must be a date such as 2025-11-03, or empty") from None


DateOrNone = Annotated[datetime.date | Literal[""], pydantic.WrapValidator(_date_or_none)]


class Parameters(Settings):
    """Values that may differ between runs of one compiled pipeline.

    Attributes:
        COMPILED_IN: parameters that a compiled pipeline holds all the same, because the platform fills them in.
    """

    COMPILED_IN: ClassVar[tuple[str, ...]] = ()

    def values(self) -> dict[str, str | int]:
        """The values as execution properties: strings and integers."""
        return {
            name: int(value) if isinstance(value, bool) else value
            for name, value in self.model_dump(mode="json").items()
        }

    def values_at_run_time(self) -> dict[str, str | int]:
        """The values that a run of a compiled pipeline is given."""
        return {name: value for name, value in self.values().items() if name not in self.COMPILED_IN}

    def properties(self, *, at_run_time: bool) -> dict[str, Any]:
        """What components take: the values, or runtime parameters of the same names, for which TFX is imported."""
        if not at_run_time:
            return dict(self.values())
        from tfx.orchestration.data_types import RuntimeParameter

        # No defaults: TFX loses them when it compiles for Vertex AI, so each request passes every value.
        varying = {
            name: RuntimeParameter(name=name, ptype=type(value)) for name, value in self.values_at_run_time().items()
        }
        return {**self.values(), **varying}


class RunParameters(Parameters):
    """Values that may differ between training runs of one compiled pipeline.

    On Vertex AI they are runtime parameters. For `make run`, pass them in `ARGS`; `make run ARGS=--help` lists them.
    """

    as_of: AsOf = Field(
        default="latest",
        description="The last day whose events may be used. `latest` is the newest settled day when the run begins. "
        "For a table, only `latest` is allowed.",
    )
    sample_percent: int = Field(
        default=100,
        ge=1,
        le=100,
        description="Percentage of the users (of the rows, without a key) whose rows are read, for trial runs.",
    )
    accept_incompatible_champion: bool = Field(
        default=False,
        description="Whether a run goes on as a first run when the champion cannot be compared with the new model.",
    )
    data_fingerprint: str = Field(
        default="",
        description="Fingerprint of the tables that are read. The runner fills it in, so that changed tables are no "
        "cache hit. Empty when caching is off.",
    )


class ScoringParameters(Parameters):
    """Values that may differ between scoring runs of one compiled pipeline.

    On Vertex AI they are runtime parameters. For `make score`, `AS_OF=`, `FROM=`, `TO=` and
    `REPLACE=1` set them.
    """

    COMPILED_IN: ClassVar[tuple[str, ...]] = ("run_id",)

    as_of: AsOf = Field(
        default="latest",
        description="The last day whose events may be used; the snapshot date is the day after it. `latest` is the "
        "newest settled day when the run begins. For a table, only `latest` is allowed.",
    )
    first_date: DateOrNone = Field(
        default="",
        description="For a back-fill of events: the first snapshot date, such as 2026-01-05. Every date of the grid of "
        "`snapshots.every_days` up to `last_date` is scored. Empty to score one day.",
    )
    last_date: DateOrNone = Field(default="", description="The last snapshot date of a back-fill.")
    snapshot_date: DateOrNone = Field(
        default="",
        description="For a table without `columns.date`: the snapshot date of all rows. The runner fills in the day of "
        "the run (UTC) if it is empty.",
    )
    replace: bool = Field(
        default=False, description="Whether the run may replace the scores of a day that another model scored."
    )
    run_id: str = Field(default="", description="The run's id, for the score table. The runner fills it in.")
    data_fingerprint: str = Field(
        default="",
        description="Fingerprint of the tables that are read. The runner fills it in, so that changed tables are no "
        "cache hit. Empty when caching is off.",
    )

    @property
    def period(self) -> tuple[datetime.date | None, datetime.date | None]:
        """First and last date of a back-fill; None twice without one."""
        return self.first_date or None, self.last_date or None

    @pydantic.model_validator(mode="after")
    def _both_dates_or_none(self) -> ScoringParameters:
        if bool(self.first_date) != bool(self.last_date):
            raise ValueError("a back-fill needs both first_date (FROM=) and last_date (TO=)")
        if self.first_date and self.first_date > self.last_date:
            raise ValueError(f"first_date {self.first_date} is after last_date {self.last_date}")
        return self
