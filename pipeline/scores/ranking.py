"""Ranks scored rows: percentile, decile and arm of each, one file for each date.

DuckDB sorts the rows within a memory limit and spills to disk beyond it. The sorted rows then pass through in blocks.
So the peak memory does not grow with the number of rows.
"""

from __future__ import annotations

import contextlib
import datetime
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.scores import layout
from pipeline.scores.figures import DayFigures, FigureSums
from pipeline.scores.layout import HOLDOUT, TREATED, ScoresError
from pipeline.settings.scoring import ScoringSettings
from pipeline.warehouse.duckdb.errors import describe
from pipeline.warehouse.duckdb.quoting import quote, quote_name

BLOCK_ROWS = 65_536  # of a row group; the rows in memory at a time
#: Steps of `scoring.holdout_percent`: a ten-thousandth of a percent.
ARM_BUCKETS = 1_000_000
_MEMORY_MB, _REASONS_MB, _THREAD_MEMORY_MB = 60, 340, 30  # of DuckDB; enough to sort any number of rows
_PARQUET = {
    "compression": "zstd",
    "use_compliant_nested_type": True,  # as BigQuery expects lists
    "use_dictionary": [  # columns with few values; for the others, a dictionary costs time and space
        *(layout.DATE, layout.DECILE, layout.ARM, f"{layout.REASONS}.list.element"),
        *(layout.MODEL_VERSION, layout.MODEL_DIGEST, layout.RUN_ID, layout.SCORED_AT),
    ],
}
_FLOOR_BINS = 2**20  # of the probability, for reasons_floors


def rank(
    scored: Sequence[str],
    out: str,
    *,
    key: str,
    key_type: pa.DataType,
    settings: ScoringSettings,
    constants: Mapping[str, str],
) -> dict[datetime.date, DayFigures]:
    """Writes `<out>/<date>.parquet` for each date of scored rows, with the columns of layout.score_schema.

    Rows are in the order of their rank: highest probability first. Among equal probabilities, the MD5 of the key's text
    decides. It has no salt, so customers who tie keep their order from day to day. Equal rows give equal files, in
    whatever order they come.

    With n rows of a date, and rank 1 for the highest probability, the percentile is 100 * (n - rank + 1) / n and the
    decile ceil(10 * rank / n). The arm follows from other digits of the MD5 of `holdout_salt` and the key's text.

    Args:
        scored: Parquet files with the columns `key`, `snapshot_date` (a date, or its text), `probability` (0 to 1) and
            perhaps `reasons` (lists of texts), in any order. Other columns are left out.
        out: an existing folder.
        key: the key's name.
        key_type: int64 or string.
        settings: the section `scoring`. Rows beyond `reasons_deciles`, or without reasons, get an empty list.
        constants: `model_version`, `model_digest`, `run_id`, and `scored_at` in ISO format (UTC if it has no offset).

    Returns:
        Figures by date, in the order of the dates; nothing if there is no row.

    Raises:
        ScoresError: a file lacks a column; a row has no key or date, or its probability is not a number from 0 to 1.
    """
    schema = layout.score_schema(key, key_type)
    fixed = _fixed_columns(schema, constants)
    found = {}
    with _database(scored, key) as (connection, names):
        counts = _counts(connection, key)
        sizes = (size for rows in counts.values() for size in _block_sizes(rows))
        blocks = _blocks(_sorted_rows(connection, schema, settings, names), sizes)
        for date, rows in counts.items():
            sums, done = FigureSums(), 0
            path = os.path.join(out, layout.day_file(date))
            with pq.ParquetWriter(path, schema, **_PARQUET) as writer:
                while done < rows:
                    block = next(blocks)
                    ranks = np.arange(done + 1, done + 1 + len(block), dtype=np.int64)
                    decile = (10 * ranks + rows - 1) // rows
                    held = block["held"].to_numpy()
                    columns = {
                        **{name: block[name] for name in (key, layout.DATE, layout.PROBABILITY)},
                        layout.PERCENTILE: pa.array(100.0 * (rows - ranks + 1) / rows),
                        layout.DECILE: pa.array(decile),
                        layout.ARM: pa.array(np.where(held, HOLDOUT, TREATED), pa.string()),
                        layout.REASONS: _up_to(block, decile <= settings.reasons_deciles, schema),
                        **{name: column.slice(0, len(block)) for name, column in fixed.items()},
                    }
                    writer.write_table(pa.table([columns[name] for name in schema.names], schema=schema))
                    sums.add(block[layout.PROBABILITY].to_numpy(), decile, held)
                    done += len(block)
            found[date] = sums.figures(date)
    return found


def reasons_floors(scored: Sequence[str], *, key: str, decile: int) -> dict[datetime.date, float]:
    """For each date, a probability that no row of deciles 1 to `decile` lies below, from one pass in little memory.

    It may be less than the lowest such probability, by at most 2**-20; it is infinite if these deciles have no row. A
    step that explains all rows from here on misses none, and `rank` drops the reasons of rows beyond `reasons_deciles`.

    Args:
        scored: as for `rank`.
        key: the key's name.
        decile: 1 to 10.

    Raises:
        ScoresError: as `rank`.
    """
    with _database(scored, key) as (connection, _):
        counts = _counts(connection, key)
        wanted = {date: decile * rows // 10 for date, rows in counts.items()}
        floors = dict.fromkeys(counts, math.inf)
        bins = connection.execute(
            f'SELECT "{layout.DATE}", CAST(floor("{layout.PROBABILITY}" * {_FLOOR_BINS}) AS BIGINT) AS bin, count(*) '
            "FROM scored GROUP BY ALL ORDER BY 1, 2 DESC"
        )
        while rows := bins.fetchmany(BLOCK_ROWS):
            for date, number, count in rows:
                if wanted[date] > 0:
                    floors[date] = number / _FLOOR_BINS
                wanted[date] -= count
    return floors


@contextlib.contextmanager
def _database(scored: Sequence[str], key: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[str]]]:
    """A connection with the view `scored` of the files, and its columns."""
    with tempfile.TemporaryDirectory(prefix="propensity-ranking-") as folder, _explained():
        config = {
            "temp_directory": folder,
            "preserve_insertion_order": "false",
            "autoinstall_known_extensions": "false",
            # DuckDB 2.0 takes the ends in a Parquet file's statistics for those of all values; NaN is in none of them.
            "disabled_optimizers": "statistics_propagation",
        }
        with contextlib.closing(duckdb.connect(":memory:", config=config)) as connection:
            connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
            [(threads,)] = connection.execute("SELECT current_setting('threads')").fetchall()
            source = f"read_parquet([{', '.join(quote(path) for path in scored)}])"
            names = [name for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
            memory = _MEMORY_MB + threads * _THREAD_MEMORY_MB + (_REASONS_MB if layout.REASONS in names else 0)
            connection.execute(f"SET memory_limit = '{memory}MB'")
            absent = [name for name in (key, layout.DATE, layout.PROBABILITY) if name not in names]
            if absent:
                raise ScoresError(f"the scored rows have no column '{absent[0]}'; they have: {', '.join(names)}")
            connection.execute(
                f'CREATE VIEW scored AS SELECT * REPLACE (TRY_CAST("{layout.DATE}" AS DATE) AS "{layout.DATE}", '
                f'CAST("{layout.PROBABILITY}" AS DOUBLE) AS "{layout.PROBABILITY}") FROM {source}'
            )
            yield connection, names


def _counts(connection: duckdb.DuckDBPyConnection, key: str) -> dict[datetime.date, int]:
    """Rows by date, in the order of the dates, after a check of every row."""
    found = connection.execute(
        f'SELECT "{layout.DATE}", count(*), '
        f"count(*) FILTER (WHERE {quote_name(key)} IS NULL), "
        # NaN is above every number, here and in DuckDB.
        f'count(*) FILTER (WHERE "{layout.PROBABILITY}" IS NULL OR NOT "{layout.PROBABILITY}" BETWEEN 0 AND 1) '
        "FROM scored GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for date, rows, keyless, wrong in found:
        if date is None:
            raise ScoresError(f"{rows:,} scored rows have no '{layout.DATE}' that reads as YYYY-MM-DD")
        if keyless:
            raise ScoresError(
                f"{date}: {keyless:,} of {rows:,} rows have no key ('{key}'); leave them out in query.sql"
            )
        if wrong:
            raise ScoresError(
                f"{date}: the model gave {wrong:,} of {rows:,} rows no probability from 0 to 1; do not use its scores, "
                "and check its features for values far off the training range"
            )
    return {date: rows for date, rows, *_ in found}


def _sorted_rows(
    connection: duckdb.DuckDBPyConnection, schema: pa.Schema, settings: ScoringSettings, names: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The rows by date and rank, with their key, date, probability, reasons and whether they are `held` out."""
    key = schema.field(0)
    name = quote_name(key.name)
    text = f"CAST({name} AS VARCHAR)"
    below = round(settings.holdout_percent * ARM_BUCKETS / 100)
    # The arm takes other digits than the order and the split do, so it depends on neither, whatever the salts are.
    bucket = f"{_number(f'concat({quote(settings.holdout_salt)}, {text})', 17)} % {ARM_BUCKETS}"
    columns = [
        f"CAST({name} AS {'BIGINT' if pa.types.is_integer(key.type) else 'VARCHAR'}) AS {name}",
        f'"{layout.DATE}"',
        f'"{layout.PROBABILITY}"',
        f"{f'{bucket} < {below}' if below else 'false'} AS held",
    ]
    if layout.REASONS in names:
        columns.append(f'coalesce(CAST("{layout.REASONS}" AS VARCHAR[]), []) AS "{layout.REASONS}"')
    # The key is last: two keys may share the digits.
    order = [f'"{layout.DATE}"', f'"{layout.PROBABILITY}" DESC', _number(text, 1), name]
    query = f"SELECT {', '.join(columns)} FROM scored ORDER BY {', '.join(order)}"
    yield from connection.sql(query).to_arrow_reader(BLOCK_ROWS)


def _number(text: str, start: int) -> str:
    """SQL for a number of 60 bits, never negative: 15 digits of a text's MD5, from digit `start` on."""
    return f"CAST(concat('0x', substr(md5({text}), {start}, 15)) AS BIGINT)"


def _block_sizes(rows: int) -> Iterator[int]:
    for start in range(0, rows, BLOCK_ROWS):
        yield min(BLOCK_ROWS, rows - start)


def _blocks(batches: Iterator[pa.RecordBatch], sizes: Iterable[int]) -> Iterator[pa.Table]:
    """The rows again, in tables of the given sizes."""
    pending: list[pa.RecordBatch] = []
    for size in sizes:
        while sum(batch.num_rows for batch in pending) < size:
            pending.append(next(batches))
        rows = pa.Table.from_batches(pending)
        yield rows.slice(0, size).combine_chunks()
        pending = rows.slice(size).to_batches()


def _up_to(block: pa.Table, wanted: np.ndarray, schema: pa.Schema) -> pa.ChunkedArray:
    """The reasons of the wanted rows, which come first; empty lists for the others."""
    kept = int(np.count_nonzero(wanted)) if layout.REASONS in block.column_names else 0
    kind = schema.field(layout.REASONS).type
    first = block[layout.REASONS].slice(0, kept).cast(kind).chunks if kept else []
    return pa.chunked_array([*first, pa.array([[]] * (len(block) - kept), kind)], kind)


def _fixed_columns(schema: pa.Schema, constants: Mapping[str, str]) -> dict[str, pa.Array]:
    """A block of each column that has one value."""
    scored_at = datetime.datetime.fromisoformat(constants[layout.SCORED_AT].replace("Z", "+00:00"))
    if scored_at.tzinfo is None:
        scored_at = scored_at.replace(tzinfo=datetime.timezone.utc)
    values = {
        **{name: constants[name] for name in (layout.MODEL_VERSION, layout.MODEL_DIGEST, layout.RUN_ID)},
        layout.SCORED_AT: scored_at.astimezone(datetime.timezone.utc),
    }
    return {name: pa.array([value] * BLOCK_ROWS, schema.field(name).type) for name, value in values.items()}


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise ScoresError(
            "the scored rows cannot be ranked in the memory that ranking takes: their reasons are too long; set "
            "scoring.reasons to fewer"
        ) from None
    except duckdb.Error as error:
        raise ScoresError(f"the scored rows cannot be ranked: {describe(error)}") from None
