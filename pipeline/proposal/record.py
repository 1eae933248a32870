"""What `make init` remembers of a table in `schema/<data set>/profile.json`, to tell later what has changed.

The record holds facts of columns, and the values of categories; no value of a column that may be an identifier.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from models.config import SettingsError
from pipeline.profiling.profile import MOST_VALUES, ColumnProfile, TableProfile

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class ColumnRecord:
    """One column.

    Attributes:
        type: its BigQuery type.
        form: how its text reads; None if there is no form.
        filled: the share of rows with a value.
        distinct: distinct values.
        values: of a category, its values; None for others.
        lowest: of numbers and dates, the lowest, as text that sorts or as a number; None for others.
        highest: likewise.
    """

    type: str
    form: str | None
    filled: float
    distinct: int
    values: tuple[str, ...] | None = None
    lowest: float | str | None = None
    highest: float | str | None = None


@dataclasses.dataclass(frozen=True)
class TableRecord:
    """A table: its rows, and its columns by name, in its order."""

    rows: int
    columns: dict[str, ColumnRecord]


def of(profile: TableProfile, private: Collection[str] = ()) -> TableRecord:
    """What is remembered of a profile; of private columns, neither values nor a range."""
    columns = {}
    for column in profile.columns:
        kept = _of_column(column, profile.rows)
        if column.name in private:
            kept = dataclasses.replace(kept, values=None, lowest=None, highest=None)
        columns[column.name] = kept
    return TableRecord(profile.rows, columns)


def to_json(kept: TableRecord) -> str:
    """The text of the file."""
    columns = {name: _without_none(dataclasses.asdict(column)) for name, column in kept.columns.items()}
    document = {
        "about": "What `make init` found in the table; UPDATE=1 compares the table with it and writes it anew.",
        "version": _VERSION,
        "rows": kept.rows,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in document.items()]
    entries = [f"  {_json(name)}: {_json(column)}" for name, column in columns.items()]
    return "\n".join(["{", *lines, ' "columns": {', ",\n".join(entries), " }", "}"]) + "\n"


def load(path: Path) -> TableRecord | None:
    """The record of a data set, or None if there is none.

    Raises:
        SettingsError: the file is not one that `make init` wrote.
    """
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        columns = {name: _column(fields) for name, fields in document["columns"].items()}
        return TableRecord(int(document["rows"]), columns)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{path}: not a record of `make init`; delete it, and it is written anew") from error


def _of_column(column: ColumnProfile, rows: int) -> ColumnRecord:
    lowest = highest = values = None
    if column.dates is not None:
        lowest, highest = column.dates.first.isoformat(), column.dates.last.isoformat()
    elif column.numbers is not None and not column.is_private:
        lowest, highest = column.numbers.quantiles[0], column.numbers.quantiles[-1]
    elif 0 < column.distinct <= MOST_VALUES and not column.is_private:
        values = tuple(sorted(item.value for item in column.values))
    filled = round(column.filled / rows, 4) if rows else 0.0
    form = column.form.value if column.form else None
    return ColumnRecord(column.type, form, filled, column.distinct, values, lowest, highest)


def _column(fields: dict[str, Any]) -> ColumnRecord:
    values = fields.get("values")
    return ColumnRecord(**{**fields, "form": fields.get("form"), "values": None if values is None else tuple(values)})


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
