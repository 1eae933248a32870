"""The most frequent values of columns, and the exact number of their distinct values."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.profiling.profile import MOST_VALUES, Frequency
from pipeline.profiling.source import CELLS_AT_ONCE, COLUMNS_AT_ONCE, Cells, Source, long_form, parts


def frequencies(source: Source, columns: Sequence[Cells], rows: int) -> dict[str, tuple[int, tuple[Frequency, ...]]]:
    """For each column the number of distinct values and the MOST_VALUES most frequent, as text.

    Args:
        source: the table.
        columns: columns with a type of COUNTED.
        rows: of the table.

    Raises:
        WarehouseError: the statement fails.
    """
    at_once = COLUMNS_AT_ONCE if source.is_billed else max(1, min(COLUMNS_AT_ONCE, CELLS_AT_ONCE // max(1, rows)))
    found: dict[str, tuple[int, tuple[Frequency, ...]]] = {}
    # Numbers are grouped as numbers: their text takes longer to write than to count.
    for kind in ("INT64", "FLOAT64", "STRING"):
        of_kind = [c for c in columns if (c.type if c.type in ("INT64", "FLOAT64") else "STRING") == kind]
        for part in parts(of_kind, at_once):
            cells = [column.text_sql if kind == "STRING" else column.sql for column in part]
            listed: list[list[Frequency]] = [[] for _ in part]
            distinct = [0] * len(part)
            for row in source.select(_one(source, cells[0]) if len(cells) == 1 else _many(source, cells)):
                distinct[row["k"]] = int(row["g"])
                listed[row["k"]].append(Frequency(row["v"], int(row["n"])))
            found |= {c.name: (g, tuple(f)) for c, g, f in zip(part, distinct, listed, strict=True)}
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


def _one(source: Source, cell: str) -> str:
    return f"""
WITH g AS (
  SELECT s.v AS v, COUNT(*) AS n FROM (SELECT {cell} AS v {source.from_}) AS s WHERE s.v IS NOT NULL GROUP BY s.v
)
SELECT 0 AS k, CAST(g.v AS STRING) AS v, g.n AS n, (SELECT COUNT(*) FROM g) AS g
FROM g ORDER BY g.n DESC, g.v LIMIT {MOST_VALUES}
"""


def _many(source: Source, cells: Sequence[str]) -> str:
    return f"""
WITH g AS (
  SELECT e.k AS k, e.v AS v, COUNT(*) AS n {long_form(source.from_, cells)} WHERE e.v IS NOT NULL GROUP BY e.k, e.v
),
r AS (
  SELECT g.k AS k, g.v AS v, g.n AS n, COUNT(*) OVER (PARTITION BY g.k) AS g,
    ROW_NUMBER() OVER (PARTITION BY g.k ORDER BY g.n DESC, g.v) AS place
  FROM g
)
SELECT r.k AS k, CAST(r.v AS STRING) AS v, r.n AS n, r.g AS g
FROM r WHERE r.place <= {MOST_VALUES} ORDER BY r.k, r.place
"""
