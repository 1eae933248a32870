"""The SQL of a column's value as a number, a date or a category, and which of two readings a whole file speaks for."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection

from pipeline.profiling import forms
from pipeline.profiling.conversions import without_missing
from pipeline.profiling.forms import Form
from pipeline.profiling.forms import Kind as FormKind
from pipeline.profiling.profile import EPOCH_UNITS, ColumnProfile, Dates, TableProfile
from pipeline.profiling.source import DAYS, NUMBERS
from pipeline.proposal import names
from pipeline.proposal.missing import is_mark
from pipeline.proposal.words import SNAPSHOT_WORDS, TIME_WORDS, has_word

_FROM_EPOCH = {
    "seconds": "TIMESTAMP_SECONDS",
    "milliseconds": "TIMESTAMP_MILLIS",
    "microseconds": "TIMESTAMP_MICROS",
}
#: Values from which on the digits after a comma tell thousands from decimals: always three, or no comma.
MANY_VALUES = 30
SHORTEST_THOUSAND = len("1,234")
_DATES = (FormKind.DATE, FormKind.TIMESTAMP)
_COMMA_IS_DECIMAL = frozenset({Form.DECIMAL_COMMA, Form.THOUSANDS_DOT, Form.PERCENT_COMMA, Form.CURRENCY_COMMA})
_POINT_IS_DECIMAL = frozenset({Form.NUMBER, Form.THOUSANDS_COMMA, Form.PERCENT, Form.CURRENCY})


@dataclasses.dataclass(frozen=True)
class Reading:
    """How to read the text of a column.

    Attributes:
        form: the form; None for text that has none, and for other types.
        rival: another form that all values have too and that gives other values; None if there is none, or if the
            file settles it.
    """

    form: Form | None
    rival: Form | None = None


class Readings:
    """Reads the columns of one table. What one column leaves open, the others may settle."""

    def __init__(self, profile: TableProfile, *, as_text: bool = False, missing_texts: Collection[str] = ()):
        """Looks for columns that can be read in one way only.

        Args:
            profile: the table.
            as_text: for a text file, whether the SQL is for a query that takes its columns as text (ALL_TEXT). In
                query.sql, the engine gives a type to text that reads as a plain number or an ISO date.
            missing_texts: for such a query, texts that data sets of this file will take for missing.
        """
        self._is_typed = profile.is_text and not as_text
        self._missing_texts = missing_texts
        self._profile = profile
        self._sure = {column.form for column in profile.columns if column.form and not _rivals(column)}

    def of(self, column: ColumnProfile) -> Reading:
        """The form of a column, and its rival if the choice is a guess."""
        form = column.form
        if column.type == "INT64" or form is Form.INTEGER:
            return Reading(_compact_date(column) or form)
        if form is None:
            return Reading(None)
        for rival in _rivals(column):
            for one, other in ((form, rival), (rival, form)):
                if self._speaks_for(one) and not self._speaks_for(other):
                    return Reading(one)
            if (form, rival) == (Form.THOUSANDS_COMMA, Form.DECIMAL_COMMA) and _has_thousands(column):
                return Reading(form)
            return Reading(form, rival)
        return Reading(form)

    def is_date(self, column: ColumnProfile) -> bool:
        """Whether the values are dates or timestamps."""
        form = self.of(column).form
        if form is not None and forms.kind_of(form) in _DATES:
            return True
        return column.type in DAYS or is_epoch(column)

    def is_number(self, column: ColumnProfile) -> bool:
        """Whether the values are numbers."""
        form = self.of(column).form
        if form is not None:
            return forms.kind_of(form) is FormKind.NUMBER
        return column.type in NUMBERS

    def is_boolean(self, column: ColumnProfile) -> bool:
        """Whether the values are true and false."""
        return column.type == "BOOL" or self.of(column).form is Form.BOOLEAN

    def date_sql(self, column: ColumnProfile, form: Form | None = None) -> str:
        """The value as a DATE; `form` replaces the column's."""
        reference = self._reference(column)
        if column.type in DAYS:
            return reference if column.type == "DATE" else f"DATE({reference})"
        if is_epoch(column):
            whole = reference if column.type == "INT64" else f"CAST({reference} AS INT64)"
            return f"DATE({_FROM_EPOCH[str(column.epoch)]}({whole}))"
        form = form or self.of(column).form
        if column.type == "INT64":
            reference = f"CAST({reference} AS STRING)"
        if self._is_typed and form is Form.DATE_ISO:
            return reference
        return forms.value_sql(form, reference)

    def number_sql(self, column: ColumnProfile, form: Form | None = None) -> str:
        """The value as a number; `form` replaces the column's."""
        reference = self._reference(column)
        if column.type in ("INT64", "FLOAT64"):
            return reference
        if column.type in NUMBERS:
            return f"CAST({reference} AS FLOAT64)"
        form = form or self.of(column).form
        if self._is_typed and form in (Form.INTEGER, Form.NUMBER):
            return reference
        return forms.value_sql(form, reference)

    def text_sql(self, column: ColumnProfile) -> str:
        """The value as a category."""
        reference = self._reference(column, as_category=True)
        if column.type == "STRING":
            return reference
        if column.type in ("FLOAT64", "NUMERIC", "BIGNUMERIC"):  # codes that missing values have made floats of
            return f"CAST(CAST({reference} AS INT64) AS STRING)"
        return f"CAST({reference} AS STRING)"

    def _reference(self, column: ColumnProfile, as_category: bool = False) -> str:
        """The column, with NULL for texts that stand for a missing value. A text file's are those of the settings."""
        reference = names.column(column.name)
        if column.type != "STRING" or self._is_typed:
            return reference
        texts = list(self._missing_texts)
        if not self._profile.is_text:
            empty = column.filled < self._profile.rows and column.form is not None and not as_category
            texts += [""] if empty else []
            texts += [text for text in column.missing_like if is_mark(text) or not as_category]
        return without_missing(reference, texts)

    def _speaks_for(self, form: Form) -> bool:
        """Whether another column can be read only in the way of this form."""
        if form in _COMMA_IS_DECIMAL:
            return bool(self._sure & _COMMA_IS_DECIMAL)
        if form in _POINT_IS_DECIMAL:
            return bool(self._sure & _POINT_IS_DECIMAL)
        order = next((order for order in ("DMY", "MDY", "YMD") if order in form.name), None)
        return order is not None and any(order in other.name for other in self._sure)


def _compact_date(column: ColumnProfile) -> Form | None:
    """The form of whole numbers that are days (20250131) or months (202501) of the calendar, without exception."""
    filled = read_rows(column)
    if not filled or column.distinct < 2:
        return None
    if column.forms.get(Form.DATE_COMPACT) == filled:
        return Form.DATE_COMPACT
    is_month = column.forms.get(Form.MONTH_COMPACT) == filled and has_word(column.name, (*SNAPSHOT_WORDS, "month"))
    return Form.MONTH_COMPACT if is_month else None


def is_epoch(column: ColumnProfile) -> bool:
    """Whether whole numbers are times since 1970: they lie in this century, and the name speaks of time."""
    return column.epoch is not None and has_word(column.name, TIME_WORDS)


def _has_thousands(column: ColumnProfile) -> bool:
    """Whether commas stand between thousands: many values, each with three digits after its comma, or without one."""
    shortest = column.lengths.shortest if column.lengths else SHORTEST_THOUSAND
    return column.distinct >= MANY_VALUES and shortest < SHORTEST_THOUSAND


def with_epoch_dates(profile: TableProfile) -> TableProfile:
    """The profile with the dates of whole numbers that are times since 1970; their distinct days are an upper bound."""
    return dataclasses.replace(profile, columns=tuple(_with_epoch_dates(column) for column in profile.columns))


def _with_epoch_dates(column: ColumnProfile) -> ColumnProfile:
    if not is_epoch(column) or column.numbers is None:
        return column
    per_second = EPOCH_UNITS[str(column.epoch)]
    ends = (column.numbers.quantiles[0], column.numbers.quantiles[-1])
    first, last = (datetime.datetime.fromtimestamp(end / per_second, datetime.timezone.utc).date() for end in ends)
    days = min(column.distinct, (last - first).days + 1)
    return dataclasses.replace(column, dates=Dates(first, last, days))


def read_rows(column: ColumnProfile) -> int:
    """The rows whose value is read by its form: those that are filled, but not with a text for a missing value."""
    return column.filled - sum(column.missing_like.values())


def _rivals(column: ColumnProfile) -> tuple[Form, ...]:
    """Forms that all values of a column have beside its own, and that give other values."""
    form = column.form
    if form is None:
        return ()
    same = forms.SAME_VALUE.get(form, frozenset())
    return tuple(
        other
        for other, rows in column.forms.items()
        if other is not form and rows == read_rows(column) and other not in same
        if forms.kind_of(other) is forms.kind_of(form) and forms.kind_of(form) in (FormKind.NUMBER, *_DATES)
    )
