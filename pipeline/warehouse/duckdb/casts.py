r"""CAST and SAFE_CAST with BigQuery's meaning.

DuckDB accepts more texts than BigQuery does ('yes' as BOOL, '1_000' as a number, '2024/01/31' as a date), rounds halves
to even, and writes a whole FLOAT64 as '5.0'. A parsed query has no types, so each cast becomes a CASE on TYPEOF(x),
which DuckDB resolves when it plans the query.

The accepted texts are those of ZetaSQL, the reference implementation of BigQuery's SQL:
https://github.com/google/zetasql/blob/master/docs/conversion_functions.md
"""

from __future__ import annotations

import functools

import sqlglot
from sqlglot import exp

_INTEGER = r"\s*[+-]?([0-9]+|0[xX][0-9a-fA-F]+)\s*"
_DECIMAL = r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
_FLOAT = rf"{_DECIMAL}|\s*[+-]?([iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])\s*"
_BOOL = r"[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]"
_DATE = r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
_TIME = r"([01]?[0-9]|2[0-3]):[0-9]{1,2}:[0-9]{1,2}(\.[0-9]{0,6})?"
_DATETIME = rf"{_DATE}([ Tt]{_TIME})?"
_TIMESTAMP = rf"{_DATETIME}( ?([Zz]|[+-][0-9]{{1,2}}(:[0-9]{{2}})?)| [A-Za-z][A-Za-z0-9_+/-]*)?"

# By target type: BigQuery's name, DuckDB's type, the texts that have a value. Integers come in many widths.
_TARGETS: dict[exp.DType, tuple[str, str, str]] = {
    **{
        kind: ("INT64", "BIGINT", _INTEGER)
        for kind in (exp.DType.BIGINT, exp.DType.INT, exp.DType.SMALLINT, exp.DType.TINYINT)
    },
    exp.DType.DOUBLE: ("FLOAT64", "DOUBLE", _FLOAT),
    exp.DType.DECIMAL: ("NUMERIC", "DECIMAL(38, 9)", _DECIMAL),
    exp.DType.BOOLEAN: ("BOOL", "BOOLEAN", _BOOL),
    exp.DType.DATE: ("DATE", "DATE", _DATE),
    exp.DType.TIMESTAMP: ("DATETIME", "TIMESTAMP", _DATETIME),
    exp.DType.TIMESTAMPTZ: ("TIMESTAMP", "TIMESTAMPTZ", _TIMESTAMP),
}

_TEXT, _NUMBER, _BINARY = "VARCHAR", "DOUBLE", "BLOB"  # what TYPEOF(x) says; the types with branches of their own
_ASKED = {_TEXT: "TYPEOF(x) = 'VARCHAR'", _NUMBER: "TYPEOF(x) IN ('DOUBLE', 'FLOAT')", _BINARY: "TYPEOF(x) = 'BLOB'"}
_KNOWN = "known_type"  # in a node's meta: the type of what was made here

# As text, a number has 15 digits where these suffice to read it back, else 17. `+ 0` makes -0 a 0.
_NUMBER_AS_TEXT = """
CASE
  WHEN ISINF(TRY_CAST(x AS DOUBLE)) OR ISNAN(TRY_CAST(x AS DOUBLE)) THEN CAST(x AS VARCHAR)
  WHEN CAST(PRINTF('%.15g', TRY_CAST(x AS DOUBLE)) AS DOUBLE) = TRY_CAST(x AS DOUBLE)
    THEN PRINTF('%.15g', TRY_CAST(x AS DOUBLE) + 0)
  ELSE PRINTF('%.17g', TRY_CAST(x AS DOUBLE))
END
"""
_OTHER_AS_TEXT = """
CASE
  WHEN STARTS_WITH(TYPEOF(x), 'DECIMAL') AND CONTAINS(CAST(x AS VARCHAR), '.')
    THEN RTRIM(RTRIM(CAST(x AS VARCHAR), '0'), '.')
  ELSE CAST(x AS VARCHAR)
END
"""


def cast_as_bigquery(node: exp.Cast) -> exp.Expression:
    """The DuckDB expression with the meaning of a CAST or SAFE_CAST (exp.TryCast) in BigQuery.

    Args:
        node: the cast; its operand has been rewritten already.
    """
    operand, kind = node.this, node.to.this
    if isinstance(operand, exp.Parameter) or _is_hexadecimal(operand) or node.args.get("format"):
        return node
    if isinstance(operand, exp.Literal) and not operand.is_string:
        if operand.is_int:
            return node
        operand = exp.Cast(this=operand.copy(), to=exp.DataType(this=exp.DType.DOUBLE))
    is_safe = isinstance(node, exp.TryCast)
    if kind in exp.DataType.TEXT_TYPES:
        made = _TEXT
        branches = {
            _TEXT: "CAST(x AS VARCHAR)",
            _NUMBER: _NUMBER_AS_TEXT,
            _BINARY: "DECODE(CAST(CAST(x AS VARCHAR) AS BLOB))",
        }
        other = _OTHER_AS_TEXT
    elif kind in _TARGETS and not node.to.expressions:
        name, made, texts = _TARGETS[kind]
        cast = "TRY_CAST" if is_safe else "CAST"
        branches = {_TEXT: _from_text(name, made, texts, None if is_safe else _what(operand))}
        if name == "INT64":
            branches[_NUMBER] = f"{cast}(ROUND(TRY_CAST(x AS DOUBLE)) AS BIGINT)"
        other = f"{cast}(x AS {made})"
    else:
        return node
    known = _known_type(operand)
    if known:
        template = branches.get(known, other)
    else:
        asked = " ".join(f"WHEN {_ASKED[type_]} THEN {branch}" for type_, branch in branches.items())
        template = f"CASE {asked} ELSE {other} END"
    return _filled(template, operand, made)


def _from_text(name: str, duckdb_type: str, texts: str, what: str | None) -> str:
    """The branch for a text; `what` names it in the error, or is None where there is none but NULL."""
    text = "CAST(x AS VARCHAR)"
    if what is None:
        return f"CASE WHEN REGEXP_FULL_MATCH({text}, '{texts}') THEN TRY_CAST({text} AS {duckdb_type}) END"
    error = f"ERROR('CAST AS {name} of {what}: a text is not {name}; SAFE_CAST gives NULL instead')"
    is_other = f"NOT REGEXP_FULL_MATCH({text}, '{texts}')"
    return f"CASE WHEN {is_other} THEN {error} ELSE CAST({text} AS {duckdb_type}) END"


def _what(operand: exp.Expression) -> str:
    return f"column {operand.name}".replace("'", "''") if isinstance(operand, exp.Column) else "an expression"


def _known_type(operand: exp.Expression) -> str | None:
    """The operand's type in DuckDB, if the expression shows it."""
    if _KNOWN in operand.meta:
        return operand.meta[_KNOWN]
    operand = operand.unnest()
    if isinstance(operand, exp.Literal | exp.Concat | exp.Substring):
        return _TEXT  # a literal that is a number has become a cast
    if isinstance(operand, exp.Count):
        return "BIGINT"
    if isinstance(operand, exp.Cast):
        kind = operand.to.this
        return _TEXT if kind in exp.DataType.TEXT_TYPES else _TARGETS[kind][1] if kind in _TARGETS else None
    return None


def _is_hexadecimal(operand: exp.Expression) -> bool:
    """Whether it is CONCAT('0x', ...), as in the hash of a split: a number by construction, read millions of times."""
    first = operand.expressions[0] if isinstance(operand, exp.Concat) and operand.expressions else None
    return isinstance(first, exp.Literal) and first.this == "0x"


def _filled(template: str, operand: exp.Expression, made: str) -> exp.Expression:
    """The template with the operand in place of each x."""
    tree = exp.Paren(this=_parsed(template).copy())
    for column in list(tree.find_all(exp.Column)):
        column.replace(operand.copy())
    tree.meta[_KNOWN] = made
    return tree


@functools.lru_cache(maxsize=128)
def _parsed(template: str) -> exp.Expression:
    return sqlglot.parse_one(template, read="duckdb")
