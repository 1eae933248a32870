"""Digests of what a step computes with, so that TFX's cache tells the truth.

TFX hashes the content of a `module_file` only; a dotted `run_fn` or `preprocessing_fn` never changes its cache key. So
each component of ours carries a digest of the sources and requirements it depends on in its execution properties.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

# The libraries whose versions change what a step computes.
_LIBRARIES = ("tfx", "tensorflow", "keras", "tensorflow-transform", "apache-beam", "xgboost-cpu", "duckdb", "sqlglot")

_SOURCES = (".py", ".j2", ".css", ".json")


def code_digest(*modules: str) -> str:
    """SHA-256 over the sources of modules and packages (all files below) and the installed library versions.

    Args:
        modules: dotted names, such as `preprocessing` or `models`; nothing is imported.

    Returns:
        The first 16 hexadecimal digits.
    """
    digest = hashlib.sha256(_library_versions().encode())
    for module in modules:
        for file in _sources(module):
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def text_digest(*texts: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _sources(module: str) -> Iterable[Path]:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module '{module}'")
    if spec.submodule_search_locations:
        return sorted(path for path in Path(spec.origin).parent.rglob("*") if path.suffix in _SOURCES)
    return [Path(spec.origin)]


@functools.cache
def _library_versions() -> str:
    return ",".join(f"{name}=={metadata.version(name)}" for name in _LIBRARIES)
