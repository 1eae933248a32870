"""The rows of a text file: which one cannot be read, and a copy that DuckDB reads. No message shows a value."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from pipeline.warehouse.duckdb.csv_header import MAX_FIELD, Layout
from pipeline.warehouse.interface import WarehouseError


def rewrite(path: Path, target: Path, layout: Layout) -> int:
    """Writes a file again: header first, every field quoted, rows ended alike, none without a value.

    Returns:
        The bytes of the longest row.

    Raises:
        WarehouseError: a row cannot be read; the message begins with its number. Row 1 is the header, and rows without
            a value do not count.
    """
    width = len(layout.names)
    number = 1
    rows = _rows(path, layout)
    with target.open("w", encoding="utf-8", newline="") as file:
        lines = _Lines(file)
        writer = csv.writer(lines, delimiter=layout.delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(layout.names)
        try:
            next(rows)
            for number, row in enumerate(rows, start=2):
                if any(row[width:]) or len(row) < width - layout.unnamed:
                    raise WarehouseError(_width_problem(number, row, layout))
                writer.writerow(row if len(row) == width else [*row[:width], *[""] * (width - len(row))])
        except csv.Error as error:
            if "NUL" in str(error):
                raise WarehouseError(f"row {number + 1} holds a zero byte; remove it") from None
            raise WarehouseError(
                f"row {number + 1} has a quote that is not closed, or one within a quoted field that is not doubled "
                f'(""), or a field of over {MAX_FIELD:,} characters'
            ) from None
    return lines.longest


class _Lines:
    """A text file that keeps the length of the longest line."""

    def __init__(self, file: TextIO):
        self._file = file
        self.longest = 0

    def write(self, line: str) -> int:
        """Writes one line."""
        self.longest = max(self.longest, 4 * len(line))  # bytes of UTF-8, at most
        return self._file.write(line)


def _width_problem(number: int, row: Sequence[str], layout: Layout) -> str:
    if row[0].startswith("#") and len(row) < layout.header_fields:
        return f"row {number} has {len(row)} fields, the header {layout.header_fields}; it is a comment: delete it"
    few = len(row) < layout.header_fields
    advice = "complete it or delete it" if few else f"quote fields that hold {layout.delimiter!r}"
    return f"row {number} has {len(row)} fields, the header {layout.header_fields}; {advice}"


def _rows(path: Path, layout: Layout) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        for _ in range(layout.lines_above):
            file.readline()
        reader = csv.reader(file, delimiter=layout.delimiter, strict=True, skipinitialspace=layout.has_blanks)
        yield from filter(any, reader)
