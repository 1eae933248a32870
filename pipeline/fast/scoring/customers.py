"""Scores all rows of a split for the score table: key, date and probability, in this process or on Beam's workers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import pyarrow.parquet as pq
from tfx import types
from tfx.dsl.io import fileio

from pipeline.examples import files
from pipeline.examples.work_units import WorkUnit, read_batches, work_units
from pipeline.fast.scoring.identity import RowIdentity, UnscorableError, identify
from pipeline.fast.scoring.model import ScoringModel
from pipeline.fast.scoring.run_inference import score_on_beam
from pipeline.fast.scoring.stream import Tally, score_to_file
from pipeline.fast.scoring.work import OnBeam
from pipeline.scores.layout import PROBABILITY
from pipeline.settings.dataset import Columns

MODEL = "champion"  # its name in messages


@dataclasses.dataclass(frozen=True)
class ScoredCustomers:
    """Scores, not ranked yet.

    Attributes:
        files: Parquet files on this machine, with the columns of `identity.schema`.
        identity: where key and date came from.
        rows: the number of rows.
    """

    files: Sequence[str]
    identity: RowIdentity
    rows: int


def score_customers(
    examples: types.Artifact,
    split: str,
    model: str,
    folder: str,
    *,
    columns: Columns,
    snapshot_date: str,
    on_beam: OnBeam | None,
) -> ScoredCustomers:
    """Scores the rows of a split.

    Args:
        examples: raw Examples with their key.
        split: one of its splits.
        model: the SavedModel's folder.
        folder: an existing folder on this machine for the scores.
        columns: the columns that are not features.
        snapshot_date: such as 2026-01-05, for examples without a date column; may be empty otherwise.
        on_beam: how to use Beam's workers; None to work in this process.

    Raises:
        UnscorableError: there are no rows, or they lack a feature of the model, a key or a date.
        ScoringError: the model cannot be loaded or called, or gave NaN or a number outside 0 to 1.
        RuntimeError: one of these on Beam; the message holds that error.
        LostExamplesError: the split has no files, or one of them is damaged.
    """
    units = work_units(examples, split, by_row_group=on_beam is not None)
    loaded = ScoringModel(MODEL, model)
    identity = _look_at_first_row(units, loaded, columns, snapshot_date)
    if on_beam is None:
        path = os.path.join(folder, f"scored{files.SUFFIX}")
        return ScoredCustomers([path], identity, score_to_file(units, loaded, identity, path))
    needed = sorted({*identity.columns, *loaded.features})
    try:
        score_on_beam(units, MODEL, model, needed, identity, on_beam)
        fetched = _fetch(on_beam.folder, folder)
    finally:
        if fileio.exists(on_beam.folder):
            fileio.rmtree(on_beam.folder)
    return ScoredCustomers(fetched, identity, _count(fetched))


def _look_at_first_row(
    units: Sequence[WorkUnit], model: ScoringModel, columns: Columns, snapshot_date: str
) -> RowIdentity:
    """Where key and date are. Raises UnscorableError if there is no row, or a column is missing."""
    first = next((batch for unit in units for batch in read_batches(unit, rows=1) if batch.rows), None)
    if first is None:
        raise UnscorableError(
            "there is no row to score: query.sql returns none for this date. Check source.eligibility, the windows "
            "and the date (AS_OF=)"
        )
    absent = sorted(model.features - first.kinds().keys())
    if absent:
        raise UnscorableError(
            f"the champion needs {', '.join(absent)}, which the examples lack: put it back into features.yaml and "
            "query.sql, or train a new champion: make run"
        )
    return identify(first, columns, snapshot_date)


def _fetch(shards: str, folder: str) -> list[str]:
    """Copies what the workers wrote to a folder on this machine; the names in order."""
    fetched = []
    for name in sorted(fileio.listdir(shards)):
        fetched.append(os.path.join(folder, name))
        fileio.copy(f"{shards}/{name}", fetched[-1], overwrite=True)
    return fetched


def _count(scored: Sequence[str]) -> int:
    """The number of rows. Raises ScoringError if one of them has no probability."""
    tally = Tally()
    for path in scored:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(files.ROWS_PER_GROUP, columns=[PROBABILITY]):
                tally.add(batch.column(0).to_numpy())
    return tally.check(MODEL)
