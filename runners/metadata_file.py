"""Looks at ML Metadata's SQLite file before anything relies on it. Needs no TFX."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
from pathlib import Path
from urllib.parse import quote

from models.config import SettingsError
from runners import failures
from runners.local_home import LocalHome


def last_execution(home: LocalHome) -> int:
    """The highest execution id that the metadata knows; 0 if the file does not exist or is empty.

    Raises:
        SettingsError: the file is damaged, is not one of ML Metadata, or cannot be read.
    """
    path = home.metadata
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return 0
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:
            [[found]] = connection.execute("PRAGMA quick_check(1)").fetchall()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            problem = None if found == "ok" else found
            if problem is None and not tables:
                return 0
            if problem is None and "Execution" not in tables:
                problem = "it has no table 'Execution'"
            if problem is None:
                return connection.execute("SELECT COALESCE(MAX(id), 0) FROM Execution").fetchone()[0]
    except sqlite3.OperationalError as error:
        if failures.is_disk_full(error):
            raise SettingsError(failures.reason(error, home.folder)) from error
        problem = str(error)
    except sqlite3.DatabaseError as error:
        problem = str(error)
    raise SettingsError(
        f"{path} is damaged ({problem.splitlines()[-1]}). Nothing was run, and the models in {home.serving} are "
        f"untouched. Restore the file from a backup, or move it away (mv '{path}' '{path}.damaged') and run the "
        "pipeline again: it starts a new file and adopts the model in the serving folder as the champion."
    )


def set_aside(home: LocalHome, last: int) -> Path | None:
    """Moves away artifacts that the metadata does not know, since new executions would get their folders.

    Args:
        home: the data set's folder.
        last: the highest execution id that the metadata knows; artifacts of later ones are unknown to it.

    Returns:
        The folder where they are now; None if there were none.
    """
    root = Path(home.artifacts)
    unknown = [
        folder
        for pattern in ("*/*/*", "*/.system/executor_execution/*")  # by component and output; TFX's own files
        for folder in root.glob(pattern)
        if folder.name.isascii() and folder.name.isdigit() and int(folder.name) > last
    ]
    if not unknown:
        return None
    aside = home.folder / f"artifacts-unknown-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    for folder in unknown:
        target = aside / folder.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    return aside


def models_aside(home: LocalHome) -> list[Path]:
    """Folders of SelectModel's Models that were set aside, the newest first."""
    found = home.folder.glob("artifacts-unknown-*/SelectModel/model/*")
    return sorted((path for path in found if path.is_dir()), key=lambda path: path.stat().st_mtime, reverse=True)
