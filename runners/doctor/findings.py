"""What the doctor finds, and what it looks at."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse.interface import WarehouseError
from runners.vertex.errors import describe, handled
from runners.vertex.settings import VertexSettings

if TYPE_CHECKING:
    from runners.vertex.clients import Clients


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        level: how bad it is; with a problem, a run would fail or cost more than it may.
        text: what was found, and what to do about it.
    """

    level: Literal["ok", "warning", "problem"]
    text: str


@dataclasses.dataclass(frozen=True)
class Case:
    """What is examined.

    Attributes:
        folder: the data set.
        settings: where and with what it runs.
        clients: of Google's services.
        settings_file: from which the settings were read, if known.
    """

    folder: DatasetFolder
    settings: VertexSettings
    clients: Clients
    settings_file: Path | None = None

    @property
    def images(self) -> dict[str, str]:
        """The images that the settings name, by dotted key."""
        named = {"image": self.settings.image}
        return {**named, "dataflow.image": self.settings.dataflow.image} if self.settings.dataflow else named


def ok(text: str) -> Finding:
    """All is well."""
    return Finding("ok", text)


def warning(text: str) -> Finding:
    """A run may fail, or could be better off."""
    return Finding("warning", text)


def problem(text: str) -> Finding:
    """A run would fail, or cost more than it may."""
    return Finding("problem", text)


def listed(names: Iterable[str]) -> str:
    """Names for a message."""
    return ", ".join(sorted(names))


def attempt(check: Callable[..., Iterable[Finding]], case: Case, *more: object) -> Iterator[Finding]:
    """What a check finds; if it cannot be made, that is a problem, and what comes after it goes on."""
    try:
        yield from check(case, *more)
    except (SettingsError, WarehouseError) as error:
        for line in str(error).splitlines():
            yield problem(line)
    except handled() as error:
        yield problem(describe(error, project=case.settings.project, region=case.settings.region))
