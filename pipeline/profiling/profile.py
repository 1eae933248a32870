"""What is known of a table before it has a data set folder: facts only, no decisions."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping

from pipeline.profiling.forms import Form

#: The shares at which `Numbers.quantiles` has the values.
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
# Units in which whole numbers may count the time since 1970, and how many of each make a second.
EPOCH_UNITS = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000}
#: The most values of a column that a profile lists.
MOST_VALUES = 50


@dataclasses.dataclass(frozen=True)
class Frequency:
    """A value, as text, and the number of rows that have it."""

    value: str
    rows: int


@dataclasses.dataclass(frozen=True)
class Lengths:
    """Characters of a column's values as text."""

    shortest: int
    mean: float
    longest: int


@dataclasses.dataclass(frozen=True)
class Numbers:
    """A column's values as numbers, converted by `ColumnProfile.form`.

    Attributes:
        quantiles: the values at QUANTILES, approximate except for the first and the last.
        mean: their mean.
        negative: rows below 0.
        zero: rows at 0.
        whole: rows whose value is a whole number.
    """

    quantiles: tuple[float, ...]
    mean: float
    negative: int
    zero: int
    whole: int


@dataclasses.dataclass(frozen=True)
class Dates:
    """A column's values as dates, converted by `ColumnProfile.form`."""

    first: datetime.date
    last: datetime.date
    distinct: int


@dataclasses.dataclass(frozen=True)
class ColumnProfile:
    """One column of the source.

    Attributes:
        name: as the source has it. A field of a STRUCT is named by its path, such as `device.category`.
        type: its BigQuery type (INT64, FLOAT64, NUMERIC, BIGNUMERIC, BOOL, STRING, BYTES, DATE, DATETIME, TIMESTAMP,
            TIME, ARRAY, ...). STRING for each column of a text file, whose cells have no type.
        filled: rows with a value: neither NULL nor NaN nor an empty text, nor a text that the source takes for missing.
        distinct: distinct values. Approximate (within a fifth) where most rows of a long table have their own value.
        is_private: whether its values may tell who or what a row is: more than half of them differ, or its name or
            their form says so. Then `values` is empty, and no one may show or write the ends of `numbers`.
        values: the most frequent values, the most frequent first; at most MOST_VALUES, and none that is very long.
        lengths: of STRING and BYTES (in bytes). None if no row is filled, and for other types.
        forms: for text, the number of filled rows that read as each form; a value may read as several. A form is left
            out if none of the most frequent values has it, and if all rows that have it have the same value by
            `form` (see forms.SAME_VALUE). Two forms with the same rows are two readings of the column. For whole
            numbers of another type, DATE_COMPACT and MONTH_COMPACT alone. Empty for other types.
        form: the one form that all filled values have, but for those of `missing_like`; `numbers` and `dates` are
            computed by it. The first that fits in the order of Form. None if there is none, or if the type needs none.
        odd_row: for a text file, the number of the first row that does not read as the form that most rows have; the
            header is row 1. None if there is none.
        missing_like: texts that usually stand for a missing value (`-`, `?`, `unknown`, `none`) and their rows.
        numbers: for numbers, and for text whose form is a number.
        dates: for dates and timestamps, and for text whose form is a date; also for whole numbers that all read as
            DATE_COMPACT or MONTH_COMPACT.
        epoch: for whole numbers that lie within the years 2000 to 2100 as times since 1970: `seconds`, `milliseconds`
            or `microseconds`.
    """

    name: str
    type: str
    filled: int
    distinct: int
    is_private: bool = False
    values: tuple[Frequency, ...] = ()
    lengths: Lengths | None = None
    forms: Mapping[Form, int] = dataclasses.field(default_factory=dict)
    form: Form | None = None
    odd_row: int | None = None
    missing_like: Mapping[str, int] = dataclasses.field(default_factory=dict)
    numbers: Numbers | None = None
    dates: Dates | None = None
    epoch: str | None = None


@dataclasses.dataclass(frozen=True)
class TableProfile:
    """A table.

    Attributes:
        source: how messages name it: the path of the file or folder, or `project.dataset.table`.
        table: the name by which a query reads it.
        is_text: whether it is a text file (CSV), whose cells have no type.
        rows: its rows.
        columns: its columns, in its order.
        bytes_read: bytes that profiling read on BigQuery; None where the engine cannot tell.
    """

    source: str
    table: str
    is_text: bool
    rows: int
    columns: tuple[ColumnProfile, ...]
    bytes_read: int | None = None

    def column(self, name: str) -> ColumnProfile:
        """The column of this name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclasses.dataclass(frozen=True)
class Association:
    """A column beside the label.

    Attributes:
        roc_auc: of ranking rows by this column alone, in the better direction (0.5 to 1). A category is ranked by its
            share of positives in one half of the rows, and measured on the other half. None if it cannot be measured.
        filled_positives: the share of the positives that have a value.
        filled_negatives: the share of the negatives that have a value.
    """

    roc_auc: float | None
    filled_positives: float
    filled_negatives: float


@dataclasses.dataclass(frozen=True)
class Day:
    """The rows and the positives of one date."""

    date: datetime.date
    rows: int
    positives: int
