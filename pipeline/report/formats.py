"""Formats numbers for the pages. A missing or infinite figure is a dash."""

from __future__ import annotations

import math
import re
from typing import Any

NOTHING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"  # a hyphen is too short beside figures


def number(value: Any, digits: int = 4) -> str:
    """A number with a fixed number of decimals."""
    return _minus(f"{value:.{digits}f}") if is_number(value) else NOTHING


def signed(value: Any, digits: int = 4) -> str:
    """A difference, always with its sign."""
    return _minus(f"{value:+.{digits}f}") if is_number(value) else NOTHING


def percent(value: Any, digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage."""
    return prose(f"{100 * value:.{digits}f} %") if is_number(value) else NOTHING


def count(value: Any) -> str:
    """A whole number with separators for thousands."""
    return f"{value:,.0f}" if is_number(value) else NOTHING


def gib(bytes_read: int | None) -> str:
    """Bytes in GiB; empty if they are not known."""
    return "" if bytes_read is None else f"{bytes_read / 2**30:.2f} GiB"


def interval(lower: Any, upper: Any, digits: int = 4, *, plus: bool = False) -> str:
    """`0.8712 to 0.8903`; `at least` or `at most` if one end is missing; empty if both are."""
    if not is_number(lower) and not is_number(upper):
        return ""
    form = signed if plus else number
    if not is_number(upper):
        return f"at least {form(lower, digits)}"
    if not is_number(lower):
        return f"at most {form(upper, digits)}"
    return f"{form(lower, digits)} to {form(upper, digits)}"


def prose(text: Any) -> str:
    """A sentence with true minus signs, and with no line break before a percent sign."""
    return re.sub(r"(?<![\w-])-(?=\d)", _MINUS, str(text)).replace(" %", "\N{NO-BREAK SPACE}%")


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _minus(text: str) -> str:
    return text.replace("-", _MINUS)
