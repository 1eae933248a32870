"""Facts that only one table's questions need, counted in the warehouse: shared keys, values of slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.profiling.source import Source


@dataclasses.dataclass(frozen=True)
class SliceCount:
    """Rows and positives with one value of a category."""

    value: str
    rows: int
    positives: int


@dataclasses.dataclass(frozen=True)
class Shared:
    """How many rows share a key with other rows, and how many such keys there are."""

    rows: int
    keys: int


class Facts:
    """Counts over one table. Expressions read it as `t`; of a text file, every column is text."""

    def __init__(self, source: Source):
        """Counts nothing yet."""
        self._source = source

    def shared(self, *expressions: str) -> Shared:
        """The rows that have the values of all these expressions in common with another row; NULLs do not count."""
        listed = ", ".join(f"{sql} AS k{place}" for place, sql in enumerate(expressions))
        filled = " AND ".join(f"({sql}) IS NOT NULL" for sql in expressions)
        places = ", ".join(str(place + 1) for place in range(len(expressions)))
        inner = (
            f"SELECT {listed}, COUNT(*) AS n {self._source.from_} WHERE {filled} GROUP BY {places} HAVING COUNT(*) > 1"
        )
        [row] = self._source.select(f"SELECT COUNT(*) AS n_keys, SUM(g.n) AS n_rows FROM ({inner}) AS g")
        return Shared(int(row["n_rows"] or 0), int(row["n_keys"]))

    def by_value(self, expression: str, label: str) -> Sequence[SliceCount]:
        """Rows and positives with each value, the most frequent first; rows without a label do not count."""
        rows = self._source.select(
            f"SELECT {expression} AS v, COUNT(*) AS n, COUNTIF(({label}) = 1) AS p {self._source.from_} "
            f"WHERE ({label}) IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        return [SliceCount(str(row["v"]), int(row["n"]), int(row["p"])) for row in rows if row["v"] not in (None, "")]
