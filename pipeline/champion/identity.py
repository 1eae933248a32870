"""What the score table says of the model that scored: its version, and a digest of its files."""

from __future__ import annotations

import hashlib
import os

from tfx import types
from tfx.dsl.io import fileio

_RESOURCE = "projects/"  # how names of artifacts on Vertex AI begin
_BLOCK = 2**20  # bytes that are read at a time


def model_version(model: types.Artifact) -> str:
    """The Model artifact's id in ML Metadata; on Vertex AI, where ids mean nothing, its resource name."""
    return model.name if model.name.startswith(_RESOURCE) else str(model.id)


def model_digest(folder: str) -> str:
    """SHA-256 over the files of a SavedModel, in the order of their paths: path, size and content of each.

    Args:
        folder: the SavedModel's folder. A copy of it elsewhere has the same digest.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    paths = [f"{place}/{name}" for place, _, names in fileio.walk(folder) for name in names]
    relative = {os.path.relpath(path, folder).replace(os.sep, "/"): path for path in paths}
    for name in sorted(relative):
        content = hashlib.sha256()
        with fileio.open(relative[name], "rb") as file:
            while block := file.read(_BLOCK):
                content.update(block)
        digest.update(f"{name}\0{content.hexdigest()}\n".encode())
    return digest.hexdigest()
