"""What a file holds by its first bytes: compressed text is unpacked, and what is no text is refused."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import shlex
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.warehouse.interface import WarehouseError

COMPRESSED_SUFFIXES = (".gz", ".bz2", ".zst", ".xz")
CHUNK_BYTES = 1 << 20
_ZIP = b"PK\x03\x04"
_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": lambda path: pa.input_stream(str(path), compression="zstd"),
}
_OTHERS = {
    b"PAR1": "it is a Parquet file; let its name end in .parquet",
    b"\xd0\xcf\x11\xe0": "it is an Excel workbook; save the sheet as 'CSV UTF-8'",
    b"SQLite format 3": "it is a SQLite database; export the table as CSV",
    b"ORC": "it is an ORC file; save the table as Parquet",
    b"Obj\x01": "it is an Avro file; save the table as Parquet",
}
_SPREADSHEETS = (".xls", ".xlsx", ".xlsm", ".xlsb", ".ods", ".numbers")
_DAMAGE = (OSError, EOFError, lzma.LZMAError, zlib.error, pa.ArrowException)


def refusal_by_name(path: Path) -> str | None:
    """What to do about a file whose name says that it is an archive or a spreadsheet, or None."""
    suffix = path.suffix.lower()
    if suffix == ".zip":
        target = (
            path.with_suffix("") if path.stem.lower().endswith((".csv", ".tsv", ".txt")) else path.with_suffix(".csv")
        )
        return f"a zip archive; unpack its file first: unzip -p {shlex.quote(str(path))} > {shlex.quote(str(target))}"
    if suffix in _SPREADSHEETS:
        return "a spreadsheet; save the sheet as 'CSV UTF-8'"
    return None


def unpacked(path: Path, scratch: Path) -> Path:
    """The file itself, or an unpacked copy of a compressed one. Its first bytes decide, not its name.

    Args:
        path: a text file, perhaps compressed.
        scratch: a folder for the copy.

    Raises:
        WarehouseError: the file is damaged, or is an archive, a workbook or another format.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(_ZIP):
        name = shlex.quote(str(path))
        raise WarehouseError(
            f"{path}: it holds a zip archive or an Excel workbook; unpack it (unzip -p {name} > <new file>), or "
            "save the sheet as 'CSV UTF-8'"
        )
    for magic, problem in _OTHERS.items():
        if start.startswith(magic):
            raise WarehouseError(f"{path}: {problem}")
    opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
    if opener is None:
        return path
    copy = scratch / "unpacked.csv"
    try:
        with contextlib.closing(opener(path)) as packed, copy.open("wb") as target:
            shutil.copyfileobj(packed, target, CHUNK_BYTES)
    except _DAMAGE as error:
        copy.unlink(missing_ok=True)
        full = isinstance(error, OSError) and error.errno is not None
        problem = f"{error.strerror} at {scratch}" if full else "compressed, and incomplete or damaged"
        raise WarehouseError(f"{path}: {problem}") from error
    return copy
