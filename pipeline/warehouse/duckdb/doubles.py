"""Refuses what BigQuery refuses and DuckDB renames in silence: a subquery that returns two columns of one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlglot
from sqlglot import exp

from pipeline.warehouse.dialect import Statement
from pipeline.warehouse.duckdb.names import find_twice
from pipeline.warehouse.interface import Value, WarehouseError

Execute = Callable[[str, Mapping[str, Value]], tuple[list[tuple], list[str]]]


def check_doubles(statement: Statement, execute: Execute) -> None:
    """Looks at every WITH and every subquery of FROM.

    Args:
        statement: a query as DuckDB runs it.
        execute: runs SQL.

    Raises:
        WarehouseError: two columns have one name; upper and lower case count as equal.
    """
    tree = sqlglot.parse_one(statement.sql, read="duckdb")
    for inner in _inner_queries(tree):
        if not any(select.is_star for select in inner.find_all(exp.Select)):
            names = inner.named_selects
        else:
            whole = _with_its_tables(inner)
            try:
                rows, _ = execute(f"DESCRIBE {whole.sql(dialect='duckdb')}", _used(whole, statement.parameters))
            except WarehouseError:
                continue  # it reads columns of the query around it; DuckDB has checked the whole query
            names = [str(row[0]) for row in rows]
        twice = find_twice(name for name in names if name)
        if twice:
            name = [name for name in names if name][twice[1] - 1]
            where = f"WITH {inner.parent.alias}" if isinstance(inner.parent, exp.CTE) else "a subquery of FROM"
            raise WarehouseError(
                f"the column '{name}' is returned twice by {where}; name one of them otherwise, or leave it out with "
                f"* EXCEPT ({name})"
            )


def _inner_queries(tree: exp.Expression) -> list[exp.Query]:
    found = [cte.this for cte in tree.find_all(exp.CTE)]
    for subquery in tree.find_all(exp.Subquery):
        if isinstance(subquery.parent, exp.From | exp.Join):
            found.append(subquery.this)
    return [query for query in found if isinstance(query, exp.Select | exp.SetOperation)]


def _with_its_tables(inner: exp.Query) -> exp.Query:
    """The query with every WITH that is in force where it stands."""
    ctes = []
    node: exp.Expression | None = inner
    while node is not None:
        with_ = node.args.get("with_") if isinstance(node, exp.Query) and node is not inner else None
        if with_ is not None:
            before = []
            for cte in with_.expressions:
                if any(cte is above for above in _ancestors(inner)):
                    break
                before.append(cte.copy())
            ctes = before + ctes
        node = node.parent
    whole = inner.copy()
    own = whole.args.get("with_")
    if own is not None:
        ctes += [cte.copy() for cte in own.expressions]
    if ctes:
        whole.set("with_", exp.With(expressions=ctes))
    return whole


def _ancestors(node: exp.Expression) -> list[exp.Expression]:
    found = []
    while node.parent is not None:
        node = node.parent
        found.append(node)
    return found


def _used(tree: exp.Expression, parameters: Mapping[str, Value]) -> dict[str, Value]:
    names = {parameter.name for parameter in tree.find_all(exp.Parameter, exp.Placeholder)}
    return {name: value for name, value in parameters.items() if name in names}
