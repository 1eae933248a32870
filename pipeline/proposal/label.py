"""Finds the label: a column of two values, by its name and by its values, and which of them counts as 1."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from models.config import SettingsError
from pipeline.profiling.forms import Form
from pipeline.profiling.profile import MOST_VALUES, ColumnProfile, Frequency, TableProfile
from pipeline.proposal.label_questions import listed_values, none_found, question
from pipeline.proposal.wishes import Question, Wishes, named_column
from pipeline.proposal.words import (
    DESCRIBING_WORDS,
    EARLIER_WORDS,
    LABEL_PARTS,
    folded,
    has_word,
    is_label_name,
    says_yes,
    words,
)

NAMED, HINTED, PLAIN, UNLIKELY = 3, 2, 1, 0  # how much a name speaks for a label
_OPPOSITES = {"no": "yes", "n": "y", "false": "true", "f": "t", "0": "1", "0.0": "1.0"}


@dataclasses.dataclass(frozen=True)
class Label:
    """A label, chosen or possible.

    Attributes:
        column: the column.
        positive: the values that count as 1, as the source writes them; several where they differ by case or blanks.
        negative: those that count as 0; empty if all values but the positive ones do.
        positives: rows with 1.
        rows: rows with a label.
        strength: how much the name speaks for it.
        why_positive: why this value counts as 1.
        unsure: whether nothing but the number of rows told which value counts as 1.
    """

    column: ColumnProfile
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    positives: int
    rows: int
    strength: int
    why_positive: str
    unsure: bool = False

    @property
    def base_rate(self) -> float:
        """The share of the labelled rows with 1."""
        return self.positives / self.rows if self.rows else 0.0

    def counted(self) -> str:
        """Which value counts as 1, and in how many rows."""
        return f"{self.positive[0]!r} counts as 1, in {self.positives:,} of {self.rows:,} rows ({self.base_rate:.1%})"

    def described(self) -> str:
        """The values and the base rate, in words."""
        return f"{self.positive[0]!r} in {self.positives:,} of {self.rows:,} rows ({self.base_rate:.1%})"


def choose_label(profile: TableProfile, wishes: Wishes) -> Label:
    """The label.

    Raises:
        Question: a person must decide.
        SettingsError: a wish cannot be met.
    """
    if wishes.label is not None:
        return _wished(profile, named_column(profile, wishes.label, "LABEL"), wishes.positive)
    found = [label for column in profile.columns if (label := two_valued(column, wishes.positive))]
    one_class = [column for column in profile.columns if column.distinct == 1 and is_label_name(column.name)]
    best = max((label.strength for label in found), default=UNLIKELY)
    strongest = [label for label in found if label.strength == best]
    if best < HINTED and len(one_class) == 1 and wishes.positive is None:
        return _one_valued(one_class[0])
    if best == UNLIKELY:
        raise Question(none_found(profile, found, wishes))
    if len(strongest) > 1:
        raise Question(question(profile, strongest))
    return strongest[0]


def _wished(profile: TableProfile, column: ColumnProfile, positive: str | None) -> Label:
    """The label that a person named."""
    two = two_valued(column, positive)
    if two:
        return two
    wish = f"LABEL={column.name}"
    if not column.filled:
        raise SettingsError(f"{wish}: the column is empty; name another one")
    if positive is None:
        if column.distinct == 1:
            return _one_valued(column)
        raise SettingsError(
            f"{wish}: the column has {column.distinct:,} values, and a label has two{listed_values(column)}.\n"
            f"Which of them counts as 1? Add POSITIVE=<value>; all others count as 0."
        )
    matching = [item for item in column.values if _is_value(item.value, positive)]
    if not matching:
        raise SettingsError(f"POSITIVE={positive}: '{column.name}' has no such value{listed_values(column)}.")
    positives = sum(item.rows for item in matching)
    return Label(
        column,
        tuple(item.value for item in matching[:1]),
        (),
        positives,
        column.filled,
        _strength(column.name),
        "you named it with POSITIVE=; all other values count as 0",
    )


def two_valued(column: ColumnProfile, positive: str | None = None) -> Label | None:
    """The label that a column of two values would be, or None if it has another number of them."""
    groups = _groups(column)
    if len(groups) != 2:
        return None
    keys = sorted(groups, key=lambda key: (_rows(groups[key]), key))
    first, unsure, why = keys[0], False, "the words do not tell, and it is the rarer of the two"
    if positive is not None:
        chosen = [key for key in keys if any(_is_value(item.value, positive) for item in groups[key])]
        if not chosen:
            return None
        first, why = chosen[0], "you named it with POSITIVE="
    else:
        answer = says_yes(keys[0], keys[1])
        unsure = answer is None
        if answer is not None:
            first, why = keys[0] if answer else keys[1], "the words of its values say so"
    [second] = [key for key in keys if key != first]
    own, others = groups[first], groups[second]
    return Label(
        column,
        tuple(item.value for item in own),
        tuple(item.value for item in others),
        _rows(own),
        _rows(own) + _rows(others),
        _strength(column.name),
        why,
        unsure,
    )


def _one_valued(column: ColumnProfile) -> Label:
    """A label of one class, which no model can learn from; the folder is written all the same."""
    [item] = column.values[:1]
    opposite = _OPPOSITES.get(folded(item.value))
    positive = opposite or item.value
    return Label(
        column,
        (positive,),
        (),
        0 if opposite else item.rows,
        column.filled,
        _strength(column.name),
        "the column holds one value only",
        unsure=True,
    )


def _groups(column: ColumnProfile) -> dict[str, list[Frequency]]:
    """The values by their text without case and blanks; without those that stand for a missing one, if two are left."""
    if not 2 <= column.distinct <= MOST_VALUES or column.type in ("BYTES", "ARRAY", "JSON", "GEOGRAPHY", "RANGE"):
        return {}
    if column.dates is not None and column.form is not Form.INTEGER and column.type != "INT64":
        return {}
    groups: dict[str, list[Frequency]] = {}
    for item in column.values:
        groups.setdefault(folded(item.value), []).append(item)
    if len(groups) > 2:
        missing = {folded(text) for text in column.missing_like}
        groups = {key: items for key, items in groups.items() if key not in missing}
    return groups


def _strength(name: str) -> int:
    """How much a name speaks for a label."""
    is_earlier = has_word(name, EARLIER_WORDS)
    if is_label_name(name):
        return NAMED
    if has_word(name, LABEL_PARTS):
        return PLAIN if is_earlier else HINTED
    if is_earlier or has_word(name, DESCRIBING_WORDS) or words(name)[:1] in (["is"], ["has"]):
        return UNLIKELY
    return PLAIN


def _is_value(value: str, wanted: str) -> bool:
    if folded(value) == folded(wanted):
        return True
    try:
        return math.isclose(float(value), float(wanted))
    except ValueError:
        return False


def _rows(items: Sequence[Frequency]) -> int:
    return sum(item.rows for item in items)
