"""The SQL of a label: the expression that makes 0, 1 or NULL of it, and the condition that a row has one."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.profiling.forms import Form
from pipeline.profiling.profile import ColumnProfile
from pipeline.profiling.source import NUMBERS
from pipeline.proposal import names
from pipeline.proposal.label import Label
from pipeline.proposal.words import folded
from pipeline.warehouse.dialect import text_literal


def label_sql(label: Label, is_text_file: bool) -> str:
    """The expression that makes 0, 1 or NULL of the label. A value that was not there before becomes NULL."""
    column, reference = label.column, names.column(label.column.name)
    kind = _kind(column, is_text_file)
    values = (*label.positive, *label.negative)
    if kind == "BOOL":
        is_true = folded(label.positive[0]) in ("true", "1")
        return f"CAST({reference} AS INT64)" if is_true else f"1 - CAST({reference} AS INT64)"
    literals = {value: _number(value) if kind == "NUMBER" else text_literal(value) for value in values}
    if kind == "NUMBER" and [float(value) for value in label.positive] == [1] and _are_zero(label.negative):
        return reference if _is_whole(column) else f"CAST({reference} AS INT64)"
    if not label.negative:
        return f"IF({reference} = {literals[label.positive[0]]}, 1, 0)"
    subject = reference
    if max(len(label.positive), len(label.negative)) > 1:
        subject = f"LOWER(TRIM({reference}))"
        literals = {value: text_literal(value.strip().lower()) for value in values}
    cases = [(literals[label.positive[0]], 1), (literals[label.negative[0]], 0)]
    return f"CASE {subject} " + " ".join(f"WHEN {value} THEN {number}" for value, number in cases) + " END"


def has_label_sql(label: Label, is_text_file: bool) -> str:
    """The condition that a row has a label."""
    column, reference = label.column, names.column(label.column.name)
    condition = f"{reference} IS NOT NULL"
    if column.type in ("FLOAT64",) and not is_text_file:
        return f"{condition} AND NOT IS_NAN({reference})"
    if column.type == "STRING" and not is_text_file:
        return f"{reference} NOT IN ({', '.join(text_literal(text) for text in ('', *column.missing_like))})"
    return condition


def _kind(column: ColumnProfile, is_text_file: bool) -> str:
    """How the query sees the label: as BOOL, NUMBER or TEXT."""
    if column.type == "BOOL" or (is_text_file and column.form is Form.BOOLEAN):
        return "BOOL"
    if column.type in NUMBERS or (is_text_file and column.form in (Form.INTEGER, Form.NUMBER)):
        return "NUMBER"
    return "TEXT"


def _number(value: str) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)


def _is_whole(column: ColumnProfile) -> bool:
    return column.type == "INT64" or column.form is Form.INTEGER


def _are_zero(values: Sequence[str]) -> bool:
    return [float(value) for value in values] == [0]
