"""Aggregates of columns: counts, lengths, numbers and dates, a batch of columns a statement."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.profiling.profile import QUANTILES, Dates, Lengths, Numbers
from pipeline.profiling.source import COLUMNS_AT_ONCE, COUNTED, DAYS, NUMBERS, ROWS_OF_VALUE, Cells, Source, parts


@dataclasses.dataclass(frozen=True)
class Counts:
    """What one scan tells of a column.

    Attributes:
        rows: of the table.
        filled: rows with a value.
        distinct: approximate.
        lengths: of text and bytes.
        ends: the least and the greatest text; empty for other types.
        numbers: of a column of numbers.
        dates: of a column of dates and timestamps.
    """

    rows: int
    filled: int
    distinct: int
    lengths: Lengths | None
    ends: tuple[str, ...]
    numbers: Numbers | None
    dates: Dates | None


def counts(source: Source, columns: Sequence[Cells]) -> list[Counts]:
    """Counts each column. Raises WarehouseError."""
    found = []
    for part in parts(columns, COLUMNS_AT_ONCE):
        outputs = {f"c{k}_{name}": sql for k, cells in enumerate(part) for name, sql in _aggregates(k, cells).items()}
        (row,) = _aggregated(source, outputs, {f"c{k}": cells.sql for k, cells in enumerate(part)})
        found += [_counts(row, k, cells) for k, cells in enumerate(part)]
    return found


def numbers(source: Source, cells: Sequence[str]) -> list[Numbers | None]:
    """Numbers of SQL of FLOAT64, over the alias t; None where no row has one."""
    found = []
    for part in parts(cells, COLUMNS_AT_ONCE):
        outputs = {f"c{k}_{name}": sql for k in range(len(part)) for name, sql in _of_numbers(f"c{k}").items()}
        outputs |= {f"c{k}_filled": f"COUNT(c{k})" for k in range(len(part))}
        (row,) = _aggregated(source, outputs, {f"c{k}": sql for k, sql in enumerate(part)})
        found += [_numbers(row, k) for k in range(len(part))]
    return found


def grouped_numbers(source: Source, cell: str, from_: str) -> Numbers | None:
    """Numbers of SQL of FLOAT64, over the rows of Source.grouped. Their quantiles are exact (nearest rank)."""
    quantiles = ", ".join(
        f"MIN(IF(p.up_to >= {share} * p.total, p.x, NULL)) AS q{place}" for place, share in enumerate(QUANTILES)
    )
    (row,) = source.select(
        f"WITH by_number AS (SELECT s.x AS x, SUM(s.n) AS n FROM (SELECT {cell} AS x, t.{ROWS_OF_VALUE} AS n {from_}) "
        "AS s WHERE s.x IS NOT NULL GROUP BY s.x), "
        "placed AS (SELECT b.x AS x, b.n AS n, SUM(b.n) OVER (ORDER BY b.x) AS up_to, SUM(b.n) OVER () AS total "
        f"FROM by_number AS b) SELECT {quantiles}, SUM(p.n) AS filled, SUM(p.x * p.n) / SUM(p.n) AS mean, "
        "SUM(IF(p.x < 0, p.n, 0)) AS negative, SUM(IF(p.x = 0, p.n, 0)) AS zero, "
        "SUM(IF(p.x = TRUNC(p.x), p.n, 0)) AS whole FROM placed AS p"
    )
    if not row["filled"]:
        return None
    return Numbers(
        quantiles=tuple(float(row[f"q{place}"]) for place in range(len(QUANTILES))),
        mean=float(row["mean"]),
        negative=int(row["negative"]),
        zero=int(row["zero"]),
        whole=int(row["whole"]),
    )


def dates(source: Source, cells: Sequence[str], from_: str | None = None) -> list[Dates | None]:
    """Dates of SQL of DATE, over the alias t; None where no row has one.

    Args:
        source: the table.
        cells: the SQL of each.
        from_: another FROM clause than the table's, such as Source.grouped, which gives the same.
    """
    found = []
    for part in parts(cells, COLUMNS_AT_ONCE):
        outputs = {f"c{k}_{name}": sql for k in range(len(part)) for name, sql in _of_dates(f"c{k}").items()}
        (row,) = _aggregated(source, outputs, {f"c{k}": sql for k, sql in enumerate(part)}, from_)
        found += [_dates(row, k) for k in range(len(part))]
    return found


def _aggregated(
    source: Source, outputs: Mapping[str, str], cells: Mapping[str, str], from_: str | None = None
) -> list[dict[str, Any]]:
    selected = ", ".join(f"{sql} AS {name}" for name, sql in outputs.items())
    inner = ", ".join(f"{sql} AS {name}" for name, sql in cells.items())
    return source.select(f"SELECT COUNT(*) AS n_rows, {selected} FROM (SELECT {inner} {from_ or source.from_}) AS s")


def _aggregates(place: int, cells: Cells) -> dict[str, str]:
    name = f"c{place}"
    if cells.type == "ARRAY":
        return {"filled": f"COUNTIF(ARRAY_LENGTH({name}) > 0)"}
    if cells.type not in COUNTED | {"BYTES"}:
        return {"filled": f"COUNTIF({name} IS NOT NULL)"}
    found = {"filled": f"COUNT({name})", "distinct": f"APPROX_COUNT_DISTINCT({name})"}
    if cells.type in ("STRING", "BYTES"):
        length = f"{'CHAR' if cells.type == 'STRING' else 'BYTE'}_LENGTH({name})"
        found |= {"shortest": f"MIN({length})", "length": f"AVG({length})", "longest": f"MAX({length})"}
    if cells.type == "STRING":
        found |= {"least": f"MIN({name})", "greatest": f"MAX({name})"}
    if cells.type in NUMBERS:
        found |= _of_numbers(name, is_whole=cells.type == "INT64")
    if cells.type in DAYS:
        found |= _of_dates(name if cells.type == "DATE" else f"DATE({name})")
    return found


def _of_numbers(name: str, is_whole: bool = False) -> dict[str, str]:
    return {
        "least": f"MIN({name})",
        "greatest": f"MAX({name})",
        "quantiles": f"APPROX_QUANTILES({name}, 100)",
        "mean": f"AVG({name})",
        "negative": f"COUNTIF({name} < 0)",
        "zero": f"COUNTIF({name} = 0)",
        "whole": f"COUNT({name})" if is_whole else f"COUNTIF({name} = TRUNC({name}))",
    }


def _of_dates(sql: str) -> dict[str, str]:
    return {"first": f"MIN({sql})", "last": f"MAX({sql})", "days": f"APPROX_COUNT_DISTINCT({sql})"}


def _counts(row: Mapping[str, Any], place: int, cells: Cells) -> Counts:
    filled = int(row[f"c{place}_filled"] or 0)
    shortest, ends = row.get(f"c{place}_shortest"), ()
    if cells.type == "STRING" and filled:
        ends = (row[f"c{place}_least"], row[f"c{place}_greatest"])
    return Counts(
        rows=int(row["n_rows"]),
        filled=filled,
        distinct=min(filled, int(row.get(f"c{place}_distinct") or 0)),
        lengths=None
        if shortest is None
        else Lengths(int(shortest), float(row[f"c{place}_length"]), int(row[f"c{place}_longest"])),
        ends=ends,
        numbers=_numbers(row, place) if cells.type in NUMBERS else None,
        dates=_dates(row, place) if cells.type in DAYS else None,
    )


def _numbers(row: Mapping[str, Any], place: int) -> Numbers | None:
    if not row[f"c{place}_filled"]:
        return None
    hundredths = row[f"c{place}_quantiles"]
    inner = [float(hundredths[round(100 * share)]) for share in QUANTILES[1:-1]]
    return Numbers(
        quantiles=(float(row[f"c{place}_least"]), *inner, float(row[f"c{place}_greatest"])),
        mean=float(row[f"c{place}_mean"]),
        negative=int(row[f"c{place}_negative"]),
        zero=int(row[f"c{place}_zero"]),
        whole=int(row[f"c{place}_whole"]),
    )


def _dates(row: Mapping[str, Any], place: int) -> Dates | None:
    first, last = row[f"c{place}_first"], row[f"c{place}_last"]
    return None if first is None else Dates(first, last, int(row[f"c{place}_days"]))
