"""CSV files: what their header says, and which row cannot be read. No message shows what a row contains."""

from __future__ import annotations

import csv
import io
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.warehouse.interface import WarehouseError

DELIMITERS = (",", ";", "\t", "|")
MAX_HEADER_BYTES = 4_000_000
_YEAR = re.compile(r"(19|20)\d\d")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_header(path: Path) -> tuple[str, list[str]]:
    """The delimiter and the column names of a CSV file, from its first row.

    Raises:
        WarehouseError: the file is empty or not UTF-8, or its first row does not name the columns.
    """
    text = _first_row(path)
    delimiter = _delimiter_of(text)
    try:
        names = [
            name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        ]
    except csv.Error:
        raise WarehouseError(f"{path}: row 1 has a quote that is not closed; it must name the columns") from None
    for place, name in enumerate(names, start=1):
        if not name:
            raise WarehouseError(f"{path}: row 1 has no name for column {place}; it must name every column")
    data = _data_like(names)
    if data:
        raise WarehouseError(
            f"{path}: row 1 holds a number in column {data}; it must name the columns. "
            "Add a header, or begin the name with a letter"
        )
    twice = find_twice(names)
    if twice:
        raise WarehouseError(
            f"{path}: row 1 names column {twice[1]} like column {twice[0]} (upper and lower case count as equal); "
            "rename one of them"
        )
    return delimiter, names


def find_twice(names: Iterable[str]) -> tuple[int, int] | None:
    """The places, from 1, of the first two names that are equal but for case, or None."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        first = seen.setdefault(name.lower(), place)
        if first != place:
            return first, place
    return None


def find_bad_row(path: Path, delimiter: str) -> str | None:
    """What is wrong with the first row that cannot be read, with its number, or None. Row 1 is the header."""
    number = 1
    rows = _rows(path, delimiter)
    try:
        width = len(next(rows))
        for number, row in enumerate(rows, start=2):
            if any("\udc80" <= character <= "\udcff" for cell in row for character in cell):
                return f"row {number} is not UTF-8; save the file as UTF-8"
            if row and len(row) != width:
                return f"row {number} has {len(row)} fields, the header {width}; quote fields that hold {delimiter!r}"
    except csv.Error:
        return f"row {number + 1} has a quote that is not closed or stands in the middle of a field"
    return None


def normalise(path: Path, target: Path, delimiter: str) -> int:
    """Writes a file again that find_bad_row accepts: every field quoted, rows ended alike, no empty rows.

    Returns:
        The bytes of the longest row.
    """
    longest = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        for row in filter(None, _rows(path, delimiter)):
            line = delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n"
            longest = max(longest, len(line.encode()))
            file.write(line)
    return longest


def _first_row(path: Path) -> str:
    """The text of the first row, which may go over several lines within quotes."""
    with path.open("rb") as file:
        raw = file.readline(MAX_HEADER_BYTES)
        if raw.startswith(_UTF16):
            raise WarehouseError(f"{path}: the file is UTF-16; save it as UTF-8")
        while raw.count(b'"') % 2 and len(raw) < MAX_HEADER_BYTES:
            more = file.readline(MAX_HEADER_BYTES - len(raw))
            if not more:
                break
            raw += more
    if b"\n" not in raw and b"\r" in raw:  # rows that end as on old Macs
        raw = raw.split(b"\r", 1)[0]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WarehouseError(f"{path}: row 1 is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise WarehouseError(f"{path}: row 1 is empty; it must name the columns")
    return text


def _delimiter_of(text: str) -> str:
    """The delimiter that occurs most often outside quotes; a comma where there is none."""
    outside = "".join(text.split('"')[::2])
    return max(DELIMITERS, key=outside.count)


def _data_like(names: list[str]) -> int | None:
    """The place, from 1, of a number that is likely a value and not a name. Years and 1, 2, 3, ... can be names."""
    numbers = {place: name for place, name in enumerate(names, start=1) if _is_number(name)}
    if not numbers:
        return None
    if len(numbers) < len(names):
        values = [int(name) for name in numbers.values() if name.isdecimal() and not _YEAR.fullmatch(name)]
        rest = [place for place, name in numbers.items() if not name.isdecimal()]
        counted = len(values) != 1 and all(after - before == 1 for before, after in itertools.pairwise(values))
        if not rest and counted:
            return None
    return min(numbers)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip("+-").lower() not in ("inf", "infinity", "nan")


def _rows(path: Path, delimiter: str) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield from csv.reader(file, delimiter=delimiter, strict=True)
