"""CSV files: what their header says, and which row cannot be read. No message holds what a row contains."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.warehouse.interface import WarehouseError

DELIMITERS = (",", ";", "\t", "|")


def find_delimiter(path: Path) -> str:
    """The delimiter of a CSV file, from its header.

    Raises:
        WarehouseError: the file is empty or not UTF-8, or its first row holds no column names.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline()
    except UnicodeDecodeError:
        raise WarehouseError(f"{path}: row 1 is not UTF-8; save the file as UTF-8") from None
    if not line.strip():
        raise WarehouseError(f"{path}: row 1 is empty; it must hold the names of the columns")
    delimiter = max(DELIMITERS, key=line.count)
    names = next(csv.reader([line], delimiter=delimiter))
    unnamed = [place for place, name in enumerate(names, start=1) if not name.strip() or _is_number(name)]
    if unnamed:
        raise WarehouseError(
            f"{path}: row 1 has no name for column {unnamed[0]}; it must hold the names of all columns, not data"
        )
    lower = [name.strip().lower() for name in names]
    twice = [place for place, name in enumerate(lower, start=1) if name in lower[: place - 1]]
    if twice:
        raise WarehouseError(f"{path}: row 1 names column {twice[0]} like an earlier one; each needs a name of its own")
    return delimiter


def find_bad_row(path: Path, delimiter: str) -> str | None:
    """What is wrong with the first row that cannot be read, with its number, or None. Rows count from 1, the header."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter, strict=True)
        width = len(next(rows))
        number = 1
        try:
            for number, row in enumerate(rows, start=2):
                if any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
                    return f"row {number} is not UTF-8; save the file as UTF-8"
                if row and len(row) != width:
                    return (
                        f"row {number} has {len(row)} fields, the header {width}; quote fields that hold {delimiter!r}"
                    )
        except csv.Error:
            return f"row {number + 1} has a quote that is not closed or stands in the middle of a field"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
