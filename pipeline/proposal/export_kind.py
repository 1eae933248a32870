"""Tells by the names of tables or files whether a source is an export in daily tables, and which."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from models.config import SettingsError
from pipeline.warehouse.interface import Warehouse

Kind = Literal["ga4", "ga360"]

_KINDS: dict[str, Kind] = {"events_": "ga4", "ga_sessions_": "ga360"}
_DAILY = re.compile(r"(?P<prefix>events_|ga_sessions_)(?:intraday_|fresh_)?[0-9]{8}(?![0-9])")


def kind_of_export(names: Iterable[str], where: str) -> Kind | None:
    """Which export the names of tables or files are, or None if they are no daily tables.

    Args:
        names: of all tables of a data set, or of all files in a folder.
        where: how messages name it.

    Raises:
        SettingsError: tables of both kinds.
    """
    prefixes = sorted({match["prefix"] for name in names if (match := _DAILY.match(name))})
    if len(prefixes) > 1:
        raise SettingsError(
            f"{where}: daily tables of two exports, {' and '.join(f'{prefix}YYYYMMDD' for prefix in prefixes)}; put "
            "one of them into a folder (on BigQuery, a data set) that holds no other"
        )
    return _KINDS[prefixes[0]] if prefixes else None


def kind_of_folder(folder: Path) -> Kind | None:
    """kind_of_export of the files in a folder. Raises SettingsError if there are none."""
    names = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    if not names:
        raise SettingsError(f"{folder}: the folder is empty; it must hold daily tables or Parquet files")
    return kind_of_export(names, str(folder))


def kind_of_source(warehouse: Warehouse, folder: Path | None, where: str) -> Kind:
    """Which export a folder, or else a data set of BigQuery, is.

    Raises:
        SettingsError: it is none.
    """
    if folder is not None:
        kind = kind_of_folder(folder)
    else:
        names = [f"{prefix}{suffix}" for prefix in _KINDS for suffix in warehouse.source_tables(prefix)]
        kind = kind_of_export(names, where)
    if kind is None:
        raise SettingsError(
            f"{where}: no daily tables events_YYYYMMDD of a Google Analytics export; for a table of your own, name it: "
            f"DATA={where}.<table>"
        )
    return kind


def refuse_ga360(where: str, name: str, command: str) -> None:
    """Says what to do with a Google Analytics 360 export, whose folder needs no choice of an event.

    Args:
        where: how messages name the export.
        name: of the data set.
        command: runs the pipeline on it.

    Raises:
        SettingsError: always.
    """
    raise SettingsError(
        f"{where} is a Google Analytics 360 export, and make init writes folders for Google Analytics 4. Type:\n"
        f"  cp -r schema/ga360 schema/{name}\n"
        f"In schema/{name}/dataset.yaml, set source.time_zone to the time zone of the view. To predict another visit "
        "instead of a transaction, set source.conversion_event to session, and for churn source.label_is to absence. "
        f"Then type:\n  {command}"
    )
