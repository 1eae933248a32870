"""Constructs of BigQuery's SQL that sqlglot 30 translates to DuckDB without an error, but with another meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sqlglot import exp

from pipeline.warehouse.interface import WarehouseError

_CLOCK_UNITS = ("HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND")

# Format elements with the same meaning in both engines; %F, %D, %T, %R and %h consist of them.
_ELEMENT = re.compile(r"%(?:-.|[EO].?.?|.|$)")
_DATE_ELEMENTS = frozenset(
    {"%Y", "%y", "%m", "%d", "%b", "%B", "%a", "%A", "%j", "%u", "%w", "%U", "%W", "%V", "%G", "%%"}
)
_CLOCK_ELEMENTS = frozenset({"%H", "%I", "%M", "%S", "%p"})
_PARSED_ELEMENTS = frozenset({"%Y", "%y", "%m", "%d", "%-d", "%b", "%B", "%a", "%A", "%j", "%%"})
_WRITTEN = {"%-d": "%e"}  # how the query writes it
_FORMATTERS = {
    exp.TsOrDsToDate: ("FORMAT_DATE", _DATE_ELEMENTS),
    exp.TsOrDsToDatetime: ("FORMAT_DATETIME", _DATE_ELEMENTS | _CLOCK_ELEMENTS),
}
_PARSERS = {
    exp.StrToDate: ("PARSE_DATE", _PARSED_ELEMENTS),
    exp.StrToTime: ("PARSE_TIMESTAMP", _PARSED_ELEMENTS | _CLOCK_ELEMENTS | {"%z"}),
    exp.ParseDatetime: ("PARSE_DATETIME", _PARSED_ELEMENTS | _CLOCK_ELEMENTS),
}


def refuse_different(tree: exp.Query, parameter_types: Mapping[str, str]) -> None:
    """Raises WarehouseError, which names the construct, if DuckDB would give it another meaning."""
    for node in tree.walk():
        check = _REFUSALS.get(type(node))
        problem = check(node, parameter_types) if check else None
        if problem:
            raise WarehouseError(f"DuckDB would silently give another result: the query uses {problem}")


def _refuse_extract(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    part = node.this.sql("bigquery").upper()
    if part == "DAYOFWEEK":
        return "EXTRACT(DAYOFWEEK ...); write MOD(UNIX_DATE(d) + 4, 7) instead, where 0 is Sunday"
    if part.startswith("WEEK"):
        return f"EXTRACT({part} ...); write EXTRACT(ISOWEEK ...) instead"
    return None


def _refuse_timestamp_diff(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    if node.text("unit").upper() == "MICROSECOND":
        return None
    return "TIMESTAMP_DIFF; write DIV(UNIX_MICROS(a) - UNIX_MICROS(b), <microseconds of the unit>) instead"


def _refuse_offset(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    return "UNNEST ... WITH OFFSET" if node.args.get("offset") else None


def _refuse_instr(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    position = node.args.get("position")
    forward = position is None or (isinstance(position, exp.Literal) and position.is_int and int(position.this) > 0)
    if forward and not node.args.get("occurrence"):
        return None
    return "INSTR with an occurrence or from the end; write STRPOS, or STRPOS of REVERSE(s), instead"


def _refuse_trunc(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    unit = node.text("unit").upper()
    if not node.args.get("zone") or unit not in _CLOCK_UNITS:
        return None
    return f"TIMESTAMP_TRUNC(..., {unit}, zone); write DATETIME_TRUNC(DATETIME(ts, zone), {unit}) instead"


def _refuse_printf(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    return "FORMAT; write CONCAT, CAST(x AS STRING), ROUND or LPAD instead"


def _refuse_datetime(node: exp.Expression, parameter_types: Mapping[str, str]) -> str | None:
    zone = node.args.get("expression")
    return None if zone is None or _is_string(zone, parameter_types) else "DATETIME(date, time)"


def _refuse_format(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    function, allowed = _FORMATTERS.get(type(node.this), ("FORMAT_TIMESTAMP", _DATE_ELEMENTS | _CLOCK_ELEMENTS))
    if node.args.get("zone"):
        return f"{function} with a time zone; write FORMAT_DATETIME(f, DATETIME(ts, zone)) instead"
    return _format_problem(node, function, allowed)


def _refuse_parse(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    function, allowed = _PARSERS[type(node)]
    if node.args.get("zone"):
        return f"{function} with a time zone; write TIMESTAMP(PARSE_DATETIME(f, s), zone) instead"
    return _format_problem(node, function, allowed)


def _format_problem(node: exp.Expression, function: str, allowed: frozenset[str]) -> str | None:
    """What is wrong with a format, as sqlglot has rewritten it for Python's strftime."""
    format_ = node.args["format"]
    if not isinstance(format_, exp.Literal):
        return f"{function} with a format that is not a literal"
    elements = _ELEMENT.findall(format_.this.replace("%S.%f", "%S"))  # %E6S
    unknown = [_WRITTEN.get(element, element) for element in elements if element not in allowed]
    if not unknown:
        return None
    written = ", ".join(dict.fromkeys(unknown))
    return f"{function} with the element {written}; use only elements that mean the same: {' '.join(sorted(allowed))}"


def _refuse_group(node: exp.Expression, _: Mapping[str, str]) -> str | None:
    """GROUP BY of a name that is both an input and the alias of something else made from it."""
    select = node.parent
    grouped = {item.name.lower() for item in node.expressions if isinstance(item, exp.Column) and not item.table}
    for item in select.expressions if isinstance(select, exp.Select) else ():
        name = item.alias.lower() if isinstance(item, exp.Alias) else ""
        if name not in grouped or isinstance(item.this, exp.Column):
            continue
        if any(column.name.lower() == name for column in item.this.find_all(exp.Column)):
            return f"GROUP BY '{item.alias}', an output with the name of its input; give the output another name"
    return None


_REFUSALS: dict[type[exp.Expression], Callable[[exp.Expression, Mapping[str, str]], str | None]] = {
    exp.Extract: _refuse_extract,
    exp.TimestampDiff: _refuse_timestamp_diff,
    exp.Unnest: _refuse_offset,
    exp.StrPosition: _refuse_instr,
    exp.TimestampTrunc: _refuse_trunc,
    exp.Format: _refuse_printf,
    exp.Datetime: _refuse_datetime,
    exp.TimeToStr: _refuse_format,
    exp.StrToDate: _refuse_parse,
    exp.StrToTime: _refuse_parse,
    exp.ParseDatetime: _refuse_parse,
    exp.Group: _refuse_group,
}


def _is_string(node: exp.Expression, parameter_types: Mapping[str, str]) -> bool:
    if isinstance(node, exp.Parameter):
        return parameter_types.get(node.name) == "STRING"
    return isinstance(node, exp.Literal) and node.is_string
