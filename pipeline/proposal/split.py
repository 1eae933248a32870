"""Proposes the split: which rows are test, how many go to eval, and whether the table can carry a verdict at all."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Sequence

from pipeline.profiling.profile import Day
from pipeline.settings.gate import GateSettings

#: The share of the rows that is test where the positives allow it, in percent.
TEST_PERCENT = 20
#: Positives in test with which the gate's intervals are mostly narrow enough for a verdict.
WANTED_POSITIVES = 300
#: The most that test takes to reach WANTED_POSITIVES, in percent.
LARGER_TEST_PERCENT = 30
#: The most that test takes to reach `gate.min_positives`, in percent.
MOST_TEST_PERCENT = 40
#: The most that the newest single date may take as test.
MOST_LAST_DATE_PERCENT = 60
#: The share of the keys for eval where the positives allow it, in percent, and the most.
EVAL_PERCENT = 10
MOST_EVAL_PERCENT = 20
#: Positives in eval below which the run warns that the choice of the family is uncertain.
EVAL_POSITIVES = 100  # as pipeline.champion.candidates has it, which imports TFX
#: By how much more than `gate.min_positives` a split by hash aims for, since it hits its share only about.
SPARE = 1.2
#: The share of the newest rows whose base rate is compared with that of the others, in percent.
NEWEST_PERCENT = 10
#: The base rate of the newest rows against that of the others, below which their labels may not be known yet.
UNSETTLED = 0.5


@dataclasses.dataclass(frozen=True)
class SplitChoice:
    """How rows are divided.

    Attributes:
        test_percent: percentage of the keys that is test; None with `test_from`.
        test_from: the first day of test; None with `test_percent`.
        eval_percent: percentage of the (other) keys for eval.
        test_reason: why.
        eval_reason: why.
        test_positives: positives expected in test.
        attention: what a person should know, in sentences.
    """

    test_percent: int | None
    test_from: datetime.date | None
    eval_percent: int
    test_reason: str
    eval_reason: str
    test_positives: int
    attention: tuple[str, ...] = ()


def choose_split(rows: int, positives: int, days: Sequence[Day] | None) -> SplitChoice:
    """The split of a table.

    Args:
        rows: rows with a label.
        positives: those with 1.
        days: rows and positives by date; None without a date.
    """
    needed = GateSettings().min_positives
    if days:
        cut = _cut(days, rows, needed)
        if cut is not None:
            return _by_date(cut, days)
    rarer = min(positives, rows - positives)
    percent = _test_percent(rarer, needed)
    expected = round(positives * percent / 100)
    reason = f"about {expected:,} positives in test; a verdict needs {needed}, and {WANTED_POSITIVES} are better"
    eval_percent, eval_reason = _eval(positives)
    note = ("there are too few dates for a split by time",) if days is not None else ()
    return SplitChoice(percent, None, eval_percent, reason, eval_reason, expected, note)


def too_little(rows: int, positives: int, split: SplitChoice) -> list[str]:
    """Why the table cannot carry a model or a verdict, with the numbers needed; empty if it can."""
    needed = GateSettings().min_positives
    if not rows:
        return ["no row has a label"]
    if positives in (0, rows):
        return [
            f"all {rows:,} labels are {1 if positives else 0}: a model needs rows of both classes, and a verdict needs "
            f"{needed} positives in test. `make run` will stop until the table has both"
        ]
    if split.test_positives >= needed:
        return []
    share = (split.test_percent or TEST_PERCENT) / 100
    total = math.ceil(needed / share)
    return [
        f"{positives:,} positives in {rows:,} rows give about {split.test_positives:,} in test, and a verdict needs "
        f"{needed} (gate.min_positives). The run will train and report, but its verdict will be 'undecided': it takes "
        f"about {total:,} positives, which are {math.ceil(total / (positives / rows)):,} rows at this base rate"
    ]


def operating_share(base_rate: float) -> float:
    """The share of rows to act on: about as many as there are positives."""
    return round(min(0.5, max(0.01, base_rate)), 2)


def _test_percent(rarer: int, needed: int) -> int:
    """The percentage for test: as small as the verdict allows, given the rows of the rarer class."""
    if not rarer:
        return TEST_PERCENT
    wanted = math.ceil(100 * WANTED_POSITIVES / rarer)
    least = math.ceil(100 * SPARE * needed / rarer)
    percent = max(TEST_PERCENT, least, min(wanted, LARGER_TEST_PERCENT))
    return percent if percent <= MOST_TEST_PERCENT else TEST_PERCENT


def _cut(days: Sequence[Day], rows: int, needed: int) -> Day | None:
    """The first day of test, with the rows and positives from it on; None if no day divides the rows well.

    It is the one whose share is next to TEST_PERCENT, of those that give WANTED_POSITIVES; where none does, of those
    that give what a verdict needs; and where none does, of all.
    """
    possible = []
    later_rows = later_positives = 0
    for place, day in enumerate(sorted(days, key=lambda day: day.date, reverse=True)[:-1]):
        later_rows += day.rows
        later_positives += day.positives
        share = 100 * later_rows / rows
        most = MOST_TEST_PERCENT if place else MOST_LAST_DATE_PERCENT
        if TEST_PERCENT / 2 <= share <= most and 0 < later_positives < later_rows:
            possible.append(Day(day.date, later_rows, later_positives))
    rarer = {cut: min(cut.positives, cut.rows - cut.positives) for cut in possible}
    good = [cut for cut in possible if rarer[cut] >= WANTED_POSITIVES and 100 * cut.rows <= LARGER_TEST_PERCENT * rows]
    enough = [cut for cut in possible if rarer[cut] >= needed]
    return min(good or enough or possible, key=lambda cut: abs(100 * cut.rows / rows - TEST_PERCENT), default=None)


def _by_date(cut: Day, days: Sequence[Day]) -> SplitChoice:
    rows = sum(day.rows for day in days)
    positives = sum(day.positives for day in days)
    before = positives - cut.positives
    reason = (
        f"the newest {cut.rows / rows:.0%} of the rows, with {cut.positives:,} positives; a verdict needs "
        f"{GateSettings().min_positives}, and {WANTED_POSITIVES} are better"
    )
    eval_percent, eval_reason = _eval(before)
    return SplitChoice(None, cut.date, eval_percent, reason, eval_reason, cut.positives, _unsettled(days))


def _unsettled(days: Sequence[Day]) -> tuple[str, ...]:
    """A sentence if the newest rows have far fewer positives than the others: their labels may come later."""
    ordered = sorted(days, key=lambda day: day.date)
    rows, newest = sum(day.rows for day in ordered), 0
    for place in range(len(ordered) - 1, 0, -1):
        newest += ordered[place].rows
        if 100 * newest >= NEWEST_PERCENT * rows:
            break
    else:
        return ()
    rate, rate_before = _base_rate(ordered[place:]), _base_rate(ordered[:place])
    if rate >= UNSETTLED * rate_before or rate_before * newest < 5:
        return ()
    return (
        f"the base rate is {rate:.1%} from {ordered[place].date} on and {rate_before:.1%} before. If the newest labels "
        "are not known yet, leave those rows out: add a condition to WHERE in query.sql",
    )


def _base_rate(days: Sequence[Day]) -> float:
    return sum(day.positives for day in days) / sum(day.rows for day in days)


def _eval(positives: int) -> tuple[int, str]:
    """The percentage for eval, and why."""
    percent = EVAL_PERCENT
    if positives:
        percent = min(MOST_EVAL_PERCENT, max(EVAL_PERCENT, math.ceil(100 * SPARE * EVAL_POSITIVES / positives)))
    expected = round(positives * percent / 100)
    reason = f"about {expected:,} positives in eval; the choice of the family needs about {EVAL_POSITIVES}"
    return percent, reason
