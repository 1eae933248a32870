"""Scores all rows of a split on Beam's workers, by RunInference with a handler of our SavedModels.

An element is a batch of many rows. Each worker writes the scores of a batch to a Parquet file of their own.

The handler derives from the base of Beam's handlers. Beam's own one for TensorFlow loads Keras models only, and its
module needs TensorFlow Hub, whose release for TFX 1.16 cannot be imported beside TensorFlow 2.16.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference
from apache_beam.utils import shared

from pipeline.examples import files
from pipeline.examples.batches import Batch
from pipeline.examples.work_units import WorkUnit, read_batches
from pipeline.fast.scoring.explain import Explaining, Explanation
from pipeline.fast.scoring.identity import RowIdentity
from pipeline.fast.scoring.model import ScoringModel
from pipeline.fast.scoring.stream import parts
from pipeline.fast.scoring.work import OnBeam

# Rows of an element that moves between workers: a TFRecord file cannot be divided, so its batches are passed on.
_ROWS_PASSED_ON = 8_192


@dataclasses.dataclass(frozen=True)
class Element:
    """A batch, and the name of the file that its scores go to. The name is the same if a worker tries again."""

    name: str
    batch: Batch


def score_on_beam(
    units: Sequence[WorkUnit],
    name: str,
    model: str,
    columns: Sequence[str],
    identity: RowIdentity,
    on_beam: OnBeam,
    explanation: Explanation | None = None,
) -> None:
    """Scores the rows of all units.

    Args:
        units: of one split, Parquet files by row group.
        name: the model's name in messages.
        model: the SavedModel's folder; the workers reach it by the same path.
        columns: what to read of Parquet files.
        identity: where key and date are.
        on_beam: how to use Beam. Its folder gets the Parquet files, with the columns of `identity.schema`.
        explanation: what adds reasons to all rows; None for none.

    Raises:
        RuntimeError: a worker failed; the message holds the worker's error, as of stream.score_to_file. Rows without a
            probability raise nothing.
    """
    with on_beam.make_pipeline() as pipeline:
        _ = (
            _elements(pipeline, units, columns)
            | "Score" >> RunInference(_Handler(name, model))
            | "Write" >> beam.ParDo(_Write(identity, explanation, on_beam.folder))
        )


def explain_on_beam(
    units: Sequence[WorkUnit],
    columns: Sequence[str],
    explanation: Explanation,
    floors: Mapping[datetime.date, float],
    scored: str,
    on_beam: OnBeam,
) -> None:
    """Reads the rows once more and adds reasons to the best ones.

    Args:
        units: as for score_on_beam.
        columns: what to read of Parquet files.
        explanation: what adds reasons.
        floors: by date, the lowest probability that is explained.
        scored: the folder that score_on_beam wrote to.
        on_beam: how to use Beam. Its folder gets the same Parquet files with reasons.

    Raises:
        RuntimeError: a worker failed.
    """
    with on_beam.make_pipeline() as pipeline:
        _ = _elements(pipeline, units, columns) | "Explain" >> beam.ParDo(
            _Explain(explanation, floors, scored, on_beam.folder)
        )


class _Handler(ModelHandler[Element, PredictionResult, ScoringModel]):
    """Beam's handler for a SavedModel with the signatures of models/export.py; it takes elements one by one."""

    def __init__(self, name: str, folder: str):
        super().__init__()
        self._name, self._folder = name, folder

    def load_model(self) -> ScoringModel:
        """Loads the model; the threads of a worker share it."""
        return ScoringModel(self._name, self._folder)

    def run_inference(
        self, batch: Sequence[Element], model: ScoringModel, inference_args: dict[str, Any] | None = None
    ) -> Iterator[PredictionResult]:
        """Probabilities of each element, float64 `[rows]`."""
        for element in batch:
            probabilities = np.concatenate([model.predict(part) for part in parts(element.batch)])
            yield PredictionResult(element, probabilities)

    def get_num_bytes(self, batch: Sequence[Element]) -> int:
        """The number of rows, since batches have no size in bytes; Beam only reports it."""
        return sum(element.batch.rows for element in batch)

    def get_metrics_namespace(self) -> str:
        """The name of Beam's metrics."""
        return "Scorer"

    def batch_elements_kwargs(self) -> dict[str, int]:
        """No elements are put together: each has many rows."""
        return {"min_batch_size": 1, "max_batch_size": 1}


class _Explainer(beam.DoFn):
    """Base of what adds reasons; the threads of a worker share what explains."""

    def __init__(self, explanation: Explanation | None):
        self._explanation = explanation
        self._shared = shared.Shared()
        self._explaining: Explaining | None = None

    def setup(self) -> None:
        if self._explanation:
            self._explaining = self._shared.acquire(self._explanation.load)


class _Write(_Explainer):
    """Writes the scores of each element."""

    def __init__(self, identity: RowIdentity, explanation: Explanation | None, folder: str):
        super().__init__(explanation)
        self._identity, self._folder = identity, folder

    def process(self, scored: PredictionResult) -> None:
        element = scored.example
        found = self._identity.scored(element.batch, scored.inference)
        if self._explaining:
            found = self._explaining.add(element.batch, found)
        _write(found, self._folder, element)


class _Explain(_Explainer):
    """Writes the scores of each element once more, with reasons."""

    def __init__(self, explanation: Explanation, floors: Mapping[datetime.date, float], scored: str, folder: str):
        super().__init__(explanation)
        self._floors, self._scored, self._folder = floors, scored, folder

    def process(self, element: Element) -> None:
        with files.opened_parquet(f"{self._scored}/{element.name}{files.SUFFIX}") as source:
            [found] = source.read().combine_chunks().to_batches()
        _write(self._explaining.add(element.batch, found, self._floors), self._folder, element)


def _write(found: pa.RecordBatch, folder: str, element: Element) -> None:
    with files.parquet_writer(f"{folder}/{element.name}{files.SUFFIX}", found.schema) as writer:
        writer.write_table(pa.Table.from_batches([found]))


def _elements(pipeline: beam.Pipeline, units: Sequence[WorkUnit], columns: Sequence[str]) -> beam.PCollection:
    """The batches of all units, spread over the workers."""
    numbered = pipeline | "WorkUnits" >> beam.Create(list(enumerate(units))) | "Distribute" >> beam.Reshuffle()
    if files.is_parquet([unit.file for unit in units]):
        return numbered | "Read" >> beam.FlatMap(_read, columns, files.ROWS_PER_GROUP)
    return numbered | "Read" >> beam.FlatMap(_read, columns, _ROWS_PASSED_ON) | "PassOn" >> beam.Reshuffle()


def _read(numbered: tuple[int, WorkUnit], columns: Sequence[str], size: int) -> Iterator[Element]:
    place, unit = numbered
    for number, batch in enumerate(read_batches(unit, columns, size=size)):
        yield Element(f"{place:06d}-{number:06d}", batch)
