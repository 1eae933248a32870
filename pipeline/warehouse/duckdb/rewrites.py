"""What must change in a BigQuery tree before sqlglot writes it for DuckDB.

sqlglot translates most constructs rightly. Some come out with another meaning and no error: those that can be said
exactly in DuckDB are rewritten here, the others are refused (`duckdb_refusals`).

Two differences cannot be seen in a tree, which knows no types: CAST(x AS INT64) of a FLOAT64 rounds halves to even
(BigQuery: away from zero; write CAST(ROUND(x) AS INT64)), and CAST(x AS STRING) of a whole FLOAT64 writes '5.0'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from pipeline.warehouse.duckdb.lists import unpack_without_join
from pipeline.warehouse.duckdb.refusals import refuse_different

_COARSE_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")


def rewrite_for_duckdb(tree: exp.Query, parameter_types: Mapping[str, str]) -> exp.Query:
    """Rewrites the tree, in place, so that its translation means in DuckDB what the tree means in BigQuery.

    Args:
        tree: one SELECT of BigQuery's dialect.
        parameter_types: BigQuery's type of each parameter.

    Returns:
        The rewritten tree.

    Raises:
        WarehouseError: a construct that would silently mean something else in DuckDB.
    """
    refuse_different(tree, parameter_types)
    for subquery in list(tree.find_all(exp.Subquery)):
        unpack_without_join(subquery)
    for node in reversed(list(tree.walk(bfs=True))):  # children before their parents
        changed = _rewrite(node, parameter_types)
        if changed is not node:
            node.replace(changed)
    return tree


def _rewrite(node: exp.Expression, parameter_types: Mapping[str, str]) -> exp.Expression:
    if isinstance(node, exp.Parameter):
        # DuckDB binds a small integer as INT32, and an empty list without a type.
        return exp.Cast(this=node.copy(), to=exp.DataType.build(parameter_types[node.name], dialect="bigquery"))
    rewrite = _REWRITES.get(type(node))
    return rewrite(node) if rewrite else node


def _literal(node: exp.Expression) -> exp.Expression:
    """Numbers are FLOAT64 or INT64 in BigQuery, DECIMAL or INT32 in DuckDB, whose products overflow."""
    if node.is_string or isinstance(node.parent, exp.Cast):
        return node
    if not node.is_int:
        return _cast(node, exp.DType.DOUBLE)
    return _cast(node, exp.DType.BIGINT) if isinstance(node.parent, exp.Mul) else node


def _count_if(node: exp.Expression) -> exp.Expression:
    """COUNTIF over no rows is NULL in DuckDB, and a HUGEINT."""
    return exp.Count(this=exp.If(this=node.this, true=exp.Literal.number(1), false=exp.null()))


def _divide(node: exp.Expression) -> exp.Expression:
    """Division by zero is an error in BigQuery, infinity in DuckDB."""
    divisor = node.expression
    if isinstance(divisor.unnest(), exp.Literal | exp.Nullif):
        return node
    error = exp.Anonymous(this="ERROR", expressions=[exp.Literal.string("division by zero; write SAFE_DIVIDE")])
    zero = exp.EQ(this=divisor.copy(), expression=exp.Literal.number(0))
    node.set("expression", exp.Case(ifs=[exp.If(this=zero, true=error)], default=divisor))
    return node


def _date_arithmetic(node: exp.Expression) -> exp.Expression:
    """DATE_ADD, DATE_SUB and DATE_FROM_UNIX_DATE give a TIMESTAMP in DuckDB."""
    return node if isinstance(node.parent, exp.Cast) else _cast(node, exp.DType.DATE)


def _date_trunc(node: exp.Expression) -> exp.Expression:
    """DATE_TRUNC gives a TIMESTAMP in DuckDB."""
    unit = node.args["unit"].sql(dialect="bigquery").strip("'").upper()  # such as WEEK(MONDAY)
    coarse = unit.startswith(_COARSE_UNITS)
    return _cast(node, exp.DType.DATE) if coarse and not isinstance(node.parent, exp.Cast) else node


def _extract(node: exp.Expression) -> exp.Expression:
    """A TIMESTAMP of BigQuery is DuckDB's TIMESTAMPTZ (before AT TIME ZONE), its ISOWEEK DuckDB's WEEK."""
    if node.this.name.upper() == "ISOWEEK":
        node.set("this", exp.var("WEEK"))
    if isinstance(node.expression, exp.AtTimeZone):
        node.expression.set("this", _cast(node.expression.this, exp.DType.TIMESTAMPTZ))
    return node


def _datetime(node: exp.Expression) -> exp.Expression:
    """DATETIME(timestamp, zone)."""
    zone = node.args.get("expression")
    return node if zone is None else exp.AtTimeZone(this=_cast(node.this, exp.DType.TIMESTAMPTZ), zone=zone)


def _arg_max(node: exp.Expression) -> exp.Expression:
    """MAX_BY and MIN_BY may return NULL in BigQuery; DuckDB's skip rows whose value is NULL."""
    name = "ARG_MAX_NULL" if isinstance(node, exp.ArgMax) else "ARG_MIN_NULL"
    return exp.Anonymous(this=name, expressions=[node.this, node.expression])


def _in_unnest(node: exp.Expression) -> exp.Expression:
    """`x IN UNNEST(@list)`: sqlglot's translation repeats the list five times a row."""
    unnest = node.args.get("unnest")
    values = unnest.expressions[0] if isinstance(unnest, exp.Unnest) and unnest.expressions else unnest
    return exp.Anonymous(this="LIST_CONTAINS", expressions=[values, node.this]) if _is_parameter(values) else node


_REWRITES: dict[type[exp.Expression], Callable[[exp.Expression], exp.Expression]] = {
    exp.ArgMax: _arg_max,
    exp.ArgMin: _arg_max,
    exp.Literal: _literal,
    exp.CountIf: _count_if,
    exp.Div: _divide,
    exp.DateAdd: _date_arithmetic,
    exp.DateSub: _date_arithmetic,
    exp.DateFromUnixDate: _date_arithmetic,
    exp.DateTrunc: _date_trunc,
    exp.Extract: _extract,
    exp.Datetime: _datetime,
    exp.In: _in_unnest,
}


def _cast(node: exp.Expression, kind: exp.DType) -> exp.Cast:
    return exp.Cast(this=node.copy(), to=exp.DataType(this=kind))


def _is_parameter(node: exp.Expression | None) -> bool:
    return isinstance(node.this if isinstance(node, exp.Cast) else node, exp.Parameter)
