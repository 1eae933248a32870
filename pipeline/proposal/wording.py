"""Short texts about columns, for the comments of the files, and lines of text."""

from __future__ import annotations

import textwrap

from pipeline.profiling.profile import ColumnProfile
from pipeline.profiling.source import COUNTED
from pipeline.proposal import names

WIDTH = 110  # characters of a line on the terminal, or of a comment
READ_TYPES = COUNTED - {"TIME"}
_WAYS_IN = {
    "ARRAY": "ARRAY_LENGTH({0}) would be a number",
    "BYTES": "SAFE_CONVERT_BYTES_TO_STRING({0}) would be a category",
    "TIME": "CAST({0} AS STRING) would be a category",
    "STRUCT": "{0}.<field> would be a feature",
    "JSON": "JSON_VALUE({0}, '$.<field>') would be a category",
}


def number(column: ColumnProfile, rows: int) -> str:
    """The range of a number."""
    found = column.numbers
    if found is None or not column.filled:
        return "a number"
    if column.is_private:  # its ends may tell who a row is
        return f"numbers, {column.distinct:,} different ones"
    kind = "whole numbers" if found.whole == column.filled else "numbers"
    if kind == "whole numbers" and column.distinct == 2 and (found.quantiles[0], found.quantiles[-1]) == (0, 1):
        return "0 or 1"
    return f"{kind} from {short(found.quantiles[0])} to {short(found.quantiles[-1])}"


def many(count: int, what: str) -> str:
    """A number of things: `1 day`, `2 days`, `3 categories`."""
    if count != 1:
        what = f"{what[:-1]}ies" if what.endswith("y") and what[-2] not in "aeiou" else f"{what}s"
    return f"{count:,} {what}"


def values(distinct: int) -> str:
    """How many values."""
    return "1 value" if distinct == 1 else f"{distinct:,} values"


def missing(column: ColumnProfile, rows: int) -> str:
    """The share of missing values, as the end of a text; empty if there is none."""
    count = rows - column.filled
    if not count:
        return ""
    share = f"{count / rows:.1%} of the rows" if count >= 0.001 * rows else f"{count:,} of {rows:,} rows"
    return f"; missing in {share}"


def way_in(column: ColumnProfile) -> str:
    """How a column of a type that is not read could become a feature."""
    return _WAYS_IN.get(column.type, "CAST it in query.sql to use it").replace("{0}", names.column(column.name))


def short(value: float) -> str:
    """A number of at most four significant digits, whole numbers in full."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def wrapped(start: str, text: str) -> list[str]:
    """A text as lines on the terminal, the first after `start` and the others below it."""
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False)
