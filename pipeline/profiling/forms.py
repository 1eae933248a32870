"""How text reads: as a number, a truth value or a date, each with its pattern and the SQL that converts it.

The patterns are RE2 within what Python's `re` understands too. The SQL is BigQuery's dialect and means the same on
DuckDB. What converts a text fails, or gives NULL, for a text of another form.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
from collections.abc import Mapping

from pipeline.warehouse.duckdb.text_types import APOSTROPHES, BLANKS, date_format, date_pattern


class Form(str, enum.Enum):
    """A way to write a value as text. Where a text reads in several ways, the first in this order counts."""

    INTEGER = "integer"  # 12, -3; fits 64 bits; no leading zero
    NUMBER = "number"  # 12.5, 1e-3
    BOOLEAN = "boolean"  # true, false, in any case
    DATE_ISO = "yyyy-mm-dd"
    TIMESTAMP_ISO = "yyyy-mm-dd hh:mm:ss"  # with or without seconds, a fraction, a T, a zone
    DATE_COMPACT = "yyyymmdd"
    DATE_DMY_DOTS = "d.m.yyyy"
    DATE_DMY_SLASHES = "d/m/yyyy"
    DATE_MDY_SLASHES = "m/d/yyyy"
    DATE_DMY_DASHES = "d-m-yyyy"
    DATE_MDY_DASHES = "m-d-yyyy"
    DATE_YMD_SLASHES = "yyyy/m/d"
    DATE_MDY_DOTS = "m.d.yyyy"
    DATE_YMD_DOTS = "yyyy.m.d"
    DATE_DMY_NAMES = "d mon yyyy"  # 3 Jan 2025, 03-Jan-2025, 3 January 2025
    DATE_MDY_NAMES = "mon d, yyyy"
    DATE_DMY_DOTS_YY = "d.m.yy"
    DATE_DMY_SLASHES_YY = "d/m/yy"
    DATE_MDY_SLASHES_YY = "m/d/yy"
    DATE_DMY_DASHES_YY = "d-m-yy"
    DATE_MDY_DASHES_YY = "m-d-yy"
    DATE_YMD_SLASHES_YY = "yy/m/d"
    DATE_YMD_DASHES_YY = "yy-m-d"
    DATE_YMD_DOTS_YY = "yy.m.d"
    DATE_DMY_NAMES_YY = "d mon yy"
    TIMESTAMP_DMY_DOTS = "d.m.yyyy hh:mm"  # these with or without seconds, AM and PM
    TIMESTAMP_DMY_SLASHES = "d/m/yyyy hh:mm"
    TIMESTAMP_MDY_SLASHES = "m/d/yyyy hh:mm"
    TIMESTAMP_DMY_DASHES = "d-m-yyyy hh:mm"
    TIMESTAMP_MDY_DASHES = "m-d-yyyy hh:mm"
    TIMESTAMP_YMD_SLASHES = "yyyy/m/d hh:mm"
    MONTH_ISO = "yyyy-mm"
    MONTH_COMPACT = "yyyymm"
    TIME = "hh:mm:ss"  # with or without seconds
    THOUSANDS_COMMA = "1,234.5"
    DECIMAL_COMMA = "1234,5"
    THOUSANDS_DOT = "1.234,5"
    THOUSANDS_SPACE = "1 234,5"  # also a no-break space, and a decimal point
    THOUSANDS_APOSTROPHE = "1'234.5"
    PERCENT = "12 %"  # read as 12
    PERCENT_COMMA = "12,5 %"
    CURRENCY = "$12"  # a symbol or an ISO code before or after the number, with or without commas between thousands
    CURRENCY_COMMA = "12,50 €"  # with a decimal comma
    WIDE_INTEGER = "integer beyond 64 bits"
    LEADING_ZEROS = "007"  # digits, some with a leading zero: a code
    EMAIL = "e-mail address"
    UUID = "uuid"
    IP_ADDRESS = "IP address"
    URL = "url"


class Kind(str, enum.Enum):
    """What a form's texts are."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    CODE = "code"


@dataclasses.dataclass(frozen=True)
class _Way:
    """A form's kind, the pattern of its texts, and SQL over the text `{0}`: its value, and what else must hold."""

    kind: Kind
    pattern: str
    sql: str = "{0}"
    holds: str = ""


_WHOLE = r"(?:0|[1-9]\d{0,17})"
_SIGN = r"\s*[-+]?"
_CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:\s?[AaPp]\.?[Mm]\.?)?"
_MONTHS = (
    r"(?:[Jj]an|[Ff]eb|[Mm]ar|[Aa]pr|[Mm]ay|[Jj]un|[Jj]ul|[Aa]ug|[Ss]ep|[Oo]ct|[Nn]ov|[Dd]ec"
    r"|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Za-z]{0,6}"
)
_SYMBOL = r"(?:[$€£¥₩₹]|(?:USD|EUR|GBP|JPY|CNY|KRW|INR|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|TRY|ZAR)\s?)"
_AFTER = r"(?:\s?[$€£¥₩₹]|\s(?:USD|EUR|GBP|JPY|CNY|KRW|INR|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|TRY|ZAR))"


def _float(inner: str) -> str:
    return f"CAST({inner} AS FLOAT64)"


def _number(pattern: str, inner: str = "{0}") -> _Way:
    return _Way(Kind.NUMBER, rf"{_SIGN}(?:{pattern})\s*", _float(inner))


def _money(comma: bool) -> _Way:
    thousands, decimal = (r"\.", ",") if comma else (",", r"\.")
    number = rf"(?:[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+|\d+)(?:{decimal}\d+)?"
    pattern = rf"[-+]?{_SYMBOL}\s?[-+]?{number}|[-+]?{number}{_AFTER}"
    bare = rf"REGEXP_REPLACE({{0}}, r'[$€£¥₩₹\s]|[A-Z]{{3}}|{thousands}(\d{{3}})\b', r'\1')"
    return _Way(Kind.NUMBER, pattern, _float(f"REPLACE({bare}, ',', '.')" if comma else bare))


def _date(parts: str, mark: str = "", clock: bool = False) -> _Way:
    order, year_digits = parts.lower(), 4 if "Y" in parts else 2
    format_, pattern = date_format(order, mark, year_digits), date_pattern(order, mark, year_digits)
    if not mark:  # without marks each part has all its digits
        pattern = {"Ymd": r"(?:1[89]|2[01])\d{6}", "Ym": r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])"}[parts]
    if clock:
        sql = f"PARSE_DATE('{format_}', REGEXP_EXTRACT({{0}}, r'^[^ ,T]+'))"
        return _Way(Kind.TIMESTAMP, rf"{pattern}(?:,? +|T){_CLOCK}", sql, _parsed(sql))
    sql = f"PARSE_DATE('{format_}', {{0}})"
    return _Way(Kind.DATE, pattern, sql, _parsed(sql))


def _named_date(pattern: str, taken: str, put: str, format_: str) -> _Way:
    """A date with the name of a month, which is cut to its first three letters."""
    sql = f"PARSE_DATE('{format_}', REGEXP_REPLACE({{0}}, r'^{taken}$', r'{put}'))"
    return _Way(Kind.DATE, pattern, sql, _parsed(sql))


def _parsed(sql: str) -> str:
    return f"SAFE.{sql} IS NOT NULL"


_DMY_NAMES = r"(\d{1,2})[- ]([A-Za-z]{3})[A-Za-z]*\.?[- ]"
_ISO_DAY = "CAST(SUBSTR({0}, 1, 10) AS DATE)"  # the day as it is written, whatever the zone

_WAYS: Mapping[Form, _Way] = {
    Form.INTEGER: _Way(
        Kind.NUMBER,
        rf"{_SIGN}(?:0|[1-9]\d{{0,18}})\s*",
        "CAST({0} AS INT64)",
        "(CHAR_LENGTH({0}) < 19 OR SAFE_CAST({0} AS INT64) IS NOT NULL)",
    ),
    Form.NUMBER: _number(rf"{_WHOLE}|(?:(?:0|[1-9]\d*)\.\d*|\.\d+)(?:[eE][-+]?\d+)?|(?:0|[1-9]\d*)[eE][-+]?\d+"),
    Form.BOOLEAN: _Way(Kind.BOOLEAN, r"[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]", "CAST({0} AS BOOL)"),
    Form.DATE_ISO: _Way(Kind.DATE, r"\d{4}-\d{1,2}-\d{1,2}", "CAST({0} AS DATE)", "SAFE_CAST({0} AS DATE) IS NOT NULL"),
    Form.TIMESTAMP_ISO: _Way(
        Kind.TIMESTAMP,
        r"\d{4}-\d{2}-\d{2}[ T](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:\s?(?:Z|UTC|[-+]\d{2}(?::?\d{2})?))?",
        _ISO_DAY,
        f"{_ISO_DAY.replace('CAST(', 'SAFE_CAST(')} IS NOT NULL",
    ),
    Form.DATE_COMPACT: _date("Ymd"),
    Form.DATE_DMY_DOTS: _date("dmY", "."),
    Form.DATE_DMY_SLASHES: _date("dmY", "/"),
    Form.DATE_MDY_SLASHES: _date("mdY", "/"),
    Form.DATE_DMY_DASHES: _date("dmY", "-"),
    Form.DATE_MDY_DASHES: _date("mdY", "-"),
    Form.DATE_YMD_SLASHES: _date("Ymd", "/"),
    Form.DATE_MDY_DOTS: _date("mdY", "."),
    Form.DATE_YMD_DOTS: _date("Ymd", "."),
    Form.DATE_DMY_NAMES: _named_date(
        rf"\d{{1,2}}[- ]{_MONTHS}\.?[- ]\d{{4}}", rf"{_DMY_NAMES}(\d{{4}})", r"\1 \2 \3", "%d %b %Y"
    ),
    Form.DATE_MDY_NAMES: _named_date(
        rf"{_MONTHS}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}",
        r"([A-Za-z]{3})[A-Za-z]*\.? (\d{1,2})[a-z]*,? (\d{4})",
        r"\1 \2 \3",
        "%b %d %Y",
    ),
    Form.DATE_DMY_DOTS_YY: _date("dmy", "."),
    Form.DATE_DMY_SLASHES_YY: _date("dmy", "/"),
    Form.DATE_MDY_SLASHES_YY: _date("mdy", "/"),
    Form.DATE_DMY_DASHES_YY: _date("dmy", "-"),
    Form.DATE_MDY_DASHES_YY: _date("mdy", "-"),
    Form.DATE_YMD_SLASHES_YY: _date("ymd", "/"),
    Form.DATE_YMD_DASHES_YY: _date("ymd", "-"),
    Form.DATE_YMD_DOTS_YY: _date("ymd", "."),
    Form.DATE_DMY_NAMES_YY: _named_date(
        rf"\d{{1,2}}[- ]{_MONTHS}\.?[- ]\d{{2}}", rf"{_DMY_NAMES}(\d{{2}})", r"\1 \2 \3", "%d %b %y"
    ),
    Form.TIMESTAMP_DMY_DOTS: _date("dmY", ".", clock=True),
    Form.TIMESTAMP_DMY_SLASHES: _date("dmY", "/", clock=True),
    Form.TIMESTAMP_MDY_SLASHES: _date("mdY", "/", clock=True),
    Form.TIMESTAMP_DMY_DASHES: _date("dmY", "-", clock=True),
    Form.TIMESTAMP_MDY_DASHES: _date("mdY", "-", clock=True),
    Form.TIMESTAMP_YMD_SLASHES: _date("Ymd", "/", clock=True),
    Form.MONTH_ISO: _Way(Kind.DATE, r"(?:19|20)\d{2}-(?:0[1-9]|1[0-2])", "PARSE_DATE('%Y-%m', {0})"),
    Form.MONTH_COMPACT: _date("Ym"),
    Form.TIME: _Way(Kind.TIME, _CLOCK),
    Form.THOUSANDS_COMMA: _number(
        rf"(?:{_WHOLE}|[1-9]\d{{0,2}}(?:,\d{{3}})+)(?:\.\d+)?", r"REGEXP_REPLACE({0}, r',(\d{3})\b', r'\1')"
    ),
    Form.DECIMAL_COMMA: _number(rf"{_WHOLE}(?:,\d+)?|,\d+", "REPLACE({0}, ',', '.')"),
    Form.THOUSANDS_DOT: _number(
        rf"(?:{_WHOLE}|[1-9]\d{{0,2}}(?:\.\d{{3}})+)(?:,\d+)?",
        r"REPLACE(REGEXP_REPLACE({0}, r'\.(\d{3})\b', r'\1'), ',', '.')",
    ),
    Form.THOUSANDS_SPACE: _number(
        rf"(?:{_WHOLE}|[1-9]\d{{0,2}}(?:{BLANKS}\d{{3}})+)(?:[.,]\d+)?",
        rf"REPLACE(REGEXP_REPLACE({{0}}, r'{BLANKS}(\d{{3}})\b', r'\1'), ',', '.')",
    ),
    Form.THOUSANDS_APOSTROPHE: _number(
        rf"(?:{_WHOLE}|[1-9]\d{{0,2}}(?:{APOSTROPHES}\d{{3}})+)(?:\.\d+)?",
        rf"REGEXP_REPLACE({{0}}, r'{APOSTROPHES}(\d{{3}})\b', r'\1')",
    ),
    Form.PERCENT: _number(r"(?:\d+(?:\.\d+)?|\.\d+)\s?%", "REPLACE({0}, '%', '')"),
    Form.PERCENT_COMMA: _number(r"\d+(?:,\d+)?\s?%", "REPLACE(REPLACE({0}, '%', ''), ',', '.')"),
    Form.CURRENCY: _money(comma=False),
    Form.CURRENCY_COMMA: _money(comma=True),
    Form.LEADING_ZEROS: _Way(Kind.CODE, rf"{_SIGN}\d+\s*"),
    Form.WIDE_INTEGER: _Way(Kind.CODE, rf"{_SIGN}(?:0|[1-9]\d*)\s*"),
    Form.EMAIL: _Way(Kind.CODE, r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    Form.UUID: _Way(Kind.CODE, r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"),
    Form.IP_ADDRESS: _Way(Kind.CODE, r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{0,4}){4,7}"),
    Form.URL: _Way(Kind.CODE, r"[hH][tT][tT][pP][sS]?://\S+"),
}

# Where a text reads as the first of these, it has the same value in the others, which are then no second reading.
SAME_VALUE: Mapping[Form, frozenset[Form]] = {
    Form.INTEGER: frozenset(
        {
            Form.NUMBER,
            Form.THOUSANDS_COMMA,
            Form.DECIMAL_COMMA,
            Form.THOUSANDS_DOT,
            Form.THOUSANDS_SPACE,
            Form.THOUSANDS_APOSTROPHE,
            Form.LEADING_ZEROS,
            Form.WIDE_INTEGER,
        }
    ),
    Form.NUMBER: frozenset({Form.THOUSANDS_COMMA, Form.THOUSANDS_SPACE, Form.THOUSANDS_APOSTROPHE}),
    Form.THOUSANDS_COMMA: frozenset({Form.THOUSANDS_APOSTROPHE}),
    Form.DECIMAL_COMMA: frozenset({Form.THOUSANDS_DOT, Form.THOUSANDS_SPACE}),
    Form.PERCENT: frozenset({Form.PERCENT_COMMA}),
    Form.WIDE_INTEGER: frozenset({Form.LEADING_ZEROS}),
}


def kind_of(form: Form) -> Kind:
    """What a form's texts are."""
    return _WAYS[form].kind


def pattern_of(form: Form) -> str:
    """The RE2 pattern that a whole text of the form matches."""
    return _WAYS[form].pattern


def looks_like(form: Form, text: str) -> bool:
    """Whether a text matches the form's pattern. (A day such as 31.02. matches, and is no date.)"""
    return _compiled(form).fullmatch(text) is not None


def reads_as(form: Form, text_sql: str) -> str:
    """SQL that is TRUE if a text is a valid value of the form; FALSE or NULL otherwise.

    Args:
        form: the form.
        text_sql: SQL of type STRING.
    """
    way = _WAYS[form]
    matches = f"REGEXP_CONTAINS({text_sql}, r'^(?:{way.pattern})$')"
    return f"{matches} AND {way.holds.replace('{0}', text_sql)}" if way.holds else matches


def value_sql(form: Form, text_sql: str) -> str:
    """SQL that converts a text: to INT64 (INTEGER), FLOAT64, BOOL, or DATE (dates and timestamps); a code stays STRING.

    It fails, or gives NULL, for a text of another form. A timestamp's date is the day that is written, in its own zone.

    Args:
        form: the form.
        text_sql: SQL of type STRING, such as `t.amount`, or `NULLIF(t.amount, '-')`.
    """
    return _WAYS[form].sql.replace("{0}", text_sql)


@functools.lru_cache(maxsize=len(Form))
def _compiled(form: Form) -> re.Pattern[str]:
    python = re.sub(r"\\x\{([0-9A-F]+)\}", lambda match: chr(int(match[1], 16)), _WAYS[form].pattern)
    return re.compile(python, re.ASCII)
