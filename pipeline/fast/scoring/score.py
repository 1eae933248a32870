"""Scores a split of raw examples with SavedModels, in one pass over its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tfx import types

from pipeline.examples.batches import Batch
from pipeline.examples.raw import UNIT
from pipeline.examples.work_units import WorkUnit, read_batches, work_units
from pipeline.fast.scoring.model import ScoringModel
from pipeline.fast.scoring.work import OnBeam, Reader, ScoringTask, run_first_rows, run_tasks
from pipeline.fast.text_column import TextColumn

_TEXT = pa.dictionary(pa.int32(), pa.binary())


@dataclasses.dataclass(frozen=True)
class ScoredRows:
    """The rows of a split, in the order of its files, with the predictions of each model.

    Attributes:
        label: int8 `[rows]`, 0 or 1.
        unit: int32 `[rows]`, a number for each user, from 0 on in the order of appearance.
        columns: text by name.
        predictions: by the model's name, float64 `[rows]`; NaN is left as it is.
        seen: by split of `seen_in`: bool `[rows]`, whether the user is in that split too.
    """

    label: np.ndarray
    unit: np.ndarray
    columns: dict[str, TextColumn]
    predictions: dict[str, np.ndarray]
    seen: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def score_split(
    examples: types.Artifact,
    split: str,
    models: Mapping[str, str],
    *,
    label: str,
    columns: Sequence[str] = (),
    rows: int | None = None,
    seen_in: Sequence[str] = (),
    on_beam: OnBeam | None = None,
) -> ScoredRows:
    """Reads a split once, in batches, and calls every model on each batch.

    Args:
        examples: raw Examples, of our executor or the stock one.
        split: one of its splits.
        models: by name, the folder of a SavedModel with the signatures of models/export.py.
        label: the label's feature, int64.
        columns: string features to return, such as slices and the date.
        rows: the number of rows to score, from the start and in this process; None for all.
        seen_in: other splits; `seen` tells whose users are in both.
        on_beam: how to use Beam's workers; None to work in this process.

    Returns:
        All rows, or the first ones.

    Raises:
        ScoringError: a model cannot be loaded or called, or does not return one probability for each row.
        RuntimeError: the same on Beam; its message contains that of ScoringError.
        LostExamplesError: a split has no files, or one of them is damaged.
        TypeError: one of `columns` is not text.
    """
    by_row_group = on_beam is not None
    scoring = ScoringTask(
        _Scoring(dict(models), label, tuple(columns)), work_units(examples, split, by_row_group=by_row_group)
    )
    if rows is not None:
        return _scored(run_first_rows(scoring, rows), scoring.work)
    others = [ScoringTask(_Units(), work_units(examples, other, by_row_group=by_row_group)) for other in seen_in]
    table, *units = run_tasks([scoring, *others], on_beam)
    seen = {
        other: pc.is_in(table[UNIT], value_set=found[UNIT].combine_chunks()).to_numpy()
        for other, found in zip(seen_in, units, strict=True)
    }
    return dataclasses.replace(_scored(table, scoring.work), seen=seen)


def read_examples(examples: types.Artifact, split: str, rows: int) -> list[bytes]:
    """The first serialised tf.Examples of a split. Raises LostExamplesError if there are none."""
    found: list[bytes] = []
    for unit in work_units(examples, split):
        for batch in read_batches(unit, rows=rows - len(found)):
            found += batch.serialised()
        if len(found) >= rows:
            break
    return found


@dataclasses.dataclass(frozen=True)
class _Scoring:
    """Work: predictions of models by name, and columns of the rows."""

    models: dict[str, str]
    label: str
    texts: tuple[str, ...]

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(
            [
                (UNIT, pa.binary()),
                (self.label, pa.int8()),
                *((name, _TEXT) for name in self.texts),
                *((_prediction(name), pa.float64()) for name in self.models),
            ]
        )

    def load(self) -> Reader:
        models = [ScoringModel(name, folder) for name, folder in self.models.items()]

        def read(unit: WorkUnit, rows: int | None) -> pa.Table:
            needed = {UNIT, self.label, *self.texts}.union(*(model.inputs for model in models))
            batches = [self._score(batch, models) for batch in read_batches(unit, sorted(needed), rows)]
            return pa.Table.from_batches(batches, self.schema)

        return read

    def _score(self, batch: Batch, models: Sequence[ScoringModel]) -> pa.RecordBatch:
        columns = batch.columns(self.label, self.texts)
        columns |= {name: columns[name].dictionary_encode() for name in self.texts}
        columns |= {_prediction(model.name): pa.array(model.predict(batch)) for model in models}
        return pa.RecordBatch.from_arrays([columns[name] for name in self.schema.names], schema=self.schema)


@dataclasses.dataclass(frozen=True)
class _Units:
    """Work: the distinct users."""

    def load(self) -> Reader:
        def read(unit: WorkUnit, rows: int | None) -> pa.Table:
            found = [batch.columns(None, ())[UNIT] for batch in read_batches(unit, [UNIT], rows)]
            return pa.table({UNIT: pa.chunked_array(found, pa.binary()).unique()})

        return read


def _prediction(model: str) -> str:
    return f"prediction of {model}"


def _scored(table: pa.Table, scoring: _Scoring) -> ScoredRows:
    unit = table[UNIT].combine_chunks().dictionary_encode()
    return ScoredRows(
        label=table[scoring.label].to_numpy(),
        unit=unit.indices.to_numpy(),
        columns={name: TextColumn.from_arrow(table[name]) for name in scoring.texts},
        predictions={name: table[_prediction(name)].to_numpy() for name in scoring.models},
    )
