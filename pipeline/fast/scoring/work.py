"""Runs work on the files of splits and gathers the resulting tables: in this process, or on Beam's workers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.utils import shared
from tfx.dsl.io import fileio

from pipeline.examples import files
from pipeline.examples.work_units import WorkUnit

Reader = Callable[[WorkUnit, "int | None"], pa.Table]


class Work(Protocol):
    """What to do with each unit. Beam sends it to the workers, so it must be small."""

    def load(self) -> Reader:
        """Loads what all units need, such as models; called once per process.

        Returns:
            A function that makes a table of a unit, or of its first rows; all tables have the same columns.
        """


@dataclasses.dataclass(frozen=True)
class ScoringTask:
    """Work and its units; results are gathered in the order of the units."""

    work: Work
    units: Sequence[WorkUnit]


@dataclasses.dataclass(frozen=True)
class OnBeam:
    """How a Beam pipeline does the tasks.

    Attributes:
        make_pipeline: makes the pipeline, with its options.
        folder: for temporary files; the workers and this process reach it by the same path.
    """

    make_pipeline: Callable[[], beam.Pipeline]
    folder: str


def run_tasks(tasks: Sequence[ScoringTask], on_beam: OnBeam | None) -> list[pa.Table]:
    """The table of each task, in the order of its units.

    Args:
        tasks: what to do; one Beam pipeline does all of them.
        on_beam: how to use Beam; None to work in this process.

    Raises:
        RuntimeError: a worker failed; the message holds the worker's error.
    """
    if on_beam is None:
        return [run_first_rows(task, None) for task in tasks]
    folder = f"{on_beam.folder.rstrip('/')}/scored"
    numbered = [(number, place, unit) for number, task in enumerate(tasks) for place, unit in enumerate(task.units)]
    with on_beam.make_pipeline() as pipeline:
        _ = (
            pipeline
            | "WorkUnits" >> beam.Create(numbered)
            | "Distribute" >> beam.Reshuffle()
            | "Work" >> beam.ParDo(_DoWork([task.work for task in tasks], folder))
        )
    tables = [
        pa.concat_tables([_read(_file(folder, number, place)) for place in range(len(task.units))])
        for number, task in enumerate(tasks)
    ]
    fileio.rmtree(folder)
    return tables


def run_first_rows(task: ScoringTask, rows: int | None) -> pa.Table:
    """The table of a task's first rows, or of all rows, made in this process."""
    read = task.work.load()
    tables: list[pa.Table] = []
    for unit in task.units:
        tables.append(read(unit, rows))
        if rows is not None:
            rows -= tables[-1].num_rows
            if rows <= 0:
                break
    return pa.concat_tables(tables)


class _Loaded:
    """What all work has loaded. It is a class because Beam's shared objects must allow weak references."""

    def __init__(self, works: Sequence[Work]):
        self.readers = [work.load() for work in works]


class _DoWork(beam.DoFn):
    """Writes the table of each unit to a file."""

    def __init__(self, works: Sequence[Work], folder: str):
        self._works = works
        self._folder = folder
        self._shared = shared.Shared()  # by the threads of a worker

    def setup(self) -> None:
        self._loaded = self._shared.acquire(lambda: _Loaded(self._works))

    def process(self, numbered: tuple[int, int, WorkUnit]) -> None:
        number, place, unit = numbered
        table = self._loaded.readers[number](unit, None).unify_dictionaries()
        with files.parquet_writer(_file(self._folder, number, place), table.schema) as writer:
            writer.write_table(table)


def _file(folder: str, number: int, place: int) -> str:
    return f"{folder}/{number}-{place:06d}{files.SUFFIX}"


def _read(path: str) -> pa.Table:
    with FileSystems.open(path) as stream:
        return pq.read_table(stream)
