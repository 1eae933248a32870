"""Positions in texts and lists: what BigQuery does at zero, below it, and beyond the end."""

from __future__ import annotations

from sqlglot import exp


def substring(node: exp.Expression) -> exp.Expression:
    """SUBSTR: BigQuery takes position 0, or one before the start, as 1; a negative length is an error."""
    start, length = node.args.get("start"), node.args.get("length")
    if isinstance(start, exp.Literal) and start.this == "0":
        node.set("start", exp.Literal.number(1))
    elif start is not None and not isinstance(start, exp.Literal):
        before = exp.LT(this=start.copy(), expression=exp.Neg(this=exp.Length(this=node.this.copy())))
        outside = exp.Or(this=exp.EQ(this=start.copy(), expression=exp.Literal.number(0)), expression=before)
        node.set("start", exp.Case(ifs=[exp.If(this=outside, true=exp.Literal.number(1))], default=start))
    if length is not None:
        node.set("length", _not_negative(length, "SUBSTR: a length is negative"))
    return node


def left_or_right(node: exp.Expression) -> exp.Expression:
    """LEFT and RIGHT: a negative length is an error in BigQuery; DuckDB counts it from the other end."""
    name = "LEFT" if isinstance(node, exp.Left) else "RIGHT"
    node.set("expression", _not_negative(node.expression, f"{name}: a length is negative"))
    return node


def repeat(node: exp.Expression) -> exp.Expression:
    """REPEAT: a negative count is an error in BigQuery."""
    node.set("times", _not_negative(node.args["times"], "REPEAT: a count is negative"))
    return node


def pad(node: exp.Expression) -> exp.Expression:
    """LPAD and RPAD: a negative length is an error in BigQuery."""
    node.set("expression", _not_negative(node.expression, "LPAD or RPAD: a length is negative"))
    return node


def element(node: exp.Expression) -> exp.Expression:
    """`l[OFFSET(n)]` and its kind: an error beyond the ends, NULL with SAFE_; DuckDB counts negatives from the end."""
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        return node
    index = node.expressions[0].unnest()
    if isinstance(index, exp.Literal) and index.is_string:
        return node  # a field of a JSON value
    first = node.args.get("offset") or 0
    if isinstance(index, exp.Cast) and isinstance(index.this, exp.Literal):
        index = index.this
    found = exp.Anonymous(this="LIST_EXTRACT", expressions=[node.this.copy(), _plus(index, 1 - first)])
    below = exp.LT(this=exp.Paren(this=index.copy()), expression=exp.Literal.number(first))
    size = exp.Anonymous(this="LEN", expressions=[node.this.copy()])
    above = exp.GTE(this=exp.Paren(this=index.copy()), expression=_plus(size, first))
    if node.args.get("safe"):
        return exp.Paren(this=exp.Case(ifs=[exp.If(this=exp.not_(below), true=found)]))
    outside = exp.Or(this=below, expression=above)
    error = _error("array index out of bounds; SAFE_OFFSET or SAFE_ORDINAL gives NULL instead")
    return exp.Paren(this=exp.Case(ifs=[exp.If(this=outside, true=error)], default=found))


def _plus(value: exp.Expression, number: int) -> exp.Expression:
    if not number:
        return value.copy()
    return exp.Add(this=exp.Paren(this=value.copy()), expression=exp.Literal.number(number))


def _not_negative(node: exp.Expression, problem: str) -> exp.Expression:
    if isinstance(node, exp.Literal):
        return node  # a negative number is no literal, but the negation of one
    negative = exp.LT(this=exp.Paren(this=node.copy()), expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=negative, true=_error(problem))], default=node.copy())


def _error(text: str) -> exp.Expression:
    return exp.Anonymous(this="ERROR", expressions=[exp.Literal.string(text)])
