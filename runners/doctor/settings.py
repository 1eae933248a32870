"""The doctor looks at what is on this machine: the settings and the compiled job."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runners.doctor.findings import Case, Finding, listed, ok, problem, warning
from runners.vertex.compiled import read_job

# What vertex.yaml is delivered with.
_PLACEHOLDER = re.compile(r"\bmy-(project|bucket|network|subnetwork|ring|key)\b|\b(analytics_)?123456789\b")


def check_settings(case: Case) -> Iterator[Finding]:
    """Values left as they were delivered, and those that are allowed but rarely meant."""
    settings = case.settings
    left = [key for key, text in _texts(settings.model_dump(mode="json")) if _PLACEHOLDER.search(text)]
    if left:
        yield problem(f"{listed(left)}: still as delivered; name your own in the settings")
    else:
        yield ok("every value is one's own")
    if settings.service_account is None:
        yield warning("service_account is not set: steps run as Compute Engine's default account, which may do much")
    if settings.dataflow and settings.dataflow.service_account is None and settings.service_account:
        yield warning(
            "dataflow.service_account is not set: workers run as service_account, which may do more than they"
        )
    for key, image in case.images.items():
        if image.endswith(":latest") or ":" not in image.rpartition("/")[2]:
            yield warning(f"{key} is {image}: name a tag or a digest, so that runs can be traced to their code")


def check_compiled_job(case: Case) -> Iterator[Finding]:
    """The job that would be submitted: there, and of these settings."""
    path = case.settings.compiled(case.folder.name)
    read_job(case.folder, case.settings, case.settings_file or path)
    yield ok(f"{path}: of these settings")


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each text in nested settings, with its dotted key."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, str):
        yield key, value
