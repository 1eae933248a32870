"""Loads text files into a table of DuckDB, each cell as the text of the file."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.settings.source import TableSource
from pipeline.warehouse.duckdb.compressed_files import unpacked
from pipeline.warehouse.duckdb.csv_files import rewrite
from pipeline.warehouse.duckdb.csv_header import Layout, read_layout
from pipeline.warehouse.duckdb.quoting import quote, quote_name
from pipeline.warehouse.duckdb.text_encoding import as_utf8
from pipeline.warehouse.interface import WarehouseError

Run = Callable[[str], list[tuple[Any, ...]]]


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What has been loaded.

    Attributes:
        columns: the names of the columns.
        files: the files, in the order of their rows.
        starts: for each file, the rows before it.
        rows: of all files.
    """

    columns: list[str]
    files: Sequence[Path]
    starts: Sequence[int]
    rows: int

    def place(self, rowid: int) -> str:
        """How messages name a row of the table: by its number in its file, whose header is row 1."""
        part = bisect.bisect_right(self.starts, rowid) - 1
        number = rowid - self.starts[part] + 2
        return f"row {number}" if len(self.files) == 1 else f"row {number} of {self.files[part].name}"


def load(run: Run, files: Sequence[Path], source: TableSource, table: str, scratch: Path) -> Loaded:
    """Loads one text file, or several with the same columns.

    Args:
        run: executes SQL and returns its rows.
        files: the files; all have the same columns.
        source: how the files write what is missing, and the settings of their form.
        table: the table to make, quoted.
        scratch: a folder for copies of files that DuckDB cannot read as they are.

    Raises:
        WarehouseError: a file cannot be read; the message names the file, and the row or column.
    """
    columns: list[str] = []
    starts, rows = [], 0
    part = quote_name(f"part of {source.table}")
    for path in files:
        starts.append(rows)
        target = part if columns else table
        found = _load_file(run, path, source, target, scratch)
        if columns:
            odd = sorted(set(found) ^ set(columns))
            if odd:
                raise WarehouseError(
                    f"{path}: column '{odd[0]}' is not in every file of the folder; give all files the same columns"
                )
            listed = ", ".join(map(quote_name, columns))
            run(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {part}")
            run(f"DROP TABLE {part}")
        columns = columns or found
        ((rows,),) = run(f"SELECT COUNT(*) FROM {table}")
    if not rows:
        where = files[0] if len(files) == 1 else files[0].parent
        raise WarehouseError(f"{where}: the file holds a header and no rows")
    return Loaded(columns, files, starts, rows)


def _load_file(run: Run, path: Path, source: TableSource, table: str, scratch: Path) -> list[str]:
    """Loads one file and returns the names of its columns."""
    plain = unpacked(path, scratch)
    text = plain
    try:
        text = as_utf8(plain, source.encoding, scratch, path)
        layout = read_layout(text, source, path)
        _create(run, text, path, layout, source, table, scratch)
    finally:
        for copy in {plain, text} - {path}:
            copy.unlink(missing_ok=True)
    return _filled_columns(run, table, layout, path, source)


def _create(run: Run, text: Path, path: Path, layout: Layout, source: TableSource, table: str, scratch: Path) -> None:
    create = f"CREATE OR REPLACE TABLE {table} AS "
    try:
        if layout.is_mixed:  # DuckDB would take the lines above the header for one
            raise WarehouseError("lines end in different ways")
        run(create + _select(text, layout, source, f", skip = {layout.lines_above}"))
        if not _has_first_rows(run, table, layout, source):
            raise WarehouseError("rows are not read as they stand in the file")
    except WarehouseError:
        # A row that cannot be read; or rows that end in different ways, or one that is longer than DuckDB expects.
        copy = scratch / "rewritten.csv"
        try:
            longest = rewrite(text, copy, layout)
            run(create + _select(copy, layout, source, f", skip = 0, max_line_size = {longest + 1024}"))
        except WarehouseError as error:
            raise WarehouseError(f"{path}: {error}") from error
        finally:
            copy.unlink(missing_ok=True)


def _has_first_rows(run: Run, table: str, layout: Layout, source: TableSource) -> bool:
    """Whether DuckDB has read the first rows as Python does. Line ends of two kinds have led it astray."""
    missing = {"", *source.missing_values}
    written_rows = [row for row in layout.first_rows if set(row) - missing]
    found = run(f"SELECT * FROM {table} ORDER BY rowid LIMIT {len(written_rows)}")
    return len(found) == len(written_rows) and all(
        written in missing if cell is None else cell.strip() == written.strip()
        for row, cells in zip(written_rows, found, strict=True)
        for written, cell in zip(row, cells, strict=True)
    )


def _select(path: Path, layout: Layout, source: TableSource, more: str) -> str:
    columns = ", ".join(f"{quote(name)}: 'VARCHAR'" for name in layout.names)
    special = {'"', layout.delimiter, "\n", "\r"}
    # DuckDB does not take these as nullstr.
    unusual = [text for text in source.missing_values if special & set(text)]
    missing = ", ".join(quote(text) for text in ("", *source.missing_values) if text not in unusual)
    selected, cells = "*", ", ".join(map(quote_name, layout.names))
    if unusual:
        listed = ", ".join(map(quote, unusual))
        selected = ", ".join(
            f"CASE WHEN {name} NOT IN ({listed}) THEN {name} END AS {name}" for name in map(quote_name, layout.names)
        )
    return (
        f"SELECT {selected} FROM read_csv({quote(path)}, auto_detect = false, columns = {{{columns}}}, "
        f"delim = {quote(layout.delimiter)}, quote = '\"', escape = '\"', comment = '', header = true, "
        f"strict_mode = true, nullstr = [{missing}]{more}) WHERE COALESCE({cells}) IS NOT NULL"
    )


def _filled_columns(run: Run, table: str, layout: Layout, path: Path, source: TableSource) -> list[str]:
    """The columns of the table less those without a name, which must be empty."""
    named = list(layout.names[: len(layout.names) - layout.unnamed])
    for place, name in enumerate(layout.names[len(named) :], start=len(named) + 1):
        ((rowid,),) = run(f"SELECT MIN(rowid) FROM {table} WHERE {quote_name(name)} IS NOT NULL")
        if rowid is None:
            continue
        if place > layout.header_fields:
            raise WarehouseError(
                f"{path}: row {rowid + 2} has {len(layout.names)} fields, the header {layout.header_fields}; quote "
                f"fields that hold {layout.delimiter!r}"
            )
        if source.repeated_names == "refuse":
            raise WarehouseError(
                f"{path}: row 1 has no name for column {place}, and row {rowid + 2} has a value in it; name it, or set "
                f"source.repeated_names: number in dataset.yaml, which calls it {name}"
            )
        named.append(name)
    return named
