"""Constructs of BigQuery's SQL that sqlglot 30 translates for DuckDB without an error, and with another meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from pipeline.warehouse.interface import WarehouseError


def refuse_different(tree: exp.Query, parameter_types: Mapping[str, str]) -> None:
    """Raises WarehouseError, naming the construct, if the tree holds one that DuckDB would understand differently."""
    for node in tree.walk():
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


def _is_string(node: exp.Expression, parameter_types: Mapping[str, str]) -> bool:
    if isinstance(node, exp.Parameter):
        return parameter_types.get(node.name) == "STRING"
    return isinstance(node, exp.Literal) and node.is_string
