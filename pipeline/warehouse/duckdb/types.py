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
