"""What must change in a BigQuery tree before sqlglot writes it for DuckDB, and what is refused there.

sqlglot translates most constructs rightly. Some come out with another meaning and no error: those that can be said
exactly in DuckDB are rewritten, the others refused with the construct's name and what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from pipeline.warehouse.interface import WarehouseError

_ELEMENT = "element"  # the variable of the lambdas made here
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
    for node in tree.walk():
        _refuse(node, parameter_types)
    for subquery in list(tree.find_all(exp.Subquery)):
        _unpack_without_join(subquery)
    for node in reversed(list(tree.walk(bfs=True))):  # children before their parents
        changed = _rewrite(node, parameter_types)
        if changed is not node:
            node.replace(changed)
    return tree


def _refuse(node: exp.Expression, parameter_types: Mapping[str, str]) -> None:
    check = _REFUSALS.get(type(node))
    problem = check(node, parameter_types) if check else None
    if problem:
        raise WarehouseError(f"the query uses {problem}: DuckDB would silently give another result")


def _refuse_extract(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    part = node.this.name.upper() or node.this.sql("bigquery").upper()
    if part == "DAYOFWEEK":
        return "EXTRACT(DAYOFWEEK ...), instead of which write MOD(UNIX_DATE(d) + 4, 7), Sunday being 0"
    if part.startswith("WEEK"):
        return f"EXTRACT({part} ...), instead of which write EXTRACT(ISOWEEK ...)"
    return None


def _refuse_timestamp_diff(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    if node.text("unit").upper() == "MICROSECOND":
        return None
    return "TIMESTAMP_DIFF, instead of which write DIV(UNIX_MICROS(a) - UNIX_MICROS(b), <microseconds of the unit>)"


def _refuse_offset(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    return "UNNEST ... WITH OFFSET" if node.args.get("offset") else None


def _refuse_safe_cast(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    if not node.to.is_type(*exp.DataType.INTEGER_TYPES):
        return None
    return "SAFE_CAST(... AS INT64), instead of which write CAST(TRUNC(SAFE_CAST(x AS FLOAT64)) AS INT64)"


def _refuse_datetime(node: exp.Expression, parameter_types: Mapping[str, str]) -> str | None:
    zone = node.args.get("expression")
    return None if zone is None or _is_string(zone, parameter_types) else "DATETIME(date, time)"


def _refuse_format(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    if not node.args.get("zone"):
        return None
    return "FORMAT_TIMESTAMP with a time zone, instead of which write FORMAT_DATETIME(f, DATETIME(ts, zone))"


def _refuse_group(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    """GROUP BY of a name that is both an input and the alias of something else made from it."""
    select = node.parent
    grouped = {item.name.lower() for item in node.expressions if isinstance(item, exp.Column) and not item.table}
    for item in select.expressions if isinstance(select, exp.Select) else ():
        name = item.alias.lower() if isinstance(item, exp.Alias) else ""
        if name not in grouped or isinstance(item.this, exp.Column):
            continue
        if any(column.name.lower() == name for column in item.this.find_all(exp.Column)):
            return f"GROUP BY '{item.alias}', an output named like its input; give the output another name"
    return None


_REFUSALS: dict[type[exp.Expression], Callable[[exp.Expression, Mapping[str, str]], str | None]] = {
    exp.Extract: _refuse_extract,
    exp.TimestampDiff: _refuse_timestamp_diff,
    exp.Unnest: _refuse_offset,
    exp.TryCast: _refuse_safe_cast,
    exp.Datetime: _refuse_datetime,
    exp.TimeToStr: _refuse_format,
    exp.Group: _refuse_group,
}


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
    unit = node.args["unit"]
    name = (unit.name or unit.sql("bigquery")).upper()
    coarse = name.startswith(_COARSE_UNITS)
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


def _unpack_without_join(subquery: exp.Subquery) -> None:
    """Replaces `(SELECT e.v FROM UNNEST(list) AS e WHERE e.k = x)` by a filter of the list: 2 CPU seconds, not 100.

    BigQuery raises an error if two elements fit; this takes the first.
    """
    select = subquery.this
    if not isinstance(select, exp.Select) or not isinstance(subquery.parent, exp.Expression):
        return
    clauses = {name for name, value in select.args.items() if value and name not in ("kind", "hint")}
    limit = select.args.get("limit")
    source = select.args["from_"].this if select.args.get("from_") else None
    if (
        not clauses <= {"expressions", "from_", "where", "limit"}
        or not {"expressions", "from_", "where"} <= clauses
        or (limit and limit.expression.name != "1")
        or not isinstance(source, exp.Unnest)
        or len(source.expressions) != 1
        or len(select.expressions) != 1
        or isinstance(subquery.parent, exp.From | exp.Join)
    ):
        return
    value = select.expressions[0].unalias()
    condition = select.args["where"].this
    if any(part.find(exp.AggFunc, exp.Window, exp.Query, exp.Star) for part in (value, condition)):
        return
    alias = source.args.get("alias")
    names = [column.name.lower() for column in alias.columns] if alias else []
    if names:
        is_element = names[0].__eq__
    elif all(
        column.parts[0].name.lower() in ("key", "value")
        for column in select.find_all(exp.Column)
        if column.find_ancestor(exp.Unnest) is not source
    ):
        is_element = None
    else:
        return
    found = exp.ArrayFilter(this=source.expressions[0], expression=_lambda(condition, is_element))
    values = exp.Transform(this=found, expression=_lambda(value, is_element))
    subquery.replace(exp.Anonymous(this="LIST_EXTRACT", expressions=[values, exp.Literal.number(1)]))


def _lambda(body: exp.Expression, is_element: Callable[[str], bool] | None) -> exp.Lambda:
    """A lambda of the element; without a name for the element, each column is a field of it."""
    holder = exp.Paren(this=body.copy())
    for column in list(holder.find_all(exp.Column)):
        parts = column.parts
        if is_element is None:
            path = parts
        elif is_element(parts[0].name.lower()):
            path = parts[1:]
        else:
            continue
        element: exp.Expression = exp.to_identifier(_ELEMENT)
        for part in path:
            element = exp.Dot(this=element, expression=part.copy())
        column.replace(element)
    return exp.Lambda(this=holder.this, expressions=[exp.to_identifier(_ELEMENT)])


def _cast(node: exp.Expression, kind: exp.DType) -> exp.Cast:
    return exp.Cast(this=node.copy(), to=exp.DataType(this=kind))


def _is_parameter(node: exp.Expression | None) -> bool:
    return isinstance(node.this if isinstance(node, exp.Cast) else node, exp.Parameter)


def _is_string(node: exp.Expression, parameter_types: Mapping[str, str]) -> bool:
    if isinstance(node, exp.Parameter):
        return parameter_types.get(node.name) == "STRING"
    return isinstance(node, exp.Literal) and node.is_string
