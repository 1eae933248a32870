"""Tells identifiers, personal data and free text: each row has its own, so nothing can be learned from them."""

from __future__ import annotations

from pipeline.profiling.forms import Form
from pipeline.profiling.personal import TABLE_CONTACT_WORDS
from pipeline.profiling.privacy import is_private_form
from pipeline.profiling.profile import MOST_VALUES, ColumnProfile, TableProfile
from pipeline.proposal.conversion import Readings
from pipeline.proposal.keys import NEARLY_UNIQUE, is_named_id
from pipeline.proposal.words import ROW_NUMBER_WORDS, words

#: The share of distinct values from which on text is an identifier or free text, not a category.
MOSTLY_DISTINCT = 0.5
#: Characters, on average, from which on text is free text rather than an identifier, where most rows have their own.
LONG_TEXT = 40
#: By how much the range of a running number may exceed the number of its values.
_RUNNING = 1.5


def is_id_name(name: str) -> bool:
    """Whether a name is that of an identifier, of a row or of a thing."""
    return is_named_id(name) or bool(set(words(name)) & ROW_NUMBER_WORDS)


def reason(column: ColumnProfile, profile: TableProfile, readings: Readings, rows_per_value: int) -> str:
    """Why nothing can be learned from a column since its values do not repeat; empty if they do."""
    if column.distinct <= MOST_VALUES or readings.is_date(column):
        return ""
    distinct_share = column.distinct / column.filled
    what = f"{column.distinct:,} values in {column.filled:,} rows"
    is_personal = column.form is not None and is_private_form(column.form)
    if is_personal or (
        set(words(column.name)) & TABLE_CONTACT_WORDS and distinct_share > 0.1 and column.type == "STRING"
    ):
        return f"personal data: {what}"
    if column.filled < rows_per_value * column.distinct and is_id_name(column.name) and _is_whole_or_text(column):
        return f"an identifier: {what}"
    if readings.is_number(column):
        return f"a running number: {what}" if _is_running(column) else ""
    if distinct_share <= MOSTLY_DISTINCT or column.type != "STRING":
        return ""
    if _mostly_number(column) is not None:
        return ""
    return f"{'free text' if _is_long(column) else 'an identifier'}: {what}"


def _is_whole_or_text(column: ColumnProfile) -> bool:
    if column.type == "STRING" and column.form not in (Form.NUMBER, Form.DECIMAL_COMMA, Form.PERCENT, Form.CURRENCY):
        return True
    return column.numbers is not None and column.numbers.whole == column.filled


def _is_running(column: ColumnProfile) -> bool:
    found = column.numbers
    if found is None or found.whole < column.filled or column.distinct < NEARLY_UNIQUE * column.filled:
        return False
    return found.quantiles[-1] - found.quantiles[0] < _RUNNING * column.filled


def _mostly_number(column: ColumnProfile) -> Form | None:
    """A form that most values have, so that the others are errors and not identifiers."""
    return next((form for form, rows in column.forms.items() if rows >= 0.8 * column.filled), None)


def _is_long(column: ColumnProfile) -> bool:
    return column.lengths is not None and column.lengths.mean >= LONG_TEXT
