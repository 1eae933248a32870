"""The changes of a BigQuery tree that sqlglot's translation to DuckDB needs.

sqlglot translates most constructs correctly. Some change their meaning without an error. This module rewrites those
that DuckDB can express exactly (`casts` and `positions` hold the longer ones); `refusals` rejects the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from pipeline.warehouse.duckdb import positions
from pipeline.warehouse.duckdb.casts import cast_as_bigquery
from pipeline.warehouse.duckdb.lists import unpack_without_join
from pipeline.warehouse.duckdb.refusals import refuse_different

_COARSE_UNITS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_FRACTIONS = {"MILLISECOND": 1000, "MICROSECOND": 1_000_000}  # of a second


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
    """Division by zero is an error in BigQuery, but infinity or NULL in DuckDB. The same goes for DIV and MOD."""
    divisor = node.expression
    plain = divisor.unnest()
    plain = plain.this if isinstance(plain, exp.Cast) else plain
    if isinstance(plain, exp.Nullif) or (isinstance(plain, exp.Literal) and float(plain.this) != 0):
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
    coarse = unit.removeprefix("ISO").startswith(_COARSE_UNITS)
    return _cast(node, exp.DType.DATE) if coarse and not isinstance(node.parent, exp.Cast) else node


def _extract(node: exp.Expression) -> exp.Expression:
    """BigQuery's TIMESTAMP is DuckDB's TIMESTAMPTZ (before AT TIME ZONE), its ISOWEEK DuckDB's WEEK.

    DuckDB's MILLISECOND and MICROSECOND include the seconds.
    """
    part = node.this.name.upper()
    if part == "ISOWEEK":
        node.set("this", exp.var("WEEK"))
    if isinstance(node.expression, exp.AtTimeZone):
        node.expression.set("this", _cast(node.expression.this, exp.DType.TIMESTAMPTZ))
    if part in _FRACTIONS:
        return exp.Paren(this=exp.Mod(this=node.copy(), expression=exp.Literal.number(_FRACTIONS[part])))
    return node


def _instant(node: exp.Expression) -> exp.Expression:
    """TIMESTAMP_MICROS and PARSE_TIMESTAMP give a TIMESTAMP, which has a time zone; DuckDB's give one without."""
    is_cast = isinstance(node.parent, exp.Cast) and node.parent.to.is_type(exp.DType.TIMESTAMPTZ)
    # In parentheses: sqlglot refuses EXTRACT of a bare cast, since it does not know that the session's zone is UTC.
    return node if is_cast else exp.Paren(this=_cast(node, exp.DType.TIMESTAMPTZ))


def _parse_date(node: exp.Expression) -> exp.Expression:
    """PARSE_DATE. sqlglot reads its own translation of the text again, and then knows no 'g' of REGEXP_REPLACE."""
    text, format_ = node.this, node.args["format"].this
    if not any(year in format_ for year in ("%Y", "%y", "%G")):
        text, format_ = exp.Concat(expressions=[exp.Literal.string("1970 "), text]), f"%Y {format_}"
    parsed = exp.Anonymous(this="STRPTIME", expressions=[text.copy(), exp.Literal.string(format_)])
    return _cast(parsed, exp.DType.DATE)


def _safe_function(node: exp.Expression) -> exp.Expression:
    """SAFE.PARSE_DATE returns NULL for a text that is not a date of the format."""
    made = node.this  # by _parse_date
    if isinstance(made, exp.Cast) and isinstance(made.this, exp.Anonymous) and made.this.this == "STRPTIME":
        made.this.set("this", "TRY_STRPTIME")
        return made
    return node


def _bit_count(node: exp.Expression) -> exp.Expression:
    """BIT_COUNT of a negative INT32 counts 32 bits in DuckDB."""
    node.set("this", _cast(node.this, exp.DType.BIGINT))
    return node


def _like(node: exp.Expression) -> exp.Expression:
    """A backslash escapes in BigQuery's LIKE, but not in DuckDB's."""
    pattern = node.expression
    if isinstance(pattern, exp.Literal) and "\\" not in pattern.this:
        return node
    return exp.Escape(this=node.copy(), expression=exp.Literal.string("\\"))


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
    exp.Cast: cast_as_bigquery,
    exp.TryCast: cast_as_bigquery,
    exp.Mod: _divide,
    exp.IntDiv: _divide,
    exp.UnixToTime: _instant,
    exp.StrToTime: _instant,
    exp.StrToDate: _parse_date,
    exp.SafeFunc: _safe_function,
    exp.BitwiseCount: _bit_count,
    exp.Like: _like,
    exp.Substring: positions.substring,
    exp.Left: positions.left_or_right,
    exp.Right: positions.left_or_right,
    exp.Repeat: positions.repeat,
    exp.Pad: positions.pad,
    exp.Bracket: positions.element,
}


def _cast(node: exp.Expression, kind: exp.DType) -> exp.Cast:
    return exp.Cast(this=node.copy(), to=exp.DataType(this=kind))


def _is_parameter(node: exp.Expression | None) -> bool:
    return isinstance(node.this if isinstance(node, exp.Cast) else node, exp.Parameter)
