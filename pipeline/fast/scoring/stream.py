"""Scores all rows of a split in this process, batch by batch, to a Parquet file. Memory does not grow with the rows."""

from __future__ import annotations

import collections
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from pipeline.examples import files
from pipeline.examples.batches import Batch
from pipeline.examples.work_units import WorkUnit, read_batches
from pipeline.fast.scoring.identity import RowIdentity
from pipeline.fast.scoring.model import ScoringError, ScoringModel

# Rows of a call: with fewer, the calls themselves cost more; with many more, intermediate results leave the cache.
ROWS_PER_CALL = 4_096
_READ_AHEAD = 2  # batches that are read while others are scored
_MOST_CALLS = 4  # at once; each also uses TensorFlow's own threads

Finish = Callable[[Batch, pa.RecordBatch], pa.RecordBatch]


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


def score_to_file(units: Sequence[WorkUnit], model: ScoringModel, identity: RowIdentity, path: str) -> int:
    """Scores the rows of all units, in order, one row group for each batch.

    Args:
        units: of one split.
        model: the model.
        identity: where key and date are.
        path: of the Parquet file to write, with the columns of `identity.schema`.

    Returns:
        The number of rows.

    Raises:
        ScoringError: the model cannot be called, or gave NaN or a number outside 0 to 1.
        UnscorableError: a row has no key or no date.
        LostExamplesError: a file is damaged.
    """
    tally = Tally()
    needed = sorted({*identity.columns, *model.features})
    batches = (batch for unit in units for batch in read_batches(unit, needed))
    with files.parquet_writer(path, identity.schema) as writer:
        for batch, probabilities in predictions(model, batches):
            tally.add(probabilities)
            writer.write_table(pa.Table.from_batches([identity.scored(batch, probabilities)]))
    return tally.check(model.name)


def predictions(model: ScoringModel, batches: Iterator[Batch]) -> Iterator[tuple[Batch, np.ndarray]]:
    """Each batch, in order, with its probabilities, float64 `[rows]`. Several calls of the model run at once."""
    waiting: collections.deque[tuple[Batch, list[Future[np.ndarray]]]] = collections.deque()
    with ThreadPoolExecutor(min(_MOST_CALLS, len(os.sched_getaffinity(0)))) as pool:
        for batch in batches:
            waiting.append((batch, [pool.submit(model.predict, part) for part in parts(batch)]))
            if len(waiting) > _READ_AHEAD:
                yield _done(*waiting.popleft())
        while waiting:
            yield _done(*waiting.popleft())


def parts(batch: Batch) -> list[Batch]:
    """The batch in parts of the size of a call."""
    return [batch.slice(start, ROWS_PER_CALL) for start in range(0, batch.rows, ROWS_PER_CALL)]


def _done(batch: Batch, calls: Sequence[Future[np.ndarray]]) -> tuple[Batch, np.ndarray]:
    return batch, np.concatenate([call.result() for call in calls])
