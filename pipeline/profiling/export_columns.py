"""Which columns of Google's export a source has, and the data set's query without those that it has not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from pipeline.warehouse.dialect import parse_select
from pipeline.warehouse.interface import Query, Value, Warehouse, WarehouseError

#: The type of each column of an export that a data set can do without; other exporters than Google leave them out.
OPTIONAL = {
    "user_first_touch_timestamp": "INT64",
    "device.category": "STRING",
    "device.operating_system": "STRING",
    "device.web_info.browser": "STRING",
    "device.language": "STRING",
    "geo.country": "STRING",
    "geo.region": "STRING",
    "traffic_source.source": "STRING",
    "traffic_source.medium": "STRING",
    "ecommerce.transaction_id": "STRING",
    "ecommerce.purchase_revenue": "FLOAT64",
}
_ALIAS = "e"  # of the export in the query


def absent_columns(warehouse: Warehouse, query: str, prefix: str, parameters: Mapping[str, Value]) -> tuple[str, ...]:
    """Columns and fields that the query reads from the export and that the source does not have.

    Args:
        warehouse: over the export.
        query: the text of query.sql, which reads the export as `e`.
        prefix: what the tables' names begin with.
        parameters: which tables to look at (export_queries.reading).

    Raises:
        WarehouseError: a column is absent without which there are no rows; the message names it.
    """
    paths = sorted(_paths(query))
    if _has(warehouse, paths, prefix, parameters):
        return ()
    absent = tuple(path for path in paths if not _has(warehouse, [path], prefix, parameters))
    needed = [path for path in absent if path not in OPTIONAL]
    if needed:
        raise WarehouseError(
            f"{prefix}*: no column {', '.join(needed)}; the tables must have the columns of Google Analytics 4's export"
        )
    return absent


def without_columns(query: str, absent: tuple[str, ...]) -> str:
    """The query with a typed NULL in the place of each absent column."""
    for path in absent:
        query = re.sub(rf"\b{_ALIAS}\.{re.escape(path)}\b(?!\.)", f"CAST(NULL AS {OPTIONAL[path]})", query)
    return query


def _paths(query: str) -> set[str]:
    """Columns and fields that a query reads of the export, such as `device.category`."""
    found = set()
    for column in parse_select(query).find_all(exp.Column):
        parts = [part.name for part in column.parts]
        above = column.parent
        while isinstance(above, exp.Dot) and above.this is column:
            parts.append(above.expression.name)
            column, above = above, above.parent
        if parts[0] == _ALIAS and len(parts) > 1 and not parts[1].startswith("_"):
            found.add(".".join(parts[1:]))
    return found


def _has(warehouse: Warehouse, paths: list[str], prefix: str, parameters: Mapping[str, Value]) -> bool:
    selected = ", ".join(f"{_ALIAS}.{path} AS c{place}" for place, path in enumerate(paths))
    sql = (
        f"SELECT {selected} FROM `{prefix}*` AS {_ALIAS} WHERE {_ALIAS}._TABLE_SUFFIX BETWEEN @first_suffix AND "
        f"@last_suffix AND {_ALIAS}._TABLE_SUFFIX IN UNNEST(@table_suffixes)"
    )
    try:
        warehouse.columns(Query(sql, parameters))
    except WarehouseError:
        return False
    return True
