"""Scores all rows of a split in this process, batch by batch, to a Parquet file. Memory does not grow with the rows."""

from __future__ import annotations

import collections
import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.examples import files
from pipeline.examples.batches import Batch
from pipeline.examples.work_units import WorkUnit, read_batches
from pipeline.fast.scoring.explain import Explaining, with_reasons
from pipeline.fast.scoring.identity import RowIdentity
from pipeline.fast.scoring.model import ScoringError, ScoringModel

# Rows of a call: with fewer, the calls themselves cost more; with many more, intermediate results leave the cache.
ROWS_PER_CALL = 4_096
_READ_AHEAD = 2  # batches that are read while others are scored
_MOST_CALLS = 4  # at once; each also uses TensorFlow's own threads


class Tally:
    """Counts rows, and those that a model gave no probability."""

    def __init__(self) -> None:
        """Starts at 0."""
        self.rows = 0
        self.bad = 0

    def add(self, probabilities: np.ndarray) -> None:
        """Counts float64 `[rows]`."""
        self.rows += len(probabilities)
        self.bad += int(np.count_nonzero(~((probabilities >= 0) & (probabilities <= 1))))  # also NaN

    def check(self, model: str) -> int:
        """The number of rows. Raises ScoringError if one of them has no probability."""
        if self.bad:
            raise ScoringError(
                model,
                f"returns no probability between 0 and 1 for {self.bad:,} of {self.rows:,} rows; nothing is scored",
            )
        return self.rows


def score_to_file(
    units: Sequence[WorkUnit],
    model: ScoringModel,
    identity: RowIdentity,
    path: str,
    explaining: Explaining | None = None,
) -> int:
    """Scores the rows of all units, in order, one row group for each batch.

    Args:
        units: of one split.
        model: the model.
        identity: where key and date are.
        path: of the Parquet file to write, with the columns of `identity.schema`.
        explaining: what adds reasons to all rows; None for none.

    Returns:
        The number of rows.

    Raises:
        ScoringError: the model cannot be called, or gave NaN or a number outside 0 to 1.
        UnscorableError: a row has no key or no date.
        LostExamplesError: a file is damaged.
    """
    tally = Tally()
    schema = with_reasons(identity.schema) if explaining else identity.schema
    needed = sorted({*identity.columns, *model.features, *(explaining.columns if explaining else ())})
    batches = (batch for unit in units for batch in read_batches(unit, needed))
    with files.parquet_writer(path, schema) as writer, ThreadPoolExecutor(calls_at_once()) as pool:
        scored = _scored(predictions(model, batches), identity, tally)
        finished = in_order(pool, explaining.add, scored) if explaining else (found for _, found in scored)
        for found in finished:
            writer.write_table(pa.Table.from_batches([found]))
    return tally.check(model.name)


def explain_to_file(
    units: Sequence[WorkUnit],
    explaining: Explaining,
    floors: Mapping[datetime.date, float],
    scored: str,
    path: str,
) -> None:
    """Reads the rows once more and adds reasons to the best ones.

    Args:
        units: as for score_to_file.
        explaining: what adds reasons.
        floors: by date, the lowest probability that is explained.
        scored: the file that score_to_file wrote.
        path: of the Parquet file to write: the same rows with reasons.
    """
    batches = (batch for unit in units for batch in read_batches(unit, explaining.columns))
    with pq.ParquetFile(scored) as source, ThreadPoolExecutor(calls_at_once()) as pool:
        groups = (source.read_row_group(number).to_batches()[0] for number in range(source.num_row_groups))
        pairs = ((batch, group, floors) for batch, group in zip(batches, groups, strict=True))
        with files.parquet_writer(path, with_reasons(source.schema_arrow)) as writer:
            for found in in_order(pool, explaining.add, pairs):
                writer.write_table(pa.Table.from_batches([found]))


def predictions(model: ScoringModel, batches: Iterable[Batch]) -> Iterator[tuple[Batch, np.ndarray]]:
    """Each batch, in order, with its probabilities, float64 `[rows]`. Several calls of the model run at once."""
    waiting: collections.deque[tuple[Batch, list[Future[np.ndarray]]]] = collections.deque()
    with ThreadPoolExecutor(calls_at_once()) as pool:
        for batch in batches:
            waiting.append((batch, [pool.submit(model.predict, part) for part in parts(batch)]))
            if len(waiting) > _READ_AHEAD:
                yield _done(*waiting.popleft())
        while waiting:
            yield _done(*waiting.popleft())


def in_order(
    pool: ThreadPoolExecutor, function: Callable[..., pa.RecordBatch], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[pa.RecordBatch]:
    """What the function returns for each of the arguments, in order; it is called for a few of them ahead."""
    waiting: collections.deque[Future[pa.RecordBatch]] = collections.deque()
    for each in arguments:
        waiting.append(pool.submit(function, *each))
        if len(waiting) > _READ_AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def calls_at_once() -> int:
    """How many calls of the model run at once: one for each core, up to a bound."""
    return min(_MOST_CALLS, len(os.sched_getaffinity(0)))


def parts(batch: Batch) -> list[Batch]:
    """The batch in parts of the size of a call."""
    return [batch.slice(start, ROWS_PER_CALL) for start in range(0, batch.rows, ROWS_PER_CALL)]


def _done(batch: Batch, calls: Sequence[Future[np.ndarray]]) -> tuple[Batch, np.ndarray]:
    return batch, np.concatenate([call.result() for call in calls])


def _scored(
    found: Iterable[tuple[Batch, np.ndarray]], identity: RowIdentity, tally: Tally
) -> Iterator[tuple[Batch, pa.RecordBatch]]:
    for batch, probabilities in found:
        tally.add(probabilities)
        yield batch, identity.scored(batch, probabilities)
