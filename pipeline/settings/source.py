"""Where a data set's rows come from: events in daily tables, or a table."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from models.config import Settings

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$", json_schema_extra={"form": "identifier"})]


def _known_zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError("not a time zone of the IANA database, such as 'UTC' or 'America/New_York'")
    return value


TimeZone = Annotated[
    str, pydantic.AfterValidator(_known_zone), Field(json_schema_extra={"form": "name in the IANA database"})
]


def _known_encoding(value: str) -> str:
    try:
        "".encode(value)
    except (LookupError, ValueError):
        raise ValueError("not an encoding that Python knows, such as 'windows-1252', 'cp949' or 'utf-16-le'") from None
    return value


Encoding = Annotated[
    str, pydantic.AfterValidator(_known_encoding), Field(json_schema_extra={"form": "name of an encoding"})
]

_GA360_CONVERSIONS = ("transaction", "session")  # those that query.sql of ga360 handles; no session is churn
MISSING_VALUES = ("NA", "N/A", "NULL", "null", "NaN", "nan", "\\N")  # what pandas, R, SQL dumps and Hive write


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
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        pattern=r'^[^"\r\n]$',
        json_schema_extra={"form": "one character"},
        description="What separates the columns of a text file. Without it, the header and the rows below it decide: "
        "comma, semicolon, tab, bar, or another mark that fits them.",
    )
    encoding: Encoding | None = Field(
        default=None,
        description="The encoding of a text file that has no byte-order mark. Without it, the file is read as UTF-8 or "
        "UTF-16 if it is valid as that, or else as Windows-1252, with a warning.",
    )
    repeated_names: Literal["refuse", "number"] = Field(
        default="refuse",
        description="What to do if the header of a text file repeats a name or leaves one empty. `number` reads a "
        "second `x` as `x_2`, and an empty name as `column_` and its place.",
    )
