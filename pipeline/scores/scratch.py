"""A DuckDB of its own for work on files of scores. It spills to disk, so its memory does not grow with the rows."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from pipeline.scores.layout import ScoresError
from pipeline.warehouse.duckdb.errors import describe

_MEMORY_MB, _THREAD_MEMORY_MB = 120, 40  # enough to join and group any number of rows


@contextlib.contextmanager
def scratch_database() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Opens an empty database, and a folder for files that it is to read. Both are deleted at the end.

    Raises:
        ScoresError: DuckDB cannot read a file, or the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="propensity-scores-") as folder:
        config = {
            "temp_directory": folder,
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            "disabled_optimizers": "statistics_propagation",  # see ranking.py
        }
        try:
            with contextlib.closing(duckdb.connect(":memory:", config=config)) as connection:
                connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
                [(threads,)] = connection.execute("SELECT current_setting('threads')").fetchall()
                connection.execute(f"SET memory_limit = '{_MEMORY_MB + threads * _THREAD_MEMORY_MB}MB'")
                yield connection, Path(folder)
        except duckdb.Error as error:
            raise ScoresError(f"the scores cannot be summed up: {describe(error)}") from None
