"""What to ask a person who must choose the label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.profiling.profile import MOST_VALUES, ColumnProfile, TableProfile
from pipeline.proposal.wishes import Wishes
from pipeline.proposal.words import LABEL_PARTS, has_word, is_label_name

if TYPE_CHECKING:
    from pipeline.proposal.label import Label

_SHOWN_VALUES = 10  # of a message that lists them
_MOST_OUTCOMES = 12  # values of a column that is named as the nearest to a label


def question(profile: TableProfile, candidates: Sequence[Label]) -> str:
    """Which of several columns to predict."""
    lines = [f"{profile.source}: {len(candidates)} columns could be the label, and only you know which one to predict:"]
    width = max(len(label.column.name) for label in candidates[:_SHOWN_VALUES])
    for label in candidates[:_SHOWN_VALUES]:
        lines.append(f"  {label.column.name:<{width}}  {label.described()}")
    if len(candidates) > _SHOWN_VALUES:
        lines.append(f"  and {len(candidates) - _SHOWN_VALUES} more columns of two values")
    listed = ", ".join(label.column.name for label in candidates[:_SHOWN_VALUES])
    return "\n".join([*lines, f"Nothing was written. Which one do you want to predict? Add LABEL=<one of: {listed}>"])


def none_found(profile: TableProfile, found: Sequence[Label], wishes: Wishes) -> str:
    """That no column looks like a label, and which come nearest. `found` are those of two values."""
    if wishes.positive is not None and not found:
        return (
            f"POSITIVE={wishes.positive}: no column of two values in {profile.source} holds this value. "
            "Name the label as well, with LABEL=<column>"
        )
    lines = [f"{profile.source}: no column looks like a label (two values, such as converted: yes or no)."]
    near = [
        c for c in profile.columns if 2 < c.distinct <= _MOST_OUTCOMES and has_word(c.name, (*LABEL_PARTS, "status"))
    ]
    near = near or [
        c for c in profile.columns if 2 < c.distinct <= _MOST_OUTCOMES and c.type == "STRING" and not c.form
    ]
    if found:
        lines.append("These columns have two values, but describe the row rather than its outcome:")
        lines += [f"  {label.column.name}: {label.described()}" for label in found[:_SHOWN_VALUES]]
    if near:
        lines.append("These come nearest; choose the value that counts as 1:")
        lines += [f"  LABEL='{c.name}' POSITIVE=<value>{listed_values(c)}" for c in near[:_SHOWN_VALUES]]
    ones = [c for c in profile.columns if c.distinct == 1 and is_label_name(c.name)]
    lines += [f"Column '{c.name}' holds one value only, in all {c.filled:,} rows." for c in ones]
    return "\n".join([*lines, "Nothing was written. Name the label with LABEL=<column>"])


def listed_values(column: ColumnProfile) -> str:
    """The values of a column as the end of a sentence; empty if they are too many to show."""
    if column.distinct > MOST_VALUES or not column.values:
        return ""  # values that rare may be identifiers
    shown = ", ".join(item.value for item in column.values[:_SHOWN_VALUES])
    return f": {shown}" + (", ..." if column.distinct > _SHOWN_VALUES else "")
