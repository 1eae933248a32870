"""Scores all rows of a split for the score table: key, date and probability, in this process or on Beam's workers."""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Sequence

import pyarrow.parquet as pq
from tfx import types
from tfx.dsl.io import fileio

from models.features import FeatureSet
from pipeline.examples import files
from pipeline.examples.work_units import WorkUnit, read_batches, work_units
from pipeline.fast.scoring.explain import Explained, Explaining, Explanation, explained
from pipeline.fast.scoring.identity import RowIdentity, UnscorableError, identify
from pipeline.fast.scoring.model import ScoringModel
from pipeline.fast.scoring.run_inference import explain_on_beam, score_on_beam
from pipeline.fast.scoring.stream import Tally, explain_to_file, score_to_file
from pipeline.fast.scoring.work import OnBeam
from pipeline.scores.figures import DECILES
from pipeline.scores.layout import PROBABILITY
from pipeline.scores.ranking import reasons_floors
from pipeline.settings.dataset import Columns
from pipeline.settings.scoring import ScoringSettings

MODEL = "champion"  # its name in messages


@dataclasses.dataclass(frozen=True)
class ScoredCustomers:
    """Scores, not ranked yet.

    Attributes:
        files: Parquet files on this machine, with the columns of `identity.schema`.
        identity: where key and date came from.
        rows: the number of rows.
        explained: what a report says about their reasons; None if they have none.
    """

    files: Sequence[str]
    identity: RowIdentity
    rows: int
    explained: Explained | None


def score_customers(
    examples: types.Artifact,
    split: str,
    model: str,
    folder: str,
    *,
    settings: ScoringSettings,
    columns: Columns,
    features: FeatureSet,
    snapshot_date: str,
    on_beam: OnBeam | None,
) -> ScoredCustomers:
    """Scores the rows of a split.

    If all deciles get reasons, the rows are read once. Otherwise they are read once more, for the best of them.

    Args:
        examples: raw Examples with their key.
        split: one of its splits.
        model: the SavedModel's folder.
        folder: an existing folder on this machine for the scores.
        settings: how many reasons, and for which deciles.
        columns: the columns that are not features.
        features: the features that the data set declares.
        snapshot_date: such as 2026-01-05, for examples without a date column; may be empty otherwise.
        on_beam: how to use Beam's workers; None to work in this process.

    Raises:
        UnscorableError: there are no rows, or they lack a feature of the model, a key or a date.
        ReasonsUnavailableError: an earlier version of this project exported the model.
        ScoringError: the model cannot be loaded or called, or gave NaN or a number outside 0 to 1.
        RuntimeError: one of these on Beam; the message holds that error.
        LostExamplesError: the split has no files, or one of them is damaged.
    """
    units = work_units(examples, split, by_row_group=on_beam is not None)
    loaded = ScoringModel(MODEL, model)
    identity = _look_at_first_row(units, loaded, columns, snapshot_date)
    explanation = Explanation(model, features, settings.reasons) if settings.reasons else None
    explaining = explanation.load() if explanation else None
    passes = _Passes(units, loaded, model, identity, explanation, explaining, settings.reasons_deciles)
    rows, scored = passes.here(folder) if on_beam is None else passes.on_beam(on_beam, folder)
    return ScoredCustomers(scored, identity, rows, explained(explaining, scored) if explaining else None)


@dataclasses.dataclass(frozen=True)
class _Passes:
    """What to do. Both ways return the number of rows and the files."""

    units: Sequence[WorkUnit]
    model: ScoringModel
    folder_of_model: str
    identity: RowIdentity
    explanation: Explanation | None
    explaining: Explaining | None
    deciles: int

    @property
    def in_one_pass(self) -> bool:
        return self.deciles == DECILES or self.explanation is None

    def here(self, folder: str) -> tuple[int, list[str]]:
        scored, explained_file = (os.path.join(folder, f"{name}{files.SUFFIX}") for name in ("scored", "explained"))
        at_once = self.explaining if self.in_one_pass else None
        rows = score_to_file(self.units, self.model, self.identity, scored, at_once)
        if self.in_one_pass:
            return rows, [scored]
        explain_to_file(self.units, self.explaining, self._floors([scored]), scored, explained_file)
        return rows, [explained_file]

    def on_beam(self, on_beam: OnBeam, folder: str) -> tuple[int, list[str]]:
        needed = sorted({*self.identity.columns, *self.model.features})
        first, second = (
            dataclasses.replace(on_beam, folder=f"{on_beam.folder}/{name}") for name in ("scored", "explained")
        )
        at_once = self.explanation if self.in_one_pass else None
        try:
            score_on_beam(self.units, MODEL, self.folder_of_model, needed, self.identity, first, at_once)
            scored = _fetch(first.folder, os.path.join(folder, "scored"))
            rows = _count(scored)
            if not self.in_one_pass:
                floors = self._floors(scored)
                explain_on_beam(self.units, needed, self.explanation, floors, first.folder, second)
                scored = _fetch(second.folder, os.path.join(folder, "explained"))
        finally:
            if fileio.exists(on_beam.folder):
                fileio.rmtree(on_beam.folder)
        return rows, scored

    def _floors(self, scored: Sequence[str]) -> dict[datetime.date, float]:
        return reasons_floors(scored, key=self.identity.name, decile=self.deciles)


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
    """Copies what the workers wrote to a new folder on this machine; returns the files in order."""
    os.makedirs(folder)
    names = sorted(name for name in fileio.listdir(shards) if name.endswith(files.SUFFIX))
    for name in names:
        fileio.copy(f"{shards}/{name}", os.path.join(folder, name))
    return [os.path.join(folder, name) for name in names]


def _count(scored: Sequence[str]) -> int:
    """The number of rows. Raises ScoringError if one of them has no probability."""
    tally = Tally()
    for path in scored:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(files.ROWS_PER_GROUP, columns=[PROBABILITY]):
                tally.add(batch.column(0).to_numpy())
    return tally.check(MODEL)
