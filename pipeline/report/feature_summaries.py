"""Sums up features by decile in a stream of examples. Memory does not grow with the rows, and no key leaves it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.features import FeatureSet, Kind
from pipeline.examples.list_columns import first_values
from pipeline.report.scoring_data import FeatureSummary, FirstReason, Summaries
from pipeline.scores.layout import DATE, DECILE, REASONS
from pipeline.scores.scratch import scratch_database
from pipeline.warehouse.duckdb.quoting import quote, quote_name

#: Values of a category that the report of a scoring run compares, the most frequent ones.
COMPARED_VALUES = 50
_KEY, _DAY, _GROUP = "_key", "_day", "_group"  # a feature's name begins with a letter
_TOP, _REST, _EARLIER = _GROUPS = ("top", "rest", "earlier")

# Reads batches of the given columns of the examples, in that order: list columns of at most one value.
ReadExamples = Callable[[Sequence[str]], Iterable[pa.RecordBatch]]
Found = Iterator[tuple[str, str, FeatureSummary]]  # group, feature, summary


@dataclasses.dataclass(frozen=True)
class RankedDays:
    """Where the deciles of the rows are.

    Attributes:
        newest: the file of the newest date.
        earlier: that of the date before it in the same run; None if there is only one.
        key_column: the key's column in the examples. In the files, the key is the first column.
        date_column: the date's column in the examples; None if the run has one date.
    """

    newest: str
    earlier: str | None
    key_column: str
    date_column: str | None


@dataclasses.dataclass(frozen=True)
class DaySummaries:
    """The features of the newest date's decile 1, of its other deciles, and of the date before it in the same run."""

    top: Summaries
    rest: Summaries
    earlier: Summaries | None

    @property
    def newest(self) -> Summaries:
        """The features of all rows of the newest date."""
        return {name: self.top[name].merged(self.rest[name]) for name in self.top}


def summarise(days: RankedDays, features: FeatureSet, read: ReadExamples) -> DaySummaries:
    """Sums up the features in one pass over the examples.

    Args:
        days: the deciles.
        features: the features.
        read: reads the examples.

    Raises:
        ScoresError: a file of scores cannot be read.
    """
    found: dict[str, dict[str, FeatureSummary]] = {group: {} for group in _GROUPS}
    columns = [days.key_column, *([days.date_column] if days.date_column else []), *features.names]
    with scratch_database() as (connection, folder):
        plain = folder / "examples.parquet"
        _write_plain(read(columns), days, features, plain)
        rows = _grouped(days, plain)
        for chosen, query in ((features.numeric, _numbers), (features.categorical, _categories)):
            if chosen:
                for group, name, summary in query(connection, rows, [feature.name for feature in chosen]):
                    found[group][name] = summary
    in_order = {group: {name: of[name] for name in features.names} for group, of in found.items()}
    return DaySummaries(in_order[_TOP], in_order[_REST], in_order[_EARLIER] if days.earlier else None)


def first_reasons(file: str) -> dict[str, FirstReason]:
    """How often each feature is the first reason in a day's file of scores, the most frequent one first.

    A reason begins with the feature's name and ends with `up` or `down`; see pipeline/reasons/words.py.

    Raises:
        ScoresError: the file cannot be read.
    """
    with scratch_database() as (connection, _):
        rows = connection.execute(
            "SELECT split_part(reason, ' ', 1) AS name, count(*) FILTER (reason LIKE '%, up'), "
            "count(*) FILTER (reason LIKE '%, down') "
            f"FROM (SELECT {REASONS}[1] AS reason FROM read_parquet({quote(file)}) WHERE len({REASONS}) > 0) "
            "GROUP BY name ORDER BY count(*) DESC, name"
        ).fetchall()
    return {name: FirstReason(up, down) for name, up, down in rows}


def _write_plain(batches: Iterable[pa.RecordBatch], days: RankedDays, features: FeatureSet, path: Path) -> None:
    """Writes the examples with one value a row and column. DuckDB cannot read a stream of Arrow's with pyarrow 10."""
    kinds = {Kind.NUMERIC: pa.float64(), Kind.CATEGORICAL: pa.binary()}
    schema = pa.schema(
        [
            (_KEY, pq.read_schema(days.newest).field(0).type),
            *([(_DAY, pa.string())] if days.date_column else []),
            *((feature.name, kinds[feature.kind]) for feature in features.features),
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:
        for batch in batches:
            values = [first_values(column) for column in batch.columns]
            arrays = [_cast(value, field.type) for value, field in zip(values, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    values = values.cast(kind)
    return pc.if_else(pc.is_nan(values), None, values) if pa.types.is_floating(kind) else values


def _grouped(days: RankedDays, plain: Path) -> str:
    """SQL for the examples with the group of each: only those of the days."""
    key = quote_name(pq.read_schema(days.newest).names[0])
    deciles = (
        f"SELECT {key} AS {_KEY}, CAST({DATE} AS VARCHAR) AS {_DAY}, "
        f"CASE WHEN {DECILE} = 1 THEN '{_TOP}' ELSE '{_REST}' END AS {_GROUP} FROM read_parquet({quote(days.newest)})"
    )
    if days.earlier:
        deciles += (
            f" UNION ALL SELECT {key}, CAST({DATE} AS VARCHAR), '{_EARLIER}' FROM read_parquet({quote(days.earlier)})"
        )
    matched = f"{_KEY}, {_DAY}" if days.date_column else _KEY
    examples = f"read_parquet({quote(plain)}) AS examples"
    return f"(SELECT examples.*, {_GROUP} FROM {examples} JOIN ({deciles}) AS deciles USING ({matched}))"


def _numbers(connection: duckdb.DuckDBPyConnection, rows: str, names: Sequence[str]) -> Found:
    measures = ", ".join(
        f"count({column}), avg({column}), stddev_pop({column})" for column in (quote_name(name) for name in names)
    )
    found = {
        group: (count, values)
        for group, count, *values in connection.execute(
            f"SELECT {_GROUP}, count(*), {measures} FROM {rows} GROUP BY {_GROUP}"
        ).fetchall()
    }
    for group in _GROUPS:
        count, values = found.get(group, (0, [0, None, None] * len(names)))
        for index, name in enumerate(names):
            present, mean, deviation = values[3 * index : 3 * index + 3]
            yield group, name, FeatureSummary(count, present, _or_nan(mean), _or_nan(deviation))


def _categories(connection: duckdb.DuckDBPyConnection, rows: str, names: Sequence[str]) -> Found:
    columns = ", ".join(quote_name(name) for name in names)
    counts = ", ".join(f"count(*) FILTER ({_GROUP} = '{group}') AS {group}_rows" for group in _GROUPS)
    totals = ", ".join(f"sum({group}_rows) OVER (PARTITION BY place)" for group in _GROUPS)
    found = connection.execute(
        f"SELECT place, value, {', '.join(f'{group}_rows' for group in _GROUPS)}, {totals} "
        f"FROM (SELECT place, value, count(*) AS all_rows, {counts} "
        f"FROM (SELECT {_GROUP}, unnest(range({len(names)})) AS place, unnest([{columns}]) AS value FROM {rows}) "
        "GROUP BY place, value) QUALIFY row_number() OVER "
        f"(PARTITION BY place ORDER BY value IS NOT NULL, all_rows DESC, value) <= {COMPARED_VALUES + 1} "
        "ORDER BY place, all_rows DESC, value"
    ).fetchall()
    for place, name in enumerate(names):
        listed = [row[1:] for row in found if row[0] == place]
        for index, group in enumerate(_GROUPS, start=1):
            rows_of_group = int(listed[0][index + len(_GROUPS)]) if listed else 0
            missing = sum(row[index] for row in listed if row[0] is None)
            texts = [row for row in listed if row[0] is not None][:COMPARED_VALUES]
            values = {row[0].decode("utf-8", "replace"): row[index] for row in texts}
            yield group, name, FeatureSummary(rows_of_group, rows_of_group - missing, values=values)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
