"""Texts of a file that stand for a missing value, beyond those that every file may use."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from pipeline.profiling.profile import ColumnProfile, TableProfile


def missing_texts(profile: TableProfile) -> dict[str, str]:
    """Texts to add to `source.missing_values`, each with its reason; only a text file has the setting.

    A mark without letters (`-`, `?`) always stands for a missing value. A word (`unknown`) does where all else in its
    column is a number or a date; in a category it is a value like others.
    """
    if not profile.is_text:
        return {}
    found: dict[str, str] = {}
    for column in profile.columns:
        for text, rows in column.missing_like.items():
            if column.distinct > 2 and (is_mark(text) or column.form is not None):
                found.setdefault(text, f"{rows:,} rows of {column.name}")
    return found


def is_mark(text: str) -> bool:
    """Whether a text that stands for a missing value has neither letters nor digits."""
    return not any(character.isalnum() for character in text)


def without(profile: TableProfile, texts: Collection[str]) -> TableProfile:
    """The profile as it is once these texts count as missing values."""
    return dataclasses.replace(profile, columns=tuple(_without(column, texts) for column in profile.columns))


def _without(column: ColumnProfile, texts: Collection[str]) -> ColumnProfile:
    found = {text: rows for text, rows in column.missing_like.items() if text in texts}
    if not found:
        return column
    return dataclasses.replace(
        column,
        filled=column.filled - sum(found.values()),
        distinct=column.distinct - len(found),
        values=tuple(item for item in column.values if item.value not in found),
        missing_like={text: rows for text, rows in column.missing_like.items() if text not in found},
    )
