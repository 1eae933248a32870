"""The SQL of an export's profile, in BigQuery's dialect. Each query reads few columns and returns aggregates only."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from pipeline.profiling.time_zones import BUCKET_MINUTES
from pipeline.settings.dataset import EventSource, Windows
from pipeline.warehouse.dialect import quoted
from pipeline.warehouse.interface import Query, Value

#: The value fields of a parameter. A value stands in one of them.
VALUE_FIELDS = ("string_value", "int_value", "double_value", "float_value")
#: The most frequent values of a parameter that are read.
TOP_VALUES = 8
#: Columns of an export that hold parameters.
PARAMETER_COLUMNS = ("event_params", "user_properties")

_EPOCH = datetime.date(1970, 1, 1)
_KNOWN_USER = (
    "e.user_pseudo_id IS NOT NULL AND LOWER(TRIM(CAST(e.user_pseudo_id AS STRING))) NOT IN UNNEST(@unknown_ids)"
)
_BUCKET_MICROS = BUCKET_MINUTES * 60 * 1_000_000


def reading(suffixes: Sequence[str], source: EventSource) -> dict[str, Value]:
    """The parameters of a query that reads these tables, ascending."""
    return {
        "first_suffix": suffixes[0],
        "last_suffix": suffixes[-1],
        "table_suffixes": list(suffixes),
        "unknown_ids": ["", *(text.strip().lower() for text in source.unknown_ids)],
    }


def all_columns(prefix: str, parameters: Mapping[str, Value]) -> Query:
    """A query whose columns are the export's."""
    return Query(f"SELECT * {_from(prefix)}", parameters)


def event_outcomes(
    prefix: str,
    parameters: Mapping[str, Value],
    snapshots: Mapping[int, datetime.date],
    windows: Windows,
    has_transactions: bool = True,
) -> Query:
    """One row per event name: how often and by whom, and what each horizon's snapshot would give.

    The label is that of schema/ga4/query.sql: a purchase that arrived before under its transaction id, in the lookback
    or later, is none. `place` is 1 for one row of each user, so that sums over the names count each user once.

    Args:
        prefix: what the tables' names begin with.
        parameters: reading's.
        snapshots: by horizon in days.
        windows: lookback and gap.
        has_transactions: whether the export has transaction ids.
    """
    transaction = "e.ecommerce.transaction_id" if has_transactions else "CAST(NULL AS STRING)"
    flags, over_user, counts = [], [], []
    for horizon, snapshot in snapshots.items():
        at = (snapshot - _EPOCH).days
        looked = f"f.day BETWEEN {at - windows.lookback_days} AND {at - 1}"
        begin = at + windows.gap_days
        is_new = f"(f.earlier IS NULL OR {at} - f.earlier > {windows.lookback_days})"
        flags += [
            f"MAX(IF({looked}, 1, 0)) AS seen_{horizon}",
            f"MAX(IF({looked} AND {is_new}, 1, 0)) AS past_{horizon}",
            f"MAX(IF(f.day BETWEEN {begin} AND {begin + horizon - 1} AND {is_new}, 1, 0)) AS won_{horizon}",
        ]
        over_user.append(f"MAX(p.seen_{horizon}) OVER (PARTITION BY p.who) AS user_seen_{horizon}")
        seen = f"m.user_seen_{horizon} = 1"
        counts += [
            f"COUNTIF({seen} AND m.place = 1) AS rows_{horizon}",
            f"COUNTIF({seen} AND m.won_{horizon} = 1) AS positives_{horizon}",
            f"COUNTIF({seen} AND m.past_{horizon} = 1) AS past_{horizon}",
            f"COUNTIF({seen} AND m.won_{horizon} = 1 AND m.past_{horizon} = 0) AS new_positives_{horizon}",
        ]
    sql = f"""
WITH days AS (
  SELECT
    e.user_pseudo_id AS who,
    COALESCE(e.event_name, '') AS name,
    UNIX_DATE(PARSE_DATE('%Y%m%d', e.event_date)) AS day,
    IF(
      e.event_name = 'purchase' AND LOWER(TRIM({transaction})) NOT IN UNNEST(@unknown_ids),
      {transaction},
      NULL
    ) AS purchase_id,
    COUNT(*) AS n
  {_from(prefix)} AND {_KNOWN_USER}
  GROUP BY who, name, day, purchase_id
),
firsts AS (
  SELECT
    d.*,
    IF(d.purchase_id IS NULL, NULL, LAG(d.day) OVER (PARTITION BY d.who, d.purchase_id ORDER BY d.day)) AS earlier
  FROM days AS d
),
people AS (
  SELECT
    {", ".join(["f.who", "f.name", "SUM(f.n) AS n", "COUNT(DISTINCT f.day) AS active_days", *flags])}
  FROM firsts AS f
  GROUP BY f.who, f.name
),
marked AS (
  SELECT {", ".join(["p.*", "ROW_NUMBER() OVER (PARTITION BY p.who ORDER BY p.name) AS place", *over_user])}
  FROM people AS p
)
SELECT
  m.name AS event,
  SUM(m.n) AS n_events,
  COUNT(*) AS n_users,
  COUNTIF(m.active_days > 1) AS repeaters,
  COUNTIF(m.place = 1) AS of_all_users
  {"".join(f", {count}" for count in counts)}
FROM marked AS m
GROUP BY event
"""
    return Query(sql, parameters)


def day_buckets(prefix: str, parameters: Mapping[str, Value]) -> Query:
    """Events by event_date and quarter of an hour."""
    return Query(
        f"SELECT e.event_date AS day, DIV(e.event_timestamp, {_BUCKET_MICROS}) AS bucket, COUNT(*) AS n "
        f"{_from(prefix)} GROUP BY day, bucket",
        parameters,
    )


def parameter_counts(prefix: str, column: str, parameters: Mapping[str, Value]) -> Query:
    """One row per parameter and event name: events that carry it, and how many have a value in each field."""
    filled = [f"COUNT({_value(field)}) AS {field}" for field in VALUE_FIELDS]
    sql = f"""
SELECT
  ep.key AS param,
  COALESCE(e.event_name, '') AS event,
  COUNT(*) AS n,
  {", ".join(filled)}
{_from(prefix, column)}
GROUP BY param, event
"""
    return Query(sql, parameters)


def parameter_values(prefix: str, column: str, parameters: Mapping[str, Value]) -> Query:
    """The most frequent values of each parameter, its number of distinct values, and of texts that read as numbers.

    `shared` is 1 if at least two users have the value. Values become texts only after they were counted.
    """
    read = [f"read_{field}" for field in VALUE_FIELDS]
    texts = [f"f.{read[0]}", *(f"CAST(f.{name} AS STRING)" for name in read[1:])]
    sql = f"""
WITH found AS (
  SELECT
    ep.key AS param,
    {", ".join(f"{_value(field)} AS {name}" for field, name in zip(VALUE_FIELDS, read, strict=True))},
    COUNT(*) AS n,
    IF(MIN(e.user_pseudo_id) < MAX(e.user_pseudo_id), 1, 0) AS shared
  {_from(prefix, column)}
  GROUP BY {", ".join(["param", *read])}
),
ranked AS (
  SELECT
    f.*,
    COUNT(*) OVER (PARTITION BY f.param) AS n_values,
    SUM(IF(SAFE_CAST(f.{read[0]} AS FLOAT64) IS NULL, 0, f.n)) OVER (PARTITION BY f.param) AS numeric_text,
    ROW_NUMBER() OVER (
      PARTITION BY f.param ORDER BY f.n DESC, {", ".join(f"f.{name}" for name in read)}
    ) AS place
  FROM found AS f
  WHERE {" OR ".join(f"f.{name} IS NOT NULL" for name in read)}
)
SELECT f.param, COALESCE({", ".join(texts)}) AS text, f.n, f.shared, f.n_values, f.numeric_text
FROM ranked AS f
WHERE f.place <= {TOP_VALUES}
"""
    return Query(sql, parameters)


def event_count(prefix: str, parameters: Mapping[str, Value]) -> Query:
    """One row: the number of events."""
    return Query(f"SELECT COUNT(e.event_date) AS n {_from(prefix)}", parameters)


def feature_fill(query: Query, label: str, numeric: Sequence[str], categorical: Sequence[str]) -> Query:
    """One row over the rows of query.sql: how many, how many positives, and each feature's rows with a value.

    Args:
        query: query.sql with its parameters (features_table.query_for).
        label: the label's column.
        numeric: names of numeric features. A value of 0 or NaN is none.
        categorical: names of categories.
    """
    counts = [f"COUNTIF(q.{quoted(name)} != 0) AS {quoted(name)}" for name in numeric]
    counts += [f"COUNTIF(q.{quoted(name)} != '') AS {quoted(name)}" for name in categorical]
    selected = ", ".join(["COUNT(*) AS n_rows", f"SUM(q.{quoted(label)}) AS n_positives", *counts])
    return Query(f"SELECT {selected} FROM (\n{query.sql}\n) AS q", query.parameters)


def _value(field: str) -> str:
    """A field of a parameter's value; an empty text is none."""
    return "NULLIF(TRIM(ep.value.string_value), '')" if field == "string_value" else f"ep.value.{field}"


def _from(prefix: str, unnested: str = "") -> str:
    join = f" CROSS JOIN UNNEST(e.{quoted(unnested)}) AS ep" if unnested else ""
    return (
        f"FROM `{prefix}*` AS e{join} WHERE e._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix "
        "AND e._TABLE_SUFFIX IN UNNEST(@table_suffixes)"
    )
