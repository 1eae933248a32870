"""Says why a run failed, in words that name the way out."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from runners.signals import Interrupted

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# As the operating system, SQLite and DuckDB say it; libraries wrap these texts into errors of their own.
_DISK_FULL_TEXTS = ("no space left on device", "disk is full", "disk quota exceeded")


def reason(error: BaseException, output: Path) -> str:
    """The reason of a failure.

    Args:
        error: what was raised.
        output: the folder that the run writes to.

    Returns:
        A sentence that names the folder if a disk is full; else the error's text, or its type if it has none.
    """
    chain = list(_chain(error))
    if any(is_disk_full(found) for found in chain):
        return _disk_full([Path(str(found.filename)) for found in chain if getattr(found, "filename", None)], output)
    if isinstance(error, KeyboardInterrupt) and not isinstance(error, Interrupted):
        return "interrupted"
    return next((text for text in (str(found).strip() for found in chain) if text), type(error).__name__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that a disk or a quota is used up."""
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return True
    return any(text in str(error).lower() for text in _DISK_FULL_TEXTS)


def _disk_full(written: list[Path], output: Path) -> str:
    folders = [_existing(path) for path in (*written, output, Path(tempfile.gettempdir()))]
    fullest = min(folders, key=lambda folder: shutil.disk_usage(folder).free)
    return (
        f"no space left on the disk of {fullest} ({shutil.disk_usage(fullest).free / 2**20:,.0f} MiB free). Free some "
        "space and run again; components that have finished come from the cache."
    )


def _existing(path: Path) -> Path:
    """The path itself if it is a folder, else the folder above that exists."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path
