"""Proposes slices: categories of few values, each with enough rows and positives to be measured by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from pipeline.proposal.choices import Choice, Use
from pipeline.proposal.facts import SliceCount

#: The values of a category that may be slices, at most.
MOST_SLICE_VALUES = 8
#: Slices that are proposed, at most: each one more makes the gate's test of slices stricter.
MOST_SLICES = 3
#: Rows and positives in test that a slice needs to be worth a look.
SLICE_ROWS = 100
SLICE_POSITIVES = 50
#: The share of the rows that such values must hold together.
SLICE_COVERAGE = 0.8
_TRIED = 20  # categories whose values are counted, at most


def with_slices(
    choices: Sequence[Choice], test_share: float, count: Callable[[Choice], Sequence[SliceCount]]
) -> tuple[Choice, ...]:
    """The choices, with those as slices that qualify.

    Args:
        choices: what became of each column.
        test_share: the share of the rows in test.
        count: rows and positives of each value of a category.
    """
    possible = [choice for choice in choices if choice.is_learned and choice.use is Use.CATEGORY]
    possible = [choice for choice in possible if 2 <= choice.column.distinct <= MOST_SLICE_VALUES]
    possible = [choice for choice in possible if choice.column.numbers is None][
        :_TRIED
    ]  # codes say little by themselves
    chosen: list[Choice] = []
    for choice in possible:
        if len(chosen) < MOST_SLICES and _qualifies(count(choice), test_share):
            chosen.append(choice)
    return tuple(dataclasses.replace(choice, is_slice=True) if choice in chosen else choice for choice in choices)


def _qualifies(counts: Sequence[SliceCount], test_share: float) -> bool:
    enough = [
        count
        for count in counts
        if count.rows * test_share >= SLICE_ROWS
        and min(count.positives, count.rows - count.positives) * test_share >= SLICE_POSITIVES
    ]
    rows = sum(count.rows for count in counts)
    return len(enough) >= 2 and sum(count.rows for count in enough) >= SLICE_COVERAGE * rows
