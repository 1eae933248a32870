"""Reads the files of days, which may lie on Cloud Storage."""

from __future__ import annotations

import hashlib
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

GCS = "gs://"
_BLOCK = 2**20


def content_digest(path: str) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with _opened(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def schema_of(path: str) -> pa.Schema:
    """The columns of a Parquet file."""
    with _opened(path) as file:
        return pq.read_schema(file)


def row_count(path: str) -> int:
    """The number of rows of a Parquet file."""
    with _opened(path) as file:
        return pq.read_metadata(file).num_rows


def _opened(path: str) -> IO[bytes]:
    if path.startswith(GCS):
        from tfx.dsl.io import fileio

        return fileio.open(path, "rb")
    return open(path, "rb")
