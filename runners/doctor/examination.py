"""Checks before you spend money: `python -m runners.vertex_jobs doctor`. Changes nothing and reads no row."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline.settings.dataset_folder import DatasetFolder
from runners.doctor import access, champion, data, images, places
from runners.doctor.findings import Case, Finding, attempt, warning
from runners.doctor.settings import check_compiled_job, check_settings
from runners.vertex.kinds import SCORING, TRAINING, PipelineKind
from runners.vertex.settings import VertexSettings

if TYPE_CHECKING:
    from runners.vertex.clients import Clients

Check = Callable[[Case], Iterable[Finding]]

_HERE: dict[str, Check] = {
    "settings": check_settings,
    "compiled job": check_compiled_job,
    "regions": places.check_regions,
}
_CLOUD: dict[str, Check] = {  # these need credentials
    "APIs": access.check_apis,
    "permissions": access.check_permissions,
    "accounts": access.check_accounts,
    "buckets": places.check_buckets,
    "data sets": places.check_data_sets,
    "images": images.check_images,
    "query": data.check_query,
}
_SCORING: dict[str, Check] = {"champion": champion.check_champion}  # of the scoring pipeline alone, as well
_UNCHECKED = "Not checked: quotas, networks, and roles through groups or on single resources."


def run_doctor(
    folder: DatasetFolder,
    settings: VertexSettings,
    *,
    clients: Clients,
    settings_file: Path | None = None,
    out: TextIO | None = None,
    kind: PipelineKind = TRAINING,
) -> int:
    """Runs every check and prints a line for each finding.

    Args:
        folder: the data set.
        settings: the settings of Vertex AI.
        clients: clients for Google's services.
        settings_file: the file of the settings. A job that was compiled before its last change is a problem.
        out: where the lines go; None means standard output.
        kind: which pipeline.

    Returns:
        The exit code: 1 if there is a problem, else 0.
    """
    out = out or sys.stdout
    levels = []
    for name, finding in examine(Case(folder, settings, clients, settings_file, kind)):
        levels.append(finding.level)
        print(f"{finding.level:<8} {name}: {finding.text}", file=out, flush=True)
    problems, warnings = levels.count("problem"), levels.count("warning")
    print(f"\n{problems} problem(s), {warnings} warning(s). {_UNCHECKED}", file=out)
    return 1 if problems else 0


def examine(case: Case) -> Iterator[tuple[str, Finding]]:
    """Each check's name with each of its findings. Every check runs, whatever the others find."""
    for name, check in _HERE.items():
        yield from ((name, finding) for finding in attempt(check, case))
    found = list(attempt(access.check_credentials, case))
    yield from (("credentials", finding) for finding in found)
    usable = all(finding.level != "problem" for finding in found)
    for name, check in {**_CLOUD, **(_SCORING if case.kind is SCORING else {})}.items():
        findings = attempt(check, case) if usable else [warning("not checked: there are no credentials")]
        yield from ((name, finding) for finding in findings)
