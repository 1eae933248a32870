"""Literals and names in DuckDB's dialect."""

from __future__ import annotations


def quote(text: object) -> str:
    """A string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """A column's or table's name."""
    return '"' + name.replace('"', '""') + '"'
