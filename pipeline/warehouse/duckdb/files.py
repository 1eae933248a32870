"""The files that DuckDB reads: daily tables `events_20240131.parquet` in a folder, or the files of one table."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.listing import listed
from pipeline.warehouse.duckdb.compressed_files import COMPRESSED_SUFFIXES, refusal_by_name
from pipeline.warehouse.duckdb.quoting import quote
from pipeline.warehouse.interface import WarehouseError

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".psv", ".txt")
_NAMES = ".csv, .tsv, .txt or .parquet (a text file may be compressed, such as .csv.gz)"
_VALUE_FIELDS = {"string_value": "VARCHAR", "int_value": "BIGINT", "float_value": "DOUBLE", "double_value": "DOUBLE"}
_TABLE_NAME = r"(?:(?:intraday|fresh)_)?[0-9]{8}"
# A shard's number is that of BigQuery's extracts (12 digits, after what was written before the *) or of Spark's parts.
_SHARD = r"[-_.]?[0-9]{12}|[-_.](?:part-?|shard-?)?[0-9]+(?:-of-[0-9]+)?"
_DAILY_FILE = re.compile(rf"(?P<table>{_TABLE_NAME})(?:{_SHARD})?(?:\.(?:snappy|zstd|gz))?\.parquet", re.IGNORECASE)


def daily_files(folder: Path, prefix: str) -> dict[str, tuple[Path, ...]]:
    """The daily tables of a folder: the files of each by the table's name after `prefix`, sorted.

    A day may come in several files, as BigQuery's extracts of large tables do: `events_20251001-000000000000.parquet`.
    A file whose name is not understood stands under its own name, so that a message can list it.

    Raises:
        WarehouseError: there is no such folder, or no file in it begins with `prefix`.
    """
    if not folder.is_dir():
        raise WarehouseError(f"{folder}: no such folder; it must hold daily tables {prefix}YYYYMMDD.parquet")
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"{glob.escape(prefix)}*")):
        name = path.name.removeprefix(prefix)
        match = _DAILY_FILE.fullmatch(name)
        files.setdefault(match["table"] if match and path.is_file() else name, []).append(path)
    if not files:
        held = sorted(path.name for path in folder.iterdir())
        raise WarehouseError(
            f"{folder}: no daily table in it; files must be named {prefix}YYYYMMDD.parquet, and the folder holds "
            f"{listed(held, 5) or 'nothing'}"
        )
    return {name: tuple(files[name]) for name in sorted(files)}


def fingerprint(path: Path) -> str:
    """Size and modification time of a file."""
    status = path.stat()
    return f"{status.st_size}-{status.st_mtime_ns}"


def events_sql(tables: Mapping[str, Sequence[Path]], prefix: str) -> str:
    """A SELECT of the union of daily tables, with the `_TABLE_SUFFIX` of a wildcard table of BigQuery.

    Args:
        tables: daily_files, or some of them.
        prefix: as in daily_files.
    """
    paths = ", ".join(quote(path) for files in tables.values() for path in files)
    name = "PARSE_FILENAME(filename, true)"
    if all(path.stem == f"{prefix}{suffix}" for suffix, files in tables.items() for path in files):
        suffix = f"SUBSTR({name}, {len(prefix) + 1})"
    else:
        suffix = f"REGEXP_EXTRACT({name}, {quote(f'^{re.escape(prefix)}({_TABLE_NAME})')}, 1)"
    return f"SELECT *, {suffix} AS _TABLE_SUFFIX FROM read_parquet([{paths}], union_by_name = true)"


def with_value_fields(sql: str, kind: str) -> str:
    """The events with every value field in event_params, NULL where the files do not have it.

    Args:
        sql: events_sql.
        kind: DuckDB's type of event_params, such as `STRUCT("key" VARCHAR, "value" STRUCT(int_value BIGINT))[]`.
    """
    _, found, value = kind.partition('"value" STRUCT(')
    absent = {name: type_ for name, type_ in _VALUE_FIELDS.items() if not re.search(rf"\b{name}\b", value)}
    if not found or not absent:
        return sql
    added = ", ".join(f"{name} := CAST(NULL AS {type_})" for name, type_ in absent.items())
    value = f"CASE WHEN p.value IS NOT NULL THEN STRUCT_INSERT(p.value, {added}) END"
    completed = f"LIST_TRANSFORM(event_params, lambda p: STRUCT_PACK(key := p.key, value := {value}))"
    return f"SELECT * REPLACE ({completed} AS event_params) FROM ({sql})"


def is_text(path: Path) -> bool:
    """Whether a file is text by its name, compressed or not."""
    name = path.name.lower()
    suffix = next((suffix for suffix in COMPRESSED_SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix).endswith(TEXT_SUFFIXES)


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet by its name."""
    return path.suffix.lower() == ".parquet"


def table_files(path: Path) -> list[Path]:
    """The files of one table: a text or Parquet file, or the files of a folder, which are all of one of these kinds.

    Raises:
        WarehouseError: there is no such file, or it is neither text nor Parquet.
    """
    if path.is_dir():
        return _folder_files(path)
    if not path.is_file():
        raise WarehouseError(f"{path}: no such file; name the table as CSV or Parquet, or a folder of such files")
    problem = refusal_by_name(path)
    if problem:
        raise WarehouseError(f"{path}: {problem}")
    if not is_text(path) and not is_parquet(path):
        raise WarehouseError(f"{path}: neither CSV nor Parquet by its name; it must end in {_NAMES}")
    return [path]


def _folder_files(folder: Path) -> list[Path]:
    """The files of a folder, sorted. Names that begin with . or _ are those of the program that wrote it."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith((".", "_")))
    parquet, text = [list(filter(kind, files)) for kind in (is_parquet, is_text)]
    if parquet and text:
        raise WarehouseError(
            f"{folder}: the folder holds {parquet[0].name} and {text[0].name}; name one of the files, or leave only "
            "those of the table in it"
        )
    for file in files:
        problem = refusal_by_name(file)
        if problem and not parquet and not text:
            raise WarehouseError(f"{file}: {problem}")
    if not parquet and not text:
        raise WarehouseError(
            f"{folder}: no .parquet file and no text file in this folder; the names of a table's files end in {_NAMES}"
        )
    return parquet or text


def table_fingerprint(files: Sequence[Path]) -> str:
    """Changes when a file of the table does, or when one comes or goes."""
    if len(files) == 1:
        return fingerprint(files[0])
    names = "\n".join(f"{path.name} {fingerprint(path)}" for path in files)
    return hashlib.sha256(names.encode()).hexdigest()
