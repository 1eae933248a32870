"""What `make init` remembers of an export in `schema/<data set>/profile.json`: its events and parameters, no values."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from models.config import SettingsError
from pipeline.profiling.export_profile import ExportProfile

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class ExportRecord:
    """An export: its last day as YYYY-MM-DD, its events, and its parameters as `event_params.method`."""

    last: str
    events: tuple[str, ...]
    parameters: tuple[str, ...]


def of(profile: ExportProfile) -> ExportRecord:
    """What is remembered of a profile."""
    events = tuple(sorted(event.name for event in profile.events))
    parameters = tuple(sorted(f"{parameter.column}.{parameter.key}" for parameter in profile.parameters))
    return ExportRecord(str(profile.last), events, parameters)


def to_json(kept: ExportRecord) -> str:
    """The text of the file."""
    document = {
        "about": "What `make init` found in the export; UPDATE=1 compares the export with it and writes it anew.",
        "version": _VERSION,
        **dataclasses.asdict(kept),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def load(path: Path) -> ExportRecord | None:
    """The record of a data set, or None if there is none.

    Raises:
        SettingsError: the file is not one that `make init` wrote for an export.
    """
    if not path.is_file():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] != _VERSION:
            raise SettingsError(f"{path}: written by another version; delete it, and everything counts as new")
        return ExportRecord(str(document["last"]), tuple(document["events"]), tuple(document["parameters"]))
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path}: not a record that make init wrote for an export; delete it") from error
