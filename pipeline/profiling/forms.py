"""How text reads: as a number, a truth value or a date, each with its pattern and the SQL that converts it."""

from __future__ import annotations

import enum


class Form(str, enum.Enum):
    """A way to write a value as text. Where a text reads in several ways, the first in this order counts."""

    INTEGER = "integer"  # 12, -3; fits 64 bits; no leading zero
    NUMBER = "number"  # 12.5, 1e-3
    BOOLEAN = "boolean"  # true, false, in any case
    DATE_ISO = "yyyy-mm-dd"
    TIMESTAMP_ISO = "yyyy-mm-dd hh:mm:ss"  # with or without a fraction, a T, a zone
    DATE_COMPACT = "yyyymmdd"
    DATE_DMY_DOTS = "d.m.yyyy"
    DATE_DMY_SLASHES = "d/m/yyyy"
    DATE_MDY_SLASHES = "m/d/yyyy"
    DATE_DMY_DASHES = "d-m-yyyy"
    DATE_MDY_DASHES = "m-d-yyyy"
    DATE_YMD_SLASHES = "yyyy/m/d"
    DATE_DMY_NAMES = "d mon yyyy"  # 3 Jan 2025, 03-Jan-2025
    DATE_MDY_NAMES = "mon d, yyyy"
    THOUSANDS_COMMA = "1,234.5"
    DECIMAL_COMMA = "1234,5"
    THOUSANDS_DOT = "1.234,5"
    PERCENT = "12 %"
    CURRENCY = "$12"
    LEADING_ZEROS = "007"  # digits, some with a leading zero: a code
    WIDE_INTEGER = "integer beyond 64 bits"
