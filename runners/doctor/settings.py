"""Checks what is on this machine: the settings and the compiled job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runners.doctor.findings import Case, Finding, listed, ok, problem, warning
from runners.vertex.compiled import read_job

# The placeholders in vertex.yaml as delivered.
_PLACEHOLDER = re.compile(r"\bmy-(project|bucket|network|subnetwork|ring|key)\b|\b(analytics_)?123456789\b")


def check_settings(case: Case) -> Iterator[Finding]:
    """Finds values left as delivered, and values that are allowed but rarely meant."""
    settings = case.settings
    left = [key for key, text in _texts(settings.model_dump(mode="json")) if _PLACEHOLDER.search(text)]
    if left:
        yield problem(f"{listed(left)}: still a placeholder; write your own value in the settings")
    else:
        yield ok("no placeholder is left")
    if settings.service_account is None:
        yield warning(
            "service_account is not set: steps run as Compute Engine's default account, which has broad permissions"
        )
    if settings.dataflow and settings.dataflow.service_account is None and settings.service_account:
        yield warning(
            "dataflow.service_account is not set: workers run as service_account, which has more permissions than they "
            "need"
        )
    for key, image in case.images.items():
        if image.endswith(":latest") or ":" not in image.rpartition("/")[2]:
            yield warning(f"{key} is {image}: name a tag or a digest, so that you can trace runs to their code")


def check_compiled_job(case: Case) -> Iterator[Finding]:
    """Checks that the compiled job exists and fits the settings."""
    path = case.kind.compiled(case.folder, case.settings)
    read_job(case.folder, case.settings, case.settings_file or path, case.kind)
    yield ok(f"{path} fits the settings")


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each string in nested settings, with its dotted key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, str):
        yield key, value
