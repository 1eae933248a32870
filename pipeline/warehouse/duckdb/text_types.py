"""What the text of a column reads as: a number, a date, or text. A type is given only if every value fits it.

Every predicate is SQL over a column of text that is not NULL. `reads` says that the text is a value of the type,
`same` that the type gives back the same text, so that nothing is lost whichever way the column is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.warehouse.duckdb.column_uses import Use
from pipeline.warehouse.duckdb.quoting import quote

NUMBER = r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*"
_WORDS = r"\s*[-+]?([iI]nf(inity)?|INF(INITY)?|[nN]a[nN]|NAN)\s*"
_TIME = r"\d{2}:\d{2}:\d{2}"
_COMPACT = r"\d{8}"
_CLOCK = r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_ZONE = r"\s?(Z|UTC|[-+]\d{2}(:?\d{2})?)"


@dataclasses.dataclass(frozen=True)
class Reading:
    """One way to read text.

    Attributes:
        type: DuckDB's type; VARCHAR leaves the text as it is.
        reads: whether the text `{0}` is a value of the type.
        same: whether the type gives back the same text.
    """

    type: str
    reads: str
    same: str


def on(template: str, column: str) -> str:
    """A predicate, or other SQL, over a column. (str.format would take a pattern's braces for its own.)"""
    return template.replace("{0}", column)


def _matches(pattern: str) -> str:
    return f"regexp_full_match({{0}}, {quote(pattern)})"


def _back(kind: str) -> str:
    return f"CAST(TRY_CAST({{0}} AS {kind}) AS VARCHAR) = {{0}}"


def _cast(kind: str) -> str:
    return f"TRY_CAST({{0}} AS {kind}) IS NOT NULL"


_DAY = r"\d{4}-\d{2}-\d{2}"
_WHOLE = _matches(r"\s*[-+]?\d+\s*")
READINGS = (
    Reading("BIGINT", f"{_WHOLE} AND {_cast('BIGINT')}", _back("BIGINT")),
    Reading(  # a whole number beyond 64 bits is an identifier, which a DOUBLE would merge with others
        "DOUBLE",
        f"({_matches(NUMBER)} OR {_matches(_WORDS)}) AND {_cast('DOUBLE')} "
        f"AND NOT ({_WHOLE} AND TRY_CAST({{0}} AS BIGINT) IS NULL)",
        _back("DOUBLE"),
    ),
    Reading("BOOLEAN", "LOWER({0}) IN ('true', 'false')", "{0} IN ('true', 'false')"),
    Reading("DATE", f"{_matches(_DAY)} AND {_cast('DATE')}", _back("DATE")),
    Reading("TIMESTAMP", f"{_matches(_DAY + '[ T]' + _CLOCK)} AND {_cast('TIMESTAMP')}", _back("TIMESTAMP")),
    Reading(
        "TIMESTAMPTZ",
        f"{_matches(_DAY + '[ T]' + _CLOCK + _ZONE)} AND {_cast('TIMESTAMPTZ')}",
        _back("TIMESTAMPTZ"),
    ),
    Reading("TIME", f"{_matches(_TIME)} AND {_cast('TIME')}", _back("TIME")),
)
LIKE_A_DATE = _matches(rf"\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}|{_COMPACT}")  # whatever DateOrder reads
TEXT = Reading("VARCHAR", "TRUE", "TRUE")
_ONLY_DATES = ("DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIME")


@dataclasses.dataclass(frozen=True)
class Profile:
    """What is known of a column of text.

    Attributes:
        reading: the first of READINGS that all values fit; TEXT if none does.
        is_same: whether the type gives back every text.
        is_like_dates: whether the first values look like dates, in any order of day, month and year.
        is_empty: whether the column holds no value.
    """

    reading: Reading
    is_same: bool
    is_like_dates: bool = False
    is_empty: bool = False


def is_text(uses: set[Use]) -> bool:
    """Whether a column with these uses is text whatever its values are."""
    return Use.TEXT in uses and not uses & {Use.NUMBER, Use.LABEL, Use.DATE}


def type_for(profile: Profile, uses: set[Use]) -> str:
    """The type that a column gets from its values and its uses in the query.

    A column that is used as text keeps its text. Any other gets the type that all its values fit.
    """
    if profile.is_empty:
        if uses & {Use.NUMBER, Use.LABEL}:
            return "DOUBLE"
        return "DATE" if Use.DATE in uses else "VARCHAR"
    kept = Use.TEXT in uses
    kept |= Use.COMPARED in uses and profile.reading.type not in _ONLY_DATES
    kept |= Use.WRITTEN in uses and not profile.is_same
    return "VARCHAR" if kept else profile.reading.type


@dataclasses.dataclass(frozen=True)
class DateOrder:
    """Dates that are not ISO: the order of their parts, and the mark between them.

    Attributes:
        name: `dmy`, `mdy` or `ymd`.
        shown: for messages, such as `d.m.yy`.
        format: for STRPTIME and PARSE_DATE.
        reads: whether the text `{0}` is such a date.
    """

    name: str
    shown: str
    format: str
    reads: str


def date_format(order: str, mark: str, year_digits: int) -> str:
    """The format for STRPTIME and PARSE_DATE of dates in an order such as `dmy`, with years of 2 or 4 digits."""
    return mark.join({"d": "%d", "m": "%m", "y": "%Y" if year_digits == 4 else "%y"}[part] for part in order)


def date_pattern(order: str, mark: str, year_digits: int) -> str:
    """The RE2 pattern of such dates."""
    escaped = "[.]" if mark == "." else mark
    return escaped.join({"y": rf"\d{{{year_digits}}}"}.get(part, r"\d{1,2}") for part in order)


def date_orders(wanted: str | None = None) -> Sequence[DateOrder]:
    """The known orders, or those of one name."""
    found = []
    for name, mark, digits in (
        (name, mark, digits) for name in ("dmy", "mdy", "ymd") for mark in "./-" for digits in (4, 2)
    ):
        format_, pattern = date_format(name, mark, digits), date_pattern(name, mark, digits)
        shown = mark.join({"y": "y" * digits}.get(part, part) for part in name)
        reads = f"{_matches(pattern)} AND TRY_STRPTIME({{0}}, {quote(format_)}) IS NOT NULL"
        found.append(DateOrder(name, shown, format_, reads))
    compact = f"{_matches(_COMPACT)} AND TRY_STRPTIME({{0}}, '%Y%m%d') IS NOT NULL"
    found.append(DateOrder("ymd", "yyyymmdd", "%Y%m%d", compact))
    return [order for order in found if wanted in (None, order.name)]


# What stands between thousands, besides commas and dots.
BLANKS, APOSTROPHES = r"[ \x{A0}\x{202F}]", r"[\x{27}\x{2019}]"
# Numbers as people write them: pattern, words, and what makes numbers of them.
NUMBER_STYLES = (
    (NUMBER, "beyond 64 bits", "CAST({0} AS FLOAT64)"),
    (r"\s*[-+]?\d+(,\d+)?\s*", "with a decimal comma", "CAST(REPLACE({0}, ',', '.') AS FLOAT64)"),
    (
        r"\s*[-+]?(\d+|\d{1,3}(,\d{3})+)([.]\d+)?\s*",
        "with commas between thousands",
        "CAST(REPLACE({0}, ',', '') AS FLOAT64)",
    ),
    (
        r"\s*[-+]?(\d+|\d{1,3}([.]\d{3})+)(,\d+)?\s*",
        "with dots between thousands and a decimal comma",
        "CAST(REPLACE(REPLACE({0}, '.', ''), ',', '.') AS FLOAT64)",
    ),
    (
        rf"\s*[-+]?(\d+|\d{{1,3}}({BLANKS}\d{{3}})+)([.,]\d+)?\s*",
        "with blanks between thousands",
        f"CAST(REPLACE(REGEXP_REPLACE({{0}}, r'{BLANKS}', ''), ',', '.') AS FLOAT64)",
    ),
    (
        rf"\s*[-+]?(\d+|\d{{1,3}}({APOSTROPHES}\d{{3}})+)([.]\d+)?\s*",
        "with apostrophes between thousands",
        f"CAST(REGEXP_REPLACE({{0}}, r'{APOSTROPHES}', '') AS FLOAT64)",
    ),
)
