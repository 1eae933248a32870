"""The encoding of a text file: found from all of its bytes, or set. DuckDB gets UTF-8."""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.warehouse.duckdb.compressed_files import CHUNK_BYTES
from pipeline.warehouse.duckdb.csv_header import DELIMITERS, MAX_FIELD, SEPARATOR_LINE
from pipeline.warehouse.interface import WarehouseError

_UTF8 = ("utf-8", "utf-8-sig", "ascii")
#: A file with more valid UTF-8 letters than this share of its other bytes beyond ASCII is broken UTF-8, not Western.
MAX_UTF8_SHARE = 0.1
#: Western text has its letters beyond ASCII one or two at a time. A file with a larger share of them in runs of three
#: and more is in another script.
MAX_RUN_SHARE = 0.25
_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF8_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_WITHOUT_ASCII = bytes(32 if code < 128 else code for code in range(256))  # for bytes.translate
_COMMON_LETTERS = "äöüßÄÖÜåÅéèàáíóúñç".encode("cp1252")  # a run of these alone does not speak against Western text
_UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # of Windows-1252
_BAD = "\udcff"  # stands for bytes that cannot be decoded; no decoder gives it
_SAMPLE_BYTES = 1 << 16
_SETTING = "source.encoding of dataset.yaml, or with make init in ENCODING="

_log = logging.getLogger("propensity")


def as_utf8(path: Path, encoding: str | None, scratch: Path, shown: Path) -> Path:
    """The file itself if it is UTF-8, or a copy that is.

    Without a set encoding, a byte-order mark decides; then whether the whole file is UTF-8; then whether it looks like
    Windows-1252, of which the log is told.

    Args:
        path: a text file, not compressed.
        encoding: the name of its encoding; None to find it.
        scratch: a folder for the copy.
        shown: the file's name for messages.

    Raises:
        WarehouseError: the file is not of the set encoding, or its encoding cannot be told; the message names the row.
    """
    with path.open("rb") as file:
        start = file.read(_SAMPLE_BYTES)
    mark = next((name for bom, name in _BOMS if start.startswith(bom)), None)
    codec = mark or (codecs.lookup(encoding).name if encoding else _utf16_without_mark(start))
    if codec is None:
        if _is_valid(path, "utf-8"):
            return path
        codec = _western(path, shown)
    elif not _is_valid(path, codec):
        problem = f"row {_first_bad_row(path, codec)} is not {codec.upper()}, the encoding of the file"
        advice = "mend the row" if mark else f"mend the row, or name another encoding in {_SETTING}"
        why = "by its byte-order mark" if mark else "in source.encoding" if encoding else "by its zero bytes"
        raise WarehouseError(f"{shown}: {problem} {why}; {advice}")
    elif not mark and encoding and codec not in _UTF8 and _is_valid(path, "utf-8") and not _is_valid(path, "ascii"):
        _log.warning("%s: the file is valid UTF-8, but is read as %s as source.encoding says", shown, encoding)
    return path if codec in _UTF8 else _encoded_again(path, codec, scratch)


def _western(path: Path, shown: Path) -> str:
    """Windows-1252, for a file that is not UTF-8. Says so in the log, or raises WarehouseError if it is unlikely."""
    row = _first_bad_row(path, "utf-8")
    if not _looks_western(path):
        name = shlex.quote(str(shown))
        raise WarehouseError(
            f"{shown}: row {row} is not UTF-8, and the file does not look like Windows-1252; mend the row, name the "
            f"file's encoding in {_SETTING} (such as cp949, shift_jis, gb18030, windows-1251), or "
            f"convert the file: iconv -f <encoding> -t UTF-8 {name} > <new file>"
        )
    _log.warning(
        "%s: row %d is not UTF-8, so the file is read as Windows-1252; set source.encoding in dataset.yaml "
        "(with make init: ENCODING=) to windows-1252, or to what it is",
        shown,
        row,
    )
    return "cp1252"


def _utf16_without_mark(start: bytes) -> str | None:
    """UTF-16 by its zero bytes: those of delimiters, digits and line ends all stand at even, or all at odd places."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    if max(even, odd) < 2 or min(even, odd) * 10 > max(even, odd):
        return None
    codec = "utf-16-be" if even > odd else "utf-16-le"
    try:
        codecs.getincrementaldecoder(codec)().decode(start)
    except UnicodeDecodeError:
        return None
    return codec


def _is_valid(path: Path, codec: str) -> bool:
    try:
        for _ in _decoded(path, codec):
            pass
    except UnicodeDecodeError:
        return False
    return True


def _looks_western(path: Path) -> bool:
    """Whether bytes beyond ASCII stand as they do in Windows-1252: no valid UTF-8, no long runs, none undefined."""
    letters, stray, in_runs, beyond = 0, 0, 0, 0
    for chunk in _chunks(path):
        runs = chunk.translate(_WITHOUT_ASCII).split()
        joined = b" ".join(runs)
        if _UNDEFINED.search(joined):
            return False
        rest, found = _UTF8_LETTER.subn(b"", joined)
        letters += found
        stray += len(rest) - rest.count(b" ")
        beyond += sum(map(len, runs))
        in_runs += sum(len(run) for run in runs if len(run) > 2 and run.strip(_COMMON_LETTERS))
    return letters <= stray * MAX_UTF8_SHARE and in_runs <= beyond * MAX_RUN_SHARE


def _first_bad_row(path: Path, codec: str) -> int:
    """The number of the first row that cannot be decoded; the header is row 1; rows without a value do not count."""
    codecs.register_error("propensity.mark", lambda error: (_BAD, getattr(error, "end", 1)))
    csv.field_size_limit(MAX_FIELD)
    is_found = False

    def lines() -> Iterator[str]:
        nonlocal is_found
        for line in file:
            is_found = _BAD in line
            yield line.replace("\0", "")
            if is_found:
                return

    with io.TextIOWrapper(path.open("rb"), encoding=codec, errors="propensity.mark", newline="") as file:
        first = file.readline()
        if not SEPARATOR_LINE.match(first):
            file.seek(0)
        delimiter = max(DELIMITERS, key=first.count)
        number = 0
        try:
            for row in csv.reader(lines(), delimiter=delimiter):
                number += any(row)
        except csv.Error:  # a quote that is not closed
            number += 1
    return max(number, 1)


def _encoded_again(path: Path, codec: str, scratch: Path) -> Path:
    copy = scratch / "utf8.csv"
    with copy.open("w", encoding="utf-8", newline="") as target:
        target.writelines(_decoded(path, codec))
    return copy


def _decoded(path: Path, codec: str) -> Iterable[str]:
    """The text of a file in pieces. Raises UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder(codec)()
    for chunk in _chunks(path):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
