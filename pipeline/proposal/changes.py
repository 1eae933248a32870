"""What has changed in a table since its data set was made: columns, types, shares of missing values, ranges, values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from pipeline.listing import listed
from pipeline.proposal.record import ColumnRecord, TableRecord
from pipeline.proposal.wording import short

#: A share of missing values that has moved by less than this is not shown, unless nothing was missing before.
MISSING_MOVE = 0.05
#: A number of distinct values of a wide category that has grown by less than this factor is not shown.
DISTINCT_GROWTH = 1.5
_SHOWN_VALUES = 5


@dataclasses.dataclass(frozen=True)
class Changes:
    """Changes between two looks at a table.

    Attributes:
        new: columns that were not there.
        gone: columns that are no longer there.
        changed: a line for each fact that has changed, beginning with the column.
    """

    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]


def compare(before: TableRecord, after: TableRecord) -> Changes:
    """What has changed."""
    both = [name for name in after.columns if name in before.columns]
    return Changes(
        new=tuple(name for name in after.columns if name not in before.columns),
        gone=tuple(name for name in before.columns if name not in after.columns),
        changed=tuple(
            f"{name}: {line}" for name in both for line in _changed(before.columns[name], after.columns[name])
        ),
    )


def _changed(before: ColumnRecord, after: ColumnRecord) -> Iterator[str]:
    if _kind(before) != _kind(after):
        yield f"was {_kind(before)}, is {_kind(after)}"
    moved = before.filled - after.filled
    if abs(moved) >= MISSING_MOVE or (before.filled == 1 and moved > 0):
        yield f"{1 - before.filled:.1%} were missing, {1 - after.filled:.1%} are"
    yield from _range(before, after)
    if before.values is not None and after.values is not None:
        for what, one, other in (("new values", after, before), ("no longer", before, after)):
            values = [value for value in one.values or () if value not in (other.values or ())]
            if values:
                yield f"{what}: {listed(values, _SHOWN_VALUES)}"
    elif after.lowest is None and (before.values is not None or after.distinct > DISTINCT_GROWTH * before.distinct):
        yield f"{before.distinct:,} values before, {after.distinct:,} now"


def _range(before: ColumnRecord, after: ColumnRecord) -> Iterator[str]:
    """A line if the range has grown."""
    lows, highs = (before.lowest, after.lowest), (before.highest, after.highest)
    if all(isinstance(value, str) for value in lows):
        if lows[0] != lows[1] or highs[0] != highs[1]:
            yield f"{lows[0]} to {highs[0]} before, {lows[1]} to {highs[1]} now"
        return
    if not all(isinstance(value, int | float) for value in (*lows, *highs)):
        return
    if lows[1] < lows[0] or highs[1] > highs[0]:
        yield f"{short(lows[0])} to {short(highs[0])} before, {short(lows[1])} to {short(highs[1])} now"


def _kind(column: ColumnRecord) -> str:
    return column.form or column.type
