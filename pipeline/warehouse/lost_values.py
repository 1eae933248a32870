"""Finds values that SAFE_CAST turns into NULL: a query loses them without an error."""

from __future__ import annotations

from sqlglot import exp

from pipeline.warehouse.dialect import parse_select
from pipeline.warehouse.interface import Query, Warehouse, WarehouseError

#: The run warns of a SAFE_CAST that gives NULL for at least this share of the values.
LOST_SHARE = 0.01


def lost_values(warehouse: Warehouse, query: Query) -> list[str]:
    """One warning for each SAFE_CAST in the query of a table that loses values, and a share of them that matters.

    A SAFE_CAST of an aggregate, or in a subquery that depends on the query around it, is not looked at.
    """
    tree = parse_select(query.sql)
    found: dict[str, str] = {}
    for select in tree.find_all(exp.Select):
        casts = [cast for cast in select.find_all(exp.TryCast) if _is_countable(cast, select)]
        if not casts:
            continue
        try:
            [row] = warehouse.select(Query(_counting(tree, select, casts).sql(dialect="bigquery")))
        except WarehouseError:
            continue  # the subquery depends on the query around it
        for place, cast in enumerate(casts):
            values, lost = int(row[f"n_values_{place}"]), int(row[f"n_lost_{place}"])
            if lost and lost >= LOST_SHARE * values:
                text = cast.sql(dialect="bigquery")
                found[text] = (
                    f"query.sql: {text} is NULL in {lost:,} of {values:,} rows that hold a value; "
                    "first remove what is not part of the number, for example REPLACE(x, ',', '.') for a decimal comma"
                )
    return list(found.values())


def _is_countable(cast: exp.TryCast, select: exp.Select) -> bool:
    return cast.find_ancestor(exp.Select) is select and cast.find(exp.AggFunc, exp.Window, exp.Query) is None


def _counting(tree: exp.Query, select: exp.Select, casts: list[exp.TryCast]) -> exp.Select:
    """A SELECT of the same rows that counts the values of each SAFE_CAST, and those that it loses."""
    counting = exp.Select()
    for place, cast in enumerate(casts):
        value = f"({cast.this.sql(dialect='bigquery')}) IS NOT NULL"
        lost = f"{value} AND {cast.sql(dialect='bigquery')} IS NULL"
        counting = counting.select(f"COUNTIF({value}) AS n_values_{place}", dialect="bigquery", copy=False)
        counting = counting.select(f"COUNTIF({lost}) AS n_lost_{place}", dialect="bigquery", copy=False)
    for part in ("from_", "joins", "laterals", "where"):
        value = select.args.get(part)
        if value:
            copied = [item.copy() for item in value] if isinstance(value, list) else value.copy()
            counting.set(part, copied)
    with_ = tree.args.get("with_")
    if with_ is not None:
        counting.set("with_", with_.copy())
    return counting
