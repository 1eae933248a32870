"""Checks the events of an export: column types, days and times, events without a key, values that are not numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sqlglot import exp

from pipeline.settings.dataset import EventSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse.dialect import parse_select, quoted
from pipeline.warehouse.interface import Column, Query, Warehouse, WarehouseError
from pipeline.warehouse.key_expression import key_expression

#: query.sql may return counts of values that it could not read, under these names.
UNREAD_PREFIX = "unread_"
#: The run fails if more than this share of the first-touch times, where they are set, is not in microseconds.
MAX_ODD_FIRST_TOUCH = 0.5

_PARAMETERS_TYPE = (
    "ARRAY<STRUCT<key STRING, value STRUCT<string_value STRING, int_value INT64, float_value FLOAT64, "
    "double_value FLOAT64>>>"
)
_RECORD_TYPE = "STRUCT, as Google's export has it"


@dataclasses.dataclass(frozen=True)
class _Export:
    """What an export's columns must be.

    Attributes:
        types: BigQuery's types of the columns of a daily table.
        day: the column with the day.
        time: the column with the time.
        digits: of a time of our days in `unit`.
        unit: seconds or microseconds.
    """

    types: dict[str, str]
    day: str
    time: str
    digits: int
    unit: str


_EXPORTS = {
    "ga4": _Export(
        types={
            "event_date": "STRING",
            "event_timestamp": "INT64",
            "event_name": "STRING",
            "event_params": _PARAMETERS_TYPE,
            "user_first_touch_timestamp": "INT64",
            **dict.fromkeys(("device", "geo", "traffic_source", "ecommerce"), _RECORD_TYPE),
        },
        day="event_date",
        time="event_timestamp",
        digits=16,
        unit="microseconds",
    ),
    "ga360": _Export(
        types={
            "date": "STRING",
            "visitStartTime": "INT64",
            "visitNumber": "INT64",
            "hits": "ARRAY<STRUCT>, as Google's export has it",
            **dict.fromkeys(("totals", "device", "geoNetwork", "trafficSource"), _RECORD_TYPE),
        },
        day="date",
        time="visitStartTime",
        digits=10,
        unit="seconds",
    ),
}
_UNITS = ((10, "seconds"), (13, "milliseconds"), (16, "microseconds"), (19, "nanoseconds"))  # digits of a time today


@dataclasses.dataclass(frozen=True)
class EventCounts:
    """Counts of the events that a run reads.

    Attributes:
        events: all of them.
        without_key: those without a key; None if the key is not an expression over a single event.
    """

    events: int
    without_key: int | None


def check_event_columns(warehouse: Warehouse, query: Query, source: EventSource) -> None:
    """Holds the columns that query.sql uses against the export's schema; reads no rows.

    Args:
        warehouse: over the source.
        query: query.sql with its parameters.
        source: which export.

    Raises:
        WarehouseError: columns of another type; the message names each column, its type and the expected one.
    """
    used = _names_in(parse_select(query.sql))
    everything = Query(f"SELECT * FROM `{source.table_prefix}*` AS e {_in_tables('e')}", query.parameters)
    problems = [
        f"column '{column.name}' is {column.type}; expected {expected}"
        for column in warehouse.columns(everything)
        if (expected := _EXPORTS[source.kind].types.get(column.name)) and column.name in used
        if column.type != expected.split("<")[0].split(",")[0]
    ]
    if problems:
        raise WarehouseError(
            "\n".join(f"{source.table_prefix}*: {problem}" for problem in problems)
            + f"\nConvert the columns to the types of Google's {source.kind} export, or cast them in query.sql to "
            "columns of other names"
        )


def count_events(warehouse: Warehouse, folder: DatasetFolder, query: Query) -> EventCounts:
    """Counts the events that a run reads, and checks their days and times. One scan of a few narrow columns.

    Args:
        warehouse: over the source.
        folder: its source is events.
        query: query.sql with its parameters.

    Raises:
        WarehouseError: days that are not YYYYMMDD, or times in another unit.
    """
    source, key = folder.dataset.source, folder.dataset.columns.key
    if not isinstance(source, EventSource) or key is None:
        raise WarehouseError("only events are counted by their key")
    tree = parse_select(folder.query)
    expression, alias = key_expression(tree, key) or (None, "e")
    export = _EXPORTS[source.kind]
    used = _names_in(tree)
    (row,) = warehouse.select(_counting(export, source, used, expression, alias, query))
    _check_days_and_times(export, source, row)
    without_key = None if expression is None else int(row["without_key"])
    return EventCounts(events=int(row["n_events"]), without_key=without_key)


def unread_columns(returned: Sequence[Column], features: Sequence[str]) -> tuple[str, ...]:
    """The columns of query.sql that count values it could not read."""
    return tuple(
        column.name
        for column in returned
        if column.name.startswith(UNREAD_PREFIX) and column.type == "INT64" and column.name not in features
    )


def unread_warnings(warehouse: Warehouse, table: str, columns: Sequence[str]) -> list[str]:
    """One warning for each kind of value that query.sql could not read, with the share of the rows.

    Args:
        warehouse: holds the features table.
        table: the features table.
        columns: unread_columns.
    """
    if not columns:
        return []
    counts = ", ".join(f"COUNTIF(t.{quoted(name)} > 0) AS {quoted(name)}" for name in columns)
    (row,) = warehouse.select(Query(f"SELECT COUNT(*) AS n_rows, {counts} FROM {quoted(table)} AS t"))
    rows = int(row["n_rows"])
    return [
        f"{name.removeprefix(UNREAD_PREFIX)} is set but is not a finite number in events of {int(row[name]):,} of "
        f"{rows:,} rows ({int(row[name]) / rows:.1%}); these values count as missing"
        for name in columns
        if row[name]
    ]


def _names_in(tree: exp.Query) -> set[str]:
    """Names of all columns and fields in a query."""
    return {part.name for column in tree.find_all(exp.Column) for part in column.parts}


def _in_tables(alias: str) -> str:
    return (
        f"WHERE {alias}._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix "
        f"AND {alias}._TABLE_SUFFIX IN UNNEST(@table_suffixes)"
    )


def _counting(
    export: _Export, source: EventSource, used: set[str], key: exp.Expression | None, alias: str, query: Query
) -> Query:
    """One row: all events, those without a key, odd days, and times by their number of digits."""
    counts = ["COUNT(*) AS n_events"]
    if key is not None:
        text = key.sql(dialect="bigquery")
        counts.append(
            f"COUNTIF(({text}) IS NULL OR LOWER(TRIM(CAST(({text}) AS STRING))) IN UNNEST(@unknown_ids)) AS without_key"
        )
    table = exp.to_identifier(alias).sql(dialect="bigquery")  # in backticks only where BigQuery requires them
    if export.day in used:
        counts.append(f"COUNTIF(LENGTH({table}.{quoted(export.day)}) != 8) AS odd_days")
    for column in {export.time, "user_first_touch_timestamp"} & used:
        value = f"{table}.{quoted(column)}"
        counts.append(f"COUNTIF({value} != 0) AS `set_{column}`")
        for digits, unit in _UNITS:
            counts.append(f"COUNTIF({value} BETWEEN {10 ** (digits - 1)} AND {10**digits - 1}) AS `{unit}_{column}`")
    sql = f"SELECT {', '.join(counts)} FROM `{source.table_prefix}*` AS {table} {_in_tables(table)}"
    return Query(sql, query.parameters)


def _check_days_and_times(export: _Export, source: EventSource, row: dict[str, object]) -> None:
    problems = []
    if row.get("odd_days"):
        problems.append(
            f"{export.day} is not a text of the form YYYYMMDD in {int(row['odd_days']):,} of {int(row['n_events']):,} "
            "events; convert it, for example with FORMAT_DATE('%Y%m%d', d)"
        )
    for column, unit, bound in (
        (export.time, export.unit, 0.0),
        ("user_first_touch_timestamp", "microseconds", MAX_ODD_FIRST_TOUCH),
    ):
        if f"set_{column}" not in row:
            continue
        values = int(row[f"set_{column}"])
        odd = values - int(row[f"{unit}_{column}"])
        if odd > bound * values:
            counted = {other: int(row[f"{other}_{column}"]) for _, other in _UNITS if other != unit}
            other = max(counted, key=counted.__getitem__)
            looks = f"; they look like {other}" if counted[other] else ""
            problems.append(
                f"{column} is not in {unit} since 1970 in {odd:,} of {values:,} events{looks}. Convert the column"
            )
    if problems:
        raise WarehouseError("\n".join(f"{source.table_prefix}*: {problem}" for problem in problems))
