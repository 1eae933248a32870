"""Columns that repeat another one: equal on every row, or equal one to one, as a code and its name are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from pipeline.profiling.profile import ColumnProfile
from pipeline.profiling.source import COLUMNS_AT_ONCE, Source, parts

#: Columns may differ by this share in an approximate number of distinct values, and have the same ones.
DISTINCT_TOLERANCE = 0.3
_Pair = tuple[ColumnProfile, ColumnProfile]


def equal_columns(
    source: Source, columns: Sequence[ColumnProfile], cells: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """For each column the first earlier column that has the same value on every row.

    Args:
        source: the table.
        columns: the columns, in their order.
        cells: for each column, SQL of its values by what they are (`text`, `number`, `date`); two columns are compared
            by the last of these that both have.
    """
    found: dict[str, str] = {}
    pairs = []
    for earlier, later in _pairs(columns):
        way = [way for way in cells[earlier.name] if way in cells[later.name]][-1]
        if _may_equal(earlier, later, way):
            pairs.append((earlier, later, cells[earlier.name][way], cells[later.name][way]))
    for part in parts(pairs, COLUMNS_AT_ONCE):
        tests = ", ".join(
            f"COUNTIF(({one}) IS DISTINCT FROM ({other})) AS n{k}" for k, (_, _, one, other) in enumerate(part)
        )
        (row,) = source.select(f"SELECT {tests} {source.from_}")
        for k, (earlier, later, _, _) in enumerate(part):
            if row[f"n{k}"] == 0:
                found.setdefault(later.name, earlier.name)
    return found


def renamed_columns(source: Source, columns: Sequence[ColumnProfile], cells: Mapping[str, str]) -> dict[str, str]:
    """For each column the first earlier column whose values correspond to its own one to one, missing ones included.

    Columns with a value of their own on most rows are left out: they correspond one to one by chance.

    Args:
        source: the table.
        columns: the columns, in their order, less those that equal another.
        cells: SQL of the text of each.
    """
    found: dict[str, str] = {}
    several = [column for column in columns if 1 < column.distinct <= column.filled / 2]
    for earlier, later in _pairs(several):
        if later.name in found or earlier.name in found:
            continue
        if _frequencies(earlier) != _frequencies(later):
            continue
        (row,) = source.select(
            "SELECT COUNT(*) AS pairs, COUNT(DISTINCT g.a) AS one, COUNT(DISTINCT g.b) AS other, "
            "COUNTIF((g.a IS NULL) IS DISTINCT FROM (g.b IS NULL)) AS odd, COUNTIF(g.a IS NULL) AS missing FROM ("
            f"SELECT s.a AS a, s.b AS b FROM (SELECT {cells[earlier.name]} AS a, {cells[later.name]} AS b "
            f"{source.from_}) AS s GROUP BY s.a, s.b) AS g"
        )
        if not row["odd"] and row["one"] == row["other"] == row["pairs"] - row["missing"]:
            found[later.name] = earlier.name
    return found


def _pairs(columns: Sequence[ColumnProfile]) -> Iterator[_Pair]:
    """Pairs of columns that may hold the same values: as many filled rows, and about as many distinct values."""
    by_filled: dict[int, list[ColumnProfile]] = {}
    for column in columns:
        if column.distinct > 1:
            by_filled.setdefault(column.filled, []).append(column)
    for same in by_filled.values():
        for place, later in enumerate(same):
            for earlier in same[:place]:
                if abs(earlier.distinct - later.distinct) <= DISTINCT_TOLERANCE * later.distinct:
                    yield earlier, later


def _may_equal(one: ColumnProfile, other: ColumnProfile, way: str) -> bool:
    """Whether the facts of two columns leave open that their values are equal."""
    if _frequencies(one) != _frequencies(other):
        return False
    if way == "number" and one.numbers and other.numbers:
        ends = [(n.quantiles[0], n.quantiles[-1], n.negative, n.zero, n.whole) for n in (one.numbers, other.numbers)]
        return ends[0] == ends[1] and math.isclose(one.numbers.mean, other.numbers.mean, rel_tol=1e-6, abs_tol=1e-12)
    if way == "date" and one.dates and other.dates:
        return (one.dates.first, one.dates.last) == (other.dates.first, other.dates.last)
    return None in (one.lengths, other.lengths) or one.lengths == other.lengths


def _frequencies(column: ColumnProfile) -> list[int]:
    """Rows of the most frequent values. Values that correspond are equally frequent."""
    return [value.rows for value in column.values]
