"""Valid names for outputs, tables and data sets, and references to columns in BigQuery's dialect."""

from __future__ import annotations

import re
import unicodedata

import sqlglot
from sqlglot.tokens import TokenType

from models.features import UNSERVABLE_NAMES
from pipeline.settings.dataset import FORBIDDEN_PREFIXES, RESERVED_COLUMNS
from pipeline.warehouse.dialect import back_ticked

ALIAS = "t"  # of the source in query.sql
_MOST = 100  # characters of a proposed name
_DATASET = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_SPECIAL = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "ł": "l", "Ł": "L", "đ": "d"})


def is_dataset_name(name: str) -> bool:
    """Whether a data set may have this name: a folder, part of tables and pipelines."""
    return _DATASET.fullmatch(name) is not None


class Names:
    """Gives each column of a source an output of its own: a valid feature name, unique but for case."""

    def __init__(self) -> None:
        """Starts with none taken."""
        self._taken: set[str] = set()

    def take(self, name: str) -> None:
        """Marks a name as taken."""
        self._taken.add(name.lower())

    def for_column(self, name: str, place: int) -> str:
        """The name of the output for a column.

        Args:
            name: as the source has it.
            place: its place in the source, from 1; a name without a Latin letter becomes `column_<place>`.
        """
        return self.unique(_ascii(name) or f"column_{place}")

    def unique(self, base: str) -> str:
        """A valid name, or the same with a number; takes it."""
        found, number = base, 1
        while self._is_unfit(found):
            number += 1
            found = f"{base}_{number}"
        self.take(found)
        return found

    def _is_unfit(self, name: str) -> bool:
        lower = name.lower()
        reserved = lower in RESERVED_COLUMNS or name in UNSERVABLE_NAMES or lower in UNSERVABLE_NAMES
        return reserved or lower in self._taken or lower.startswith(FORBIDDEN_PREFIXES)


def table_name(stem: str, dataset: str) -> str:
    """The name by which query.sql reads a file: its own, if that makes a name, else the data set's."""
    return _ascii(stem) or dataset


def column(name: str) -> str:
    """A reference to a column of the source: `t.age`, t.`Größe`. A path keeps its dots."""
    return ".".join([ALIAS, *(quoted(part) for part in name.split("."))])


def quoted(name: str) -> str:
    """A name in back-ticks if BigQuery needs them there."""
    tokens = sqlglot.tokenize(name, read="bigquery") if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else []
    if len(tokens) == 1 and tokens[0].token_type is TokenType.VAR:
        return name
    return back_ticked(name)


def _ascii(name: str) -> str:
    """Letters, digits and underscores of a name, beginning with a letter; empty if it has no Latin letter."""
    plain = unicodedata.normalize("NFKD", name.translate(_SPECIAL))
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    lost = sum(character.isalpha() and not character.isascii() for character in plain)
    plain = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:_MOST].rstrip("_")
    if not re.search("[A-Za-z]", plain) or lost > len(plain):
        return ""
    return plain if plain[0].isalpha() else f"n_{plain}"
