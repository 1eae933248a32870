"""What the doctor examines, and what it finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse.interface import WarehouseError
from runners.vertex.errors import describe, handled
from runners.vertex.kinds import TRAINING, PipelineKind
from runners.vertex.settings import VertexSettings

if TYPE_CHECKING:
    from runners.vertex.clients import Clients


@dataclasses.dataclass(frozen=True)
class Finding:
    """One finding.

    Attributes:
        level: how bad it is. With a problem, a run would fail or exceed a limit.
        text: what was found, and what to do about it.
    """

    level: Literal["ok", "warning", "problem"]
    text: str


@dataclasses.dataclass(frozen=True)
class Case:
    """What is examined.

    Attributes:
        folder: the data set.
        settings: the settings of Vertex AI.
        clients: clients for Google's services.
        settings_file: the file of the settings, if known.
        kind: which pipeline.
    """

    folder: DatasetFolder
    settings: VertexSettings
    clients: Clients
    settings_file: Path | None = None
    kind: PipelineKind = TRAINING

    @property
    def images(self) -> dict[str, str]:
        """The images that the settings name, by dotted key."""
        named = {"image": self.settings.image}
        return {**named, "dataflow.image": self.settings.dataflow.image} if self.settings.dataflow else named


def ok(text: str) -> Finding:
    """A finding that needs no action."""
    return Finding("ok", text)


def warning(text: str) -> Finding:
    """A finding with which a run may fail, or could do better."""
    return Finding("warning", text)


def problem(text: str) -> Finding:
    """A finding with which a run would fail or exceed a limit."""
    return Finding("problem", text)


def listed(names: Iterable[str]) -> str:
    """The names in order, for a message."""
    return ", ".join(sorted(names))


def attempt(check: Callable[..., Iterable[Finding]], case: Case, *more: object) -> Iterator[Finding]:
    """The findings of a check. If the check fails, its error is a problem, and later checks still run."""
    try:
        yield from check(case, *more)
    except (SettingsError, WarehouseError) as error:
        for line in str(error).splitlines():
            yield problem(line)
    except handled() as error:
        yield problem(describe(error, project=case.settings.project, region=case.settings.region))
