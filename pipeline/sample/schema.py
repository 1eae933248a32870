"""Google's documented schema of the GA4 export's `events_` tables as an Arrow schema, and arrays that follow it."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa

SCHEMA_FILE = "ga4_export_schema.json"
SCALARS = {"STRING": pa.string(), "INTEGER": pa.int64(), "FLOAT": pa.float64(), "BOOLEAN": pa.bool_()}


def load_schema_fields() -> list[dict[str, Any]]:
    """The documented schema in BigQuery's JSON form: name, type, mode and, for records, fields."""
    text = resources.files("pipeline.sample").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    return json.loads(text)


def arrow_field(field: dict[str, Any]) -> pa.Field:
    """One field of BigQuery's JSON form as an Arrow field. REPEATED becomes a list, RECORD a struct."""
    if field["type"] == "RECORD":
        kind = pa.struct([arrow_field(child) for child in field["fields"]])
    else:
        kind = SCALARS[field["type"]]
    if field["mode"] == "REPEATED":
        # The name "element" is Parquet's own; Arrow's default differs between versions.
        kind = pa.list_(pa.field("element", kind))
    return pa.field(field["name"], kind)


@functools.lru_cache(maxsize=1)
def export_schema() -> pa.Schema:
    """The Arrow schema of a daily events table."""
    return pa.schema([arrow_field(field) for field in load_schema_fields()])


def build_table(columns: dict[str, pa.Array], rows: int) -> pa.Table:
    """A table in the export's schema.

    Args:
        columns: arrays by dotted path (`"device.web_info.browser"`); other columns are NULL or empty lists.
        rows: length of each array.

    Raises:
        KeyError: a path that the schema does not have.
    """
    schema = export_schema()
    left = dict(columns)
    arrays = [_build(field, field.name, left, rows) for field in schema]
    if left:
        raise KeyError(f"not in the export's schema: {', '.join(sorted(left))}")
    return pa.Table.from_arrays(arrays, schema=schema)


def build_list(path: str, columns: dict[str, pa.Array], offsets: np.ndarray) -> pa.Array:
    """A repeated record of the export's schema.

    Args:
        path: name of the repeated column (`"items"`).
        columns: arrays of the elements of all lists, by dotted path within the record.
        offsets: int [lists + 1], where each list begins in them.
    """
    kind = export_schema().field(path).type
    left = dict(columns)
    elements = [_build(field, field.name, left, int(offsets[-1])) for field in _children(kind.value_type)]
    if left:
        raise KeyError(f"not in {path}: {', '.join(sorted(left))}")
    values = pa.StructArray.from_arrays(elements, fields=_children(kind.value_type))
    return _list_array(kind, values, offsets)


def _build(field: pa.Field, path: str, left: dict[str, pa.Array], rows: int) -> pa.Array:
    """The array of one field; takes what it uses out of `left`."""
    if path in left:
        return left.pop(path).cast(field.type) if not pa.types.is_nested(field.type) else left.pop(path)
    if pa.types.is_list(field.type):
        return _list_array(field.type, pa.nulls(0, field.type.value_type), np.zeros(rows + 1, np.int32))
    if pa.types.is_struct(field.type) and any(given.startswith(f"{path}.") for given in left):
        children = _children(field.type)
        arrays = [_build(child, f"{path}.{child.name}", left, rows) for child in children]
        return pa.StructArray.from_arrays(arrays, fields=children)
    return pa.nulls(rows, field.type)


def _children(kind: pa.DataType) -> list[pa.Field]:
    return [kind[i] for i in range(kind.num_fields)]


def _list_array(kind: pa.DataType, values: pa.Array, offsets: np.ndarray) -> pa.Array:
    # from_buffers, since ListArray.from_arrays of pyarrow 10 cannot name the element.
    buffers = [None, pa.py_buffer(offsets.astype(np.int32))]
    return pa.Array.from_buffers(kind, len(offsets) - 1, buffers, children=[values])
