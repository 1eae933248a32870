"""Columns beside the label: how well each alone ranks the rows, measured on a sample of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pipeline.profiling.profile import Association
from pipeline.profiling.source import COLUMNS_AT_ONCE, Source, parts

#: The most positives, and the most negatives, of which associations are computed.
SAMPLED_ROWS = 100_000
#: Rows of the base rate that each category's share of positives is smoothed with.
SMOOTHING_ROWS = 10
_LOWEST = "-1.7e308"  # ranks rows without a value below all others


@dataclasses.dataclass(frozen=True)
class Ranked:
    """A column as SQL over the alias t: its number (FLOAT64), its category (STRING), or both."""

    name: str
    number: str | None
    category: str | None

    def ways(self) -> list[tuple[str, bool]]:
        """The SQL of each way to rank by it, and whether that is a number."""
        return [(sql, sql is self.number) for sql in (self.number, self.category) if sql is not None]


@dataclasses.dataclass(frozen=True)
class _Cell:
    """SQL of one way to rank by a column."""

    column: str
    sql: str
    is_number: bool


@dataclasses.dataclass(frozen=True)
class _Sample:
    """The rows that are looked at: what is a positive, the hash of a row, and the condition that it meets.

    Attributes:
        base_rate: the share of positives among them.
        rows: their number, about.
        is_part: whether the table has more.
    """

    positive: str
    hash: str
    condition: str
    base_rate: float
    rows: int
    is_part: bool


def associations(
    source: Source, positive: str, columns: Sequence[Ranked], hashed: Sequence[str]
) -> dict[str, Association]:
    """Measures each column beside the label, on at most SAMPLED_ROWS positives and as many negatives.

    Args:
        source: the table.
        positive: SQL over the alias t: TRUE for a positive, FALSE for a negative, NULL for neither.
        columns: the columns.
        hashed: SQL of STRING of the columns whose hash chooses the rows, and orders them to divide them into halves.

    Raises:
        WarehouseError: a statement fails.
    """
    sample = _sample(source, positive, hashed)
    at_once = source.at_once(sample.rows)
    found: dict[str, Association] = {}
    cells = [_Cell(column.name, sql, is_number) for column in columns for sql, is_number in column.ways()]
    keeps = sample.is_part and not source.is_billed
    if keeps:  # the rows are chosen once for many statements
        batches = list(parts(cells, 2 * COLUMNS_AT_ONCE))
    else:
        of_kinds = [[cell for cell in cells if cell.is_number is kind] for kind in (True, False)]
        batches = [part for of_kind in of_kinds for part in parts(of_kind, at_once)]
    for batch in batches:
        listed = {f"c{place}": cell for place, cell in enumerate(batch)}
        with source.rows("sample", _picked(source, sample, listed), are_kept=keeps) as (clause, table):
            for is_number in (True, False):
                places = [place for place, cell in listed.items() if cell.is_number is is_number]
                for part in parts(places, at_once):
                    for row in source.select(_statement(source, sample, clause, table, part, is_number)):
                        name, new = listed[part[row["k"]]].column, _association(row)
                        if name not in found or (new.roc_auc or 0) > (found[name].roc_auc or 0):
                            found[name] = new
    nothing = Association(None, 0.0, 0.0)  # no row has a label
    return {column.name: found.get(column.name, nothing) for column in columns}


def _sample(source: Source, positive: str, hashed: Sequence[str]) -> _Sample:
    (row,) = source.select(
        f"SELECT COUNTIF(s.p) AS positives, COUNTIF(NOT s.p) AS negatives "
        f"FROM (SELECT ({positive}) AS p {source.from_}) AS s"
    )
    positives, negatives = int(row["positives"]), int(row["negatives"])
    joined = ", '|', ".join(f"IFNULL({sql}, '')" for sql in hashed)
    chosen = [
        f"({'' if is_positive else 'NOT '}t.is_positive" + _at_most(rows) + ")"
        for is_positive, rows in ((True, positives), (False, negatives))
    ]
    kept = [min(rows, SAMPLED_ROWS) for rows in (positives, negatives)]
    return _Sample(
        positive=positive,
        hash=f"TO_HEX(MD5(CONCAT({joined}, '')))",
        condition=" OR ".join(chosen),
        base_rate=kept[0] / max(1, sum(kept)),
        rows=max(1, sum(kept)),
        is_part=sum(kept) < positives + negatives,
    )


def _at_most(rows: int) -> str:
    """A condition on the hash that about SAMPLED_ROWS of the rows meet."""
    if rows <= SAMPLED_ROWS:
        return ""
    return f" AND SUBSTR(t.row_hash, 1, 8) < '{int(SAMPLED_ROWS / rows * 16**8):08x}'"


def _picked(source: Source, sample: _Sample, cells: Mapping[str, _Cell]) -> str:
    """The sampled rows: `p`, is it a positive; `half`; and the cells under their names."""
    inner = "".join(f", {cell.sql} AS {name}" for name, cell in cells.items())
    return f"""
  SELECT t.is_positive AS p, MOD(ROW_NUMBER() OVER (ORDER BY t.row_hash), 2) = 0 AS half{inner}
  FROM (SELECT t.*, ({sample.positive}) AS is_positive, {sample.hash} AS row_hash {source.from_}) AS t
  WHERE {sample.condition}
"""


def _statement(source: Source, sample: _Sample, clause: str, table: str, names: Sequence[str], is_number: bool) -> str:
    missing = _LOWEST if is_number else "''"
    value, half = ("score", "") if is_number else ("v", ", c.half")
    counted = f"""
  SELECT c.k AS k, IFNULL(c.v, {missing}) AS {value}{half and half + " AS half"},
    COUNTIF(c.p) AS positives, COUNTIF(NOT c.p) AS negatives,
    COUNTIF(c.p AND c.v IS NOT NULL) AS filled_positives, COUNTIF(NOT c.p AND c.v IS NOT NULL) AS filled_negatives
  FROM cells AS c
  GROUP BY c.k, IFNULL(c.v, {missing}){half}
"""
    return f"""
WITH {clause}
cells AS ({source.long_form(table, names, ["p", "half"])}),
scored AS ({counted if is_number else _scored(counted, sample)}),
by_score AS (
  SELECT c.k AS k, c.score AS score, SUM(c.positives) AS positives, SUM(c.negatives) AS negatives,
    SUM(c.filled_positives) AS filled_positives, SUM(c.filled_negatives) AS filled_negatives
  FROM scored AS c GROUP BY c.k, c.score
),
ranked AS (
  SELECT b.*, SUM(b.negatives) OVER (PARTITION BY b.k ORDER BY b.score) AS up_to FROM by_score AS b
)
SELECT w.k AS k, SUM(w.positives * (w.up_to - 0.5 * w.negatives)) AS area, SUM(w.positives) AS positives,
  SUM(w.negatives) AS negatives, SUM(w.filled_positives) AS filled_positives,
  SUM(w.filled_negatives) AS filled_negatives
FROM ranked AS w GROUP BY w.k
"""


def _scored(counted: str, sample: _Sample) -> str:
    """Each category of one half gets the share of positives that it has in the other half."""
    rows = "(g.positives + g.negatives)"
    return f"""
  SELECT g.k AS k,
    (SUM(g.positives) OVER (PARTITION BY g.k, g.v) - g.positives + {SMOOTHING_ROWS * sample.base_rate!r})
      / (SUM({rows}) OVER (PARTITION BY g.k, g.v) - {rows} + {SMOOTHING_ROWS}) AS score,
    g.positives AS positives, g.negatives AS negatives,
    g.filled_positives AS filled_positives, g.filled_negatives AS filled_negatives
  FROM ({counted}) AS g
"""


def _association(row: Mapping[str, object]) -> Association:
    positives, negatives = float(row["positives"]), float(row["negatives"])
    auc = None
    if positives and negatives:
        auc = float(row["area"]) / (positives * negatives)
        auc = max(auc, 1 - auc)
    return Association(
        roc_auc=auc,
        filled_positives=float(row["filled_positives"]) / positives if positives else 0.0,
        filled_negatives=float(row["filled_negatives"]) / negatives if negatives else 0.0,
    )
