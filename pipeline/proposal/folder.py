"""Writes the folder of a data set: all of its files, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from models.config import SettingsError, validate_settings
from pipeline.proposal import record, rendering
from pipeline.proposal.proposal import Proposal, feature_set
from pipeline.raw_schema import updated_text
from pipeline.settings.dataset import Dataset

RECORD = "profile.json"


def check_name(root: Path, name: str, is_valid: bool) -> None:
    """Refuses a name that no data set may have, or that one already has.

    Raises:
        SettingsError: the message says what to type instead.
    """
    if not name:
        raise SettingsError("DATASET= is missing: choose a name for the folder below schema/")
    if not is_valid:
        raise SettingsError(
            f"DATASET={name}: a data set is named with letters, digits and underscores, at most 60 of them, and begins "
            "with a letter"
        )
    taken = [path.name for path in root.iterdir() if path.name.lower() == name.lower()] if root.is_dir() else []
    if taken:
        raise SettingsError(
            f"{root / taken[0]} already exists, and `make init` never overwrites one. To see what has changed in "
            "the table and add what is new, type UPDATE=1; to start again, choose another DATASET or delete the folder"
        )


def files_of(proposal: Proposal, root: Path) -> dict[str, str]:
    """The text of each file of a proposed data set, by its name; `root` is where its folder will be.

    Raises:
        SettingsError: the files would not be valid settings.
    """
    settings = rendering.dataset_yaml(proposal)
    dataset = validate_settings(yaml.safe_load(settings), Dataset, origin="the proposed dataset.yaml")
    absent = root / proposal.name / "schema.pbtxt"
    return {
        "dataset.yaml": settings,
        "features.yaml": rendering.features_yaml(proposal),
        "query.sql": rendering.query_sql(proposal),
        "schema.pbtxt": updated_text(absent, feature_set(proposal.features), dataset.columns.label),
        RECORD: record.to_json(record.of(proposal.profile, proposal.private)),
    }


def write_folder(root: Path, name: str, files: Mapping[str, str]) -> Path:
    """Writes the files into a new folder below `root`, which appears with all of them or not at all.

    Raises:
        SettingsError: the folder cannot be written, or another program has made it meanwhile.
    """
    target = root / name
    try:
        root.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=root, prefix=f".{name}-"))
        try:
            for file, text in files.items():
                (made / file).write_text(text, encoding="utf-8")
            made.chmod(0o755)
            os.rename(made, target)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise SettingsError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def replace_files(folder: Path, files: Mapping[str, str]) -> None:
    """Replaces files of a folder. Each is written beside its target first, so none is left half-written.

    Raises:
        SettingsError: a file cannot be written.
    """
    written: dict[Path, Path] = {}
    try:
        for name, text in files.items():
            beside = folder / f".{name}.new"
            written[beside] = folder / name
            beside.write_text(text, encoding="utf-8", newline="")
        for beside, target in written.items():
            os.replace(beside, target)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        for beside in written:
            with contextlib.suppress(OSError):
                beside.unlink()
