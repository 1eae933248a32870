"""Scores all rows of a split on Beam's workers, by RunInference with a handler of our SavedModels.

An element is a batch of many rows. Each worker writes the scores of a batch to a Parquet file of their own.

The handler derives from the base of Beam's handlers. Beam's own one for TensorFlow loads Keras models only, and its
module needs TensorFlow Hub, whose release for TFX 1.16 cannot be imported beside TensorFlow 2.16.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference

from pipeline.examples import files
from pipeline.examples.batches import Batch
from pipeline.examples.work_units import WorkUnit, read_batches
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
    units: Sequence[WorkUnit], name: str, model: str, columns: Sequence[str], identity: RowIdentity, on_beam: OnBeam
) -> None:
    """Scores the rows of all units.

    Args:
        units: of one split, Parquet files by row group.
        name: the model's name in messages.
        model: the SavedModel's folder; the workers reach it by the same path.
        columns: what to read of Parquet files.
        identity: where key and date are.
        on_beam: how to use Beam. Its folder gets the Parquet files, with the columns of `identity.schema`.

    Raises:
        RuntimeError: a worker failed; the message holds the worker's error, as of stream.score_to_file. Rows without a
            probability raise nothing.
    """
    with on_beam.make_pipeline() as pipeline:
        _ = (
            _elements(pipeline, units, columns)
            | "Score" >> RunInference(_Handler(name, model))
            | "Write" >> beam.ParDo(_Write(identity, on_beam.folder))
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


class _Write(beam.DoFn):
    """Writes the scores of each element."""

    def __init__(self, identity: RowIdentity, folder: str):
        self._identity, self._folder = identity, folder

    def process(self, scored: PredictionResult) -> None:
        element = scored.example
        table = pa.Table.from_batches([self._identity.scored(element.batch, scored.inference)])
        with files.parquet_writer(f"{self._folder}/{element.name}{files.SUFFIX}", table.schema) as writer:
            writer.write_table(table)


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
