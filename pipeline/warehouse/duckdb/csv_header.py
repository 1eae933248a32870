"""The header of a text file: which delimiter separates the columns, and what they are called."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.settings.source import TableSource
from pipeline.warehouse.duckdb.names import find_twice, numbered
from pipeline.warehouse.interface import WarehouseError

DELIMITERS = (",", ";", "\t", "|")
#: Delimiters of a file in which none of the usual ones fits; \x01 is Hive's.
RARE_DELIMITERS = ("^", "~", "\x01", "\x1f", "¦", ":")
#: Rows below the header by which the delimiter is chosen.
SAMPLE_ROWS = 50
#: The share of these rows that must have as many fields as the header for a delimiter to count.
MIN_FITTING_SHARE = 0.5
#: Characters of a file that are read for its header and the rows below it.
MAX_HEADER = 4_000_000
#: Characters of the longest field. Behind a quote that is not closed, the rest of the file would be one field.
MAX_FIELD = 16_000_000
SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?\s*$', re.IGNORECASE)  # Excel's first line
_NOTHING = re.compile(r"[\s,;|\ufeff]*")
_YEAR = re.compile(r"(19|20)\d\d")
_BLANKS_AND_QUOTE = re.compile(r' +"')
_TIE_ORDER = ("\t", "|", ";", ",")  # commas occur within texts and numbers most often


@dataclasses.dataclass(frozen=True)
class Layout:
    """How to read a text file.

    Attributes:
        delimiter: one character.
        names: of all columns, each one other.
        unnamed: the number of columns at the end of `names` that the header does not name. Each row ends in delimiters.
        header_fields: fields of the header.
        lines_above: lines above the header.
        has_blanks: whether blanks stand between delimiters and quotes.
        is_mixed: whether the lines down to the header end in different ways.
        first_rows: some rows below the header, in which each row has a field of each column.
    """

    delimiter: str
    names: tuple[str, ...]
    unnamed: int = 0
    header_fields: int = 0
    lines_above: int = 0
    has_blanks: bool = False
    is_mixed: bool = False
    first_rows: Sequence[Sequence[str]] = ()


def read_layout(path: Path, source: TableSource, shown: Path) -> Layout:
    """The layout of a text file, from its first rows.

    Args:
        path: the file, in UTF-8.
        source: whether the delimiter is set, and what to do with repeated names.
        shown: the file's name for messages.

    Raises:
        WarehouseError: the file is empty, or its first row does not name the columns.
    """
    lines, is_cut = _first_lines(path)
    above = _first_filled(lines, 0)
    separator = SEPARATOR_LINE.match(lines[above]) if above < len(lines) else None
    if separator:
        above = _first_filled(lines, above + 1)
    if above == len(lines):
        raise WarehouseError(f"{shown}: row 1 is empty; it must name the columns")
    sample = _Sample(lines[above:], is_cut)
    delimiter = source.delimiter or (separator[1] if separator else _best_delimiter(sample, shown))
    rows = sample.rows(delimiter)
    if not rows:
        raise WarehouseError(f"{shown}: row 1 has a quote that is not closed; it must name the columns")
    names = [name.strip() for name in rows[0]]
    if sample.lines[0].startswith("#") and len(rows) > 1 and sample.fitting_share(delimiter) < MIN_FITTING_SHARE:
        new = shlex.quote(str(shown.with_name(f"{shown.name.split('.')[0]}-clean.csv")))
        raise WarehouseError(
            f"{shown}: row 1 begins with # and is no header; delete the comments: grep -v '^#' "
            f"{shlex.quote(str(shown))} > {new}"
        )
    width = _width(rows, delimiter, shown)
    named = _named(names)
    names = names[:named] + [""] * (width - named)
    _check_names(names[:named], source, shown)
    return Layout(
        delimiter,
        tuple(numbered(names)),
        unnamed=width - named,
        header_fields=len(rows[0]),
        lines_above=above,
        has_blanks=delimiter in sample.blanks,
        is_mixed=len({line[len(line.rstrip("\r\n")) :] for line in lines[: above + sample.header_lines]}) > 1,
        first_rows=[row for row in itertools.takewhile(lambda row: len(row) == width, rows[1:])],
    )


class _Sample:
    """The first rows of a file, by delimiter."""

    def __init__(self, lines: Sequence[str], is_cut: bool):
        self.lines = lines
        self.blanks: set[str] = set()
        self.header_lines = 1  # of the last delimiter
        self._is_cut = is_cut
        self._rows: dict[str, list[list[str]]] = {}

    def rows(self, delimiter: str) -> list[list[str]]:
        """The header and some rows, up to the first that cannot be read. Nothing if this is the header."""
        if delimiter not in self._rows:
            rows = self._read(delimiter)
            if any(_BLANKS_AND_QUOTE.match(cell) for row in rows for cell in row):
                self.blanks.add(delimiter)
                rows = self._read(delimiter, skipinitialspace=True)
            self._rows[delimiter] = rows
        return self._rows[delimiter]

    def fitting_share(self, delimiter: str) -> float:
        """The share of the rows that have the fields of the header, empty ones at the end aside."""
        header, *rows = self.rows(delimiter)
        most, least = len(header), _named([name.strip() for name in header])
        fitting = [least <= len(row) and not any(row[most:]) for row in rows]
        return sum(fitting) / len(fitting) if fitting else 1.0

    def _read(self, delimiter: str, **options: bool) -> list[list[str]]:
        csv.field_size_limit(MAX_FIELD)
        rows: list[list[str]] = []
        reader = csv.reader(self.lines, delimiter=delimiter, strict=True, **options)
        try:
            for row in reader:
                rows += [row] if any(row) or (row and not rows) else []
                if len(rows) == 1:
                    self.header_lines = reader.line_num
                if len(rows) > SAMPLE_ROWS:
                    return rows
        except csv.Error:
            return rows
        return rows[:-1] if self._is_cut else rows


def _first_lines(path: Path) -> tuple[list[str], bool]:
    """The first lines of a file, and whether there is more."""
    lines: list[str] = []
    left = MAX_HEADER
    with path.open(encoding="utf-8-sig", newline="") as file:
        while left and len(lines) < 100 * SAMPLE_ROWS and (line := file.readline(left)):
            lines.append(line)
            left -= len(line)
        return lines, bool(file.read(1))


def _first_filled(lines: Sequence[str], start: int) -> int:
    """The place of the first line, from `start` on, that holds more than blanks and delimiters."""
    return next((place for place in range(start, len(lines)) if not _NOTHING.fullmatch(lines[place])), len(lines))


def _best_delimiter(sample: _Sample, shown: Path) -> str:
    """The delimiter by which the rows have the fields of the header. The largest number of fields decides."""
    present = [delimiter for delimiter in _TIE_ORDER if len((sample.rows(delimiter) or [[]])[0]) > 1]
    fitting = [delimiter for delimiter in present if sample.fitting_share(delimiter) >= MIN_FITTING_SHARE]
    if fitting and len(sample.rows(fitting[0])) > 1:
        return max(fitting, key=lambda delimiter: (sample.fitting_share(delimiter), len(sample.rows(delimiter)[0])))
    header = "".join(sample.lines[0].split('"')[::2])
    if not fitting:
        rare = [d for d in RARE_DELIMITERS if len((sample.rows(d) or [[]])[0]) > 1 and sample.fitting_share(d) == 1]
        if rare:
            return max(rare, key=lambda delimiter: len(sample.rows(delimiter)[0]))
    if not present:
        _refuse_aligned(sample, shown)
    return max(DELIMITERS, key=header.count)


def _refuse_aligned(sample: _Sample, shown: Path) -> None:
    """Raises WarehouseError if blanks separate the columns."""
    widths = {len(line.split()) for line in sample.lines[: SAMPLE_ROWS + 1] if line.strip()}
    if len(sample.lines) > 1 and len(widths) == 1 and widths != {1}:
        new = shlex.quote(str(shown.with_name(f"{shown.name.split('.')[0]}-columns.csv")))
        raise WarehouseError(
            f"{shown}: blanks separate its columns; write a delimiter instead: awk -v OFS=';' '{{$1=$1; print}}' "
            f"{shlex.quote(str(shown))} > {new}"
        )


def _width(rows: Sequence[Sequence[str]], delimiter: str, shown: Path) -> int:
    """The fields of each row. Rows may have more or fewer than the header if those are empty."""
    header, *others = rows
    width, named = len(header), _named([name.strip() for name in header])
    if not others or any(len(row) == width for row in others):
        return width
    most = max(len(row) for row in others)
    if any(len(row) != most for row in others) or most < named:
        return width  # loading names the row
    if any(any(row[width:]) for row in others):
        raise WarehouseError(
            f"{shown}: row 2 has {len(others[0])} fields by {delimiter!r}, row 1 has {width}; row 1 must name every "
            "column: delete what stands above the header, or name the column that has no name"
        )
    return most


def _check_names(names: Sequence[str], source: TableSource, shown: Path) -> None:
    """Refuses values in place of names, and, unless they are numbered, empty and repeated names."""
    data = _data_like(names)
    if data:
        raise WarehouseError(
            f"{shown}: row 1 holds a number in column {data}; it must name the columns. "
            "Add a header, or begin the name with a letter"
        )
    if source.repeated_names == "number" and any(names):
        return
    empty = next((place for place, name in enumerate(names or [""], start=1) if not name), None)
    if empty:
        raise WarehouseError(
            f"{shown}: row 1 has no name for column {empty}; name it, or set source.repeated_names: number in "
            f"dataset.yaml, which calls it column_{empty}"
        )
    twice = find_twice(names)
    if twice:
        raise WarehouseError(
            f"{shown}: row 1 names column {twice[1]} like column {twice[0]} (upper and lower case count as equal); "
            "rename one of them, or set source.repeated_names: number in dataset.yaml"
        )


def _named(names: Sequence[str]) -> int:
    """The number of columns up to the last one with a name."""
    return max((place for place, name in enumerate(names, start=1) if name), default=0)


def _data_like(names: Sequence[str]) -> int | None:
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
