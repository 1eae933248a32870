"""What a person wants to decide: `LABEL=`, `KEY=`, `DATE=` and `POSITIVE=` of `make init`."""

from __future__ import annotations

import dataclasses
import difflib

from models.config import SettingsError
from pipeline.profiling.profile import ColumnProfile, TableProfile

_SHOWN_COLUMNS = 30  # of a message that lists them


class Question(SettingsError):
    """Only a person can decide; the message says what there is, and ends with what to type."""


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What a person has decided; None leaves it to the facts.

    Attributes:
        label: a column, as the source names it; of an export, an event.
        key: a column.
        date: a column.
        positive: the value of the label that counts as 1.
        encoding: of a text file.
    """

    label: str | None = None
    key: str | None = None
    date: str | None = None
    positive: str | None = None
    encoding: str | None = None


def named_column(profile: TableProfile, name: str, wish: str) -> ColumnProfile:
    """The column that a person named; case and blanks around it do not matter if the name is found otherwise.

    Args:
        profile: the table.
        name: what was typed.
        wish: for the message, such as `LABEL`.

    Raises:
        SettingsError: the table has no such column; the message names the nearest.
    """
    columns = {column.name: column for column in profile.columns}
    if name in columns:
        return columns[name]
    alike = [column for column in profile.columns if column.name.strip().casefold() == name.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    near = difflib.get_close_matches(name, columns, n=1)
    listed = ", ".join(list(columns)[:_SHOWN_COLUMNS]) + (", ..." if len(columns) > _SHOWN_COLUMNS else "")
    hint = f"; did you mean {wish}={near[0]}?" if near else "."
    raise SettingsError(f"{wish}={name}: {profile.source} has no column of this name{hint} It has: {listed}")
