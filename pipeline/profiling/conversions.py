"""SQL of a profiled column's values: as text, as a number, as a date, over the alias t."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.profiling.forms import Form, Kind, kind_of, value_sql
from pipeline.profiling.profile import ColumnProfile
from pipeline.profiling.source import COUNTED, DAYS, NUMBERS, Cells
from pipeline.warehouse.dialect import text_literal

#: Columns with at most this many distinct values are ranked as categories too, even if they are numbers.
FEW_CODES = 50


def full_forms(form: Form | None, forms: Mapping[Form, int]) -> list[Form]:
    """All forms that read every value of a column, if `form` does: the readings that it has."""
    return [other for other, rows in forms.items() if rows == forms[form]] if form else []


def date_form(form: Form | None, forms: Mapping[Form, int]) -> Form | None:
    """The first reading of a column that is a date."""
    full = full_forms(form, forms)
    return next((other for other in full if kind_of(other) in (Kind.DATE, Kind.TIMESTAMP)), None)


def without_missing(text_sql: str, texts: Sequence[str]) -> str:
    """SQL of a text that is NULL where it is one of these texts."""
    for text in texts:
        text_sql = f"NULLIF({text_sql}, {text_literal(text)})"
    return text_sql


def text_of(column: ColumnProfile) -> str:
    """SQL of a cell as text; NULL where it is missing."""
    return Cells(column.name, column.type).text_sql


def number_of(column: ColumnProfile) -> str | None:
    """SQL of a cell as FLOAT64, or None if the column holds no numbers."""
    if column.type in NUMBERS:
        return f"CAST({Cells(column.name, column.type).sql} AS FLOAT64)"
    if column.form is None or kind_of(column.form) is not Kind.NUMBER:
        return None
    value = value_sql(column.form, without_missing(text_of(column), list(column.missing_like)))
    return f"CAST({value} AS FLOAT64)" if column.form is Form.INTEGER else value


def date_of(column: ColumnProfile) -> str | None:
    """SQL of a cell as DATE, or None if the column holds no dates."""
    sql = Cells(column.name, column.type).sql
    if column.type in DAYS:
        return sql if column.type == "DATE" else f"DATE({sql})"
    form = date_form(column.form, column.forms)
    return form and value_sql(form, without_missing(text_of(column), list(column.missing_like)))


def ways_of(column: ColumnProfile) -> dict[str, str]:
    """SQL of a cell by what it can be: `text`, `number`, `date`."""
    found = {"text": text_of(column), "number": number_of(column), "date": date_of(column)}
    return {way: sql for way, sql in found.items() if sql is not None}


def rank_of(column: ColumnProfile) -> tuple[str | None, str | None]:
    """SQL by which a column ranks rows: of a number (FLOAT64), of a category (STRING), or of both."""
    cells = Cells(column.name, column.type)
    if column.type not in COUNTED:
        is_there = f"ARRAY_LENGTH({cells.sql}) > 0" if column.type == "ARRAY" else f"{cells.sql} IS NOT NULL"
        return None, f"IF({is_there}, 'filled', NULL)"
    day = date_of(column)
    number = number_of(column)
    if column.type == "TIMESTAMP":
        number = f"CAST(UNIX_MICROS({cells.sql}) AS FLOAT64)"
    elif number is None and day is not None:
        number = f"CAST(UNIX_DATE({day}) AS FLOAT64)"
    is_category = number is None or column.distinct <= FEW_CODES
    return number, cells.text_sql if is_category else None
