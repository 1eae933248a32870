"""BigQuery's names of DuckDB's types."""

from __future__ import annotations

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "HUGEINT")
_BIGQUERY_TYPES = {
    **dict.fromkeys(_INTEGERS, "INT64"),  # a HUGEINT is a SUM of integers, which is INT64 in BigQuery
    "UBIGINT": "NUMERIC",
    "UHUGEINT": "BIGNUMERIC",
    "FLOAT": "FLOAT64",
    "DOUBLE": "FLOAT64",
    "BOOLEAN": "BOOL",
    "VARCHAR": "STRING",
    "UUID": "STRING",
    '"NULL"': "INT64",  # of a NULL literal
    "BLOB": "BYTES",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "TIME WITH TIME ZONE": "TIME",
}
# Of a Parquet file's columns. BigQuery has one integer, whose arithmetic is signed and of 64 bits, times without a
# zone, microseconds, and a list of keys and values for a MAP.
_READ_AS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"), "CAST({0} AS BIGINT)"),
    "UBIGINT": "CAST({0} AS DECIMAL(20, 0))",
    "TIME WITH TIME ZONE": "CAST({0} AS TIME)",
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS"), "CAST({0} AS TIMESTAMP)"),
    "TIMESTAMP_NS": "MAKE_TIMESTAMP(EPOCH_NS({0}) // 1000)",  # DuckDB 2.0 rounds, and older versions cut
}
_CANONICAL = {"INT64": "BIGINT", "FLOAT64": "DOUBLE", "STRING": "VARCHAR"}


def bigquery_type(duckdb_type: str) -> str:
    """BigQuery's name of a type as DESCRIBE prints it, such as `DECIMAL(18,3)` or `STRUCT(a INTEGER)[]`."""
    if duckdb_type.endswith("]"):
        return "ARRAY"
    if duckdb_type in _BIGQUERY_TYPES:
        return _BIGQUERY_TYPES[duckdb_type]
    base = duckdb_type.split("(")[0]
    if base.startswith("TIMESTAMP"):
        return "DATETIME"
    return {"DECIMAL": "NUMERIC", "ENUM": "STRING", "MAP": "ARRAY", "UNION": "STRUCT"}.get(base, base)


def needed_cast(duckdb_type: str) -> str | None:
    """The DuckDB type to cast a column to so that it has the same Arrow type as on BigQuery, or None."""
    canonical = _CANONICAL.get(bigquery_type(duckdb_type))
    return canonical if canonical != duckdb_type else None


def as_bigquery(column: str, duckdb_type: str) -> str:
    """The SQL that reads a column of a Parquet file as the type that BigQuery has for it.

    Args:
        column: its name, quoted.
        duckdb_type: its type as DESCRIBE prints it.
    """
    is_map = duckdb_type.startswith("MAP(") and duckdb_type.endswith(")")
    return _READ_AS.get(duckdb_type, "MAP_ENTRIES({0})" if is_map else "{0}").replace("{0}", column)
