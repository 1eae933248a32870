"""The serving folder: numbered versions of the model in production. A server loads the highest number.

<serving>/<version>/              a SavedModel
<serving>/.incoming-<version>     a push that is in progress or was interrupted

A version never appears half written. On a file system, the push copies to `.incoming-<version>/` and renames that
folder when it is complete. Object stores cannot rename a folder in one step. There, `.incoming-<version>` is a marker,
and the push copies `saved_model.pb` last: servers need that file to load a version, and an object appears only when it
is whole.

A version's name is the second of its push, as in TFX's Pusher. If that number is not above all others (two pushes in
one second, or a version from a clock that ran ahead), the version gets the next number above them.
"""

from __future__ import annotations

import os
import re
import time

from tfx.dsl.io import fileio
from tfx.utils import io_utils

SAVED_MODEL = "saved_model.pb"

_VERSION = re.compile(r"[0-9]+")
_INCOMING = ".incoming-"
_ABANDONED_AFTER_S = 3600  # on an object store, where another run may be pushing
_CHUNK = 1 << 20


def newest(folder: str) -> str | None:
    """The folder of the highest version; None if there is no version."""
    return max(_versions(folder).items(), default=(0, None))[1]


def holds(folder: str, model: str) -> bool:
    """Whether the highest version is this model.

    Args:
        folder: the serving folder; it need not exist.
        model: folder of a SavedModel.

    Returns:
        True if each file of the model is in that version with the same content. Files that were added to the version,
        such as warm-up requests, do not count.
    """
    version = newest(folder)
    return version is not None and is_copy(version, model)


def is_copy(version: str, model: str) -> bool:
    """Whether a folder has each file of a SavedModel with the same content."""
    files = _files(model)
    return SAVED_MODEL in files and all(
        _same_content(os.path.join(model, name), os.path.join(version, name)) for name in files
    )


def push(folder: str, model: str) -> str:
    """Adds a model as the highest version.

    Files of an interrupted earlier push are removed first. If this push fails, its files are removed.

    Args:
        folder: the serving folder; it is made if it does not exist.
        model: folder of a SavedModel.

    Returns:
        The folder of the version.
    """
    fileio.makedirs(folder)
    remove_unfinished(folder)
    number = max([int(time.time()), *(n + 1 for n in _versions(folder)), *(n + 1 for n in _incoming(folder))])
    version, incoming = os.path.join(folder, str(number)), os.path.join(folder, f"{_INCOMING}{number}")
    try:
        if _is_object_store(folder):
            io_utils.write_string_file(incoming, "")
            io_utils.copy_dir(model, version, deny_regex_patterns=[rf"{re.escape(SAVED_MODEL)}$"])
            fileio.copy(os.path.join(model, SAVED_MODEL), os.path.join(version, SAVED_MODEL))
            fileio.remove(incoming)
        else:
            io_utils.copy_dir(model, incoming)
            fileio.rename(incoming, version)
    except BaseException:
        _remove(folder, number)
        raise
    return version


def remove_unfinished(folder: str) -> None:
    """Removes the files of an interrupted push.

    On an object store it does so only if the push began more than an hour ago, because another run may be pushing now.
    On a file system, the lock of the output folder keeps other runs away.
    """
    for number in _incoming(folder):
        if not _is_object_store(folder) or number < time.time() - _ABANDONED_AFTER_S:
            _remove(folder, number)


def _remove(folder: str, number: int) -> None:
    version, incoming = os.path.join(folder, str(number)), os.path.join(folder, f"{_INCOMING}{number}")
    if _is_object_store(folder):
        if fileio.exists(version) and not fileio.exists(os.path.join(version, SAVED_MODEL)):
            fileio.rmtree(version)
        if fileio.exists(incoming):
            fileio.remove(incoming)
    elif fileio.exists(incoming):
        fileio.rmtree(incoming)


def _versions(folder: str) -> dict[int, str]:
    """The folder of each version by its number."""
    return {int(name): os.path.join(folder, name) for name in _names(folder) if _VERSION.fullmatch(name)}


def _incoming(folder: str) -> list[int]:
    """The number of each push that is in progress or was interrupted."""
    names = [name[len(_INCOMING) :] for name in _names(folder) if name.startswith(_INCOMING)]
    return [int(name) for name in names if _VERSION.fullmatch(name)]


def _names(folder: str) -> list[str]:
    # Object stores list folders with a slash at the end.
    return [name.rstrip("/") for name in fileio.listdir(folder)] if fileio.isdir(folder) else []


def _files(folder: str) -> list[str]:
    """Paths of all files below a folder, relative to it."""
    return [
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, names in fileio.walk(folder)
        for name in names
    ]


def _same_content(one: str, other: str) -> bool:
    if not fileio.exists(other):
        return False
    with fileio.open(one, "rb") as left, fileio.open(other, "rb") as right:
        while True:
            chunk = left.read(_CHUNK)
            if chunk != right.read(_CHUNK):
                return False
            if not chunk:
                return True


def _is_object_store(folder: str) -> bool:
    return "://" in folder
