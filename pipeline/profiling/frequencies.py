"""The most frequent values of columns, and the exact number of their distinct values."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.profiling.profile import MOST_VALUES, Frequency
from pipeline.profiling.source import Cells, Source, parts


def frequencies(source: Source, columns: Sequence[Cells], rows: int) -> dict[str, tuple[int, tuple[Frequency, ...]]]:
    """For each column the number of distinct values and the MOST_VALUES most frequent, as text.

    Args:
        source: the table.
        columns: columns with a type of COUNTED.
        rows: of the table.

    Raises:
        WarehouseError: the statement fails.
    """
    found: dict[str, tuple[int, tuple[Frequency, ...]]] = {}
    for part in parts(columns, source.at_once(rows)):
        listed: list[list[Frequency]] = [[] for _ in part]
        distinct = [0] * len(part)
        branches = " UNION ALL ".join(_branch(source, k, cells) for k, cells in enumerate(part))
        for row in source.select(f"SELECT u.k, u.v, u.n, u.g FROM ({branches}) AS u"):
            distinct[row["k"]] = int(row["g"])
            listed[row["k"]].append(Frequency(row["v"], int(row["n"])))
        for column, groups, values in zip(part, distinct, listed, strict=True):
            found[column.name] = groups, tuple(sorted(values, key=lambda value: (-value.rows, value.value)))
    return found


def frequent(source: Source, columns: Sequence[Cells], at_least: int) -> dict[str, int]:
    """For each column the number of values that at least so many rows have: the vocabulary that is worth its size."""
    found = {}
    for column in columns:
        (row,) = source.select(
            f"SELECT COUNTIF(g.n >= {at_least}) AS n FROM (SELECT s.v AS v, COUNT(*) AS n FROM "
            f"(SELECT {column.sql} AS v {source.from_}) AS s WHERE s.v IS NOT NULL GROUP BY s.v) AS g"
        )
        found[column.name] = int(row["n"])
    return found


def _branch(source: Source, place: int, cells: Cells) -> str:
    """The groups of one column, which are the same bytes whether it is read alone or beside others."""
    # Numbers are grouped as numbers: their text takes longer to write than to count.
    cell = cells.sql if cells.type in ("INT64", "FLOAT64") else cells.text_sql
    inner = f"SELECT {cell} AS v {source.from_}"
    groups = f"SELECT s.v AS v, COUNT(*) AS n FROM ({inner}) AS s WHERE s.v IS NOT NULL GROUP BY s.v"
    return (
        f"(SELECT {place} AS k, CAST(g.v AS STRING) AS v, g.n AS n, COUNT(*) OVER () AS g FROM ({groups}) AS g "
        f"ORDER BY g.n DESC, g.v LIMIT {MOST_VALUES})"
    )
