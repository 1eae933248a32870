"""Runs work on the files of splits, and gathers the tables that it makes: in this process, or on Beam's workers."""

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

from pipeline.examples import example_files
from pipeline.examples.scoring_batches import WorkUnit

Reader = Callable[[WorkUnit, "int | None"], pa.Table]


class Work(Protocol):
    """What is done with each unit; it is sent to the workers, so it must be small."""

    def load(self) -> Reader:
        """Loads what all units need, once per process, such as models.

        Returns:
            What makes a table of a unit, or of its first rows only; all tables have the same columns.
        """


@dataclasses.dataclass(frozen=True)
class Job:
    """Work, and the units in whose order its results are gathered."""

    work: Work
    units: Sequence[WorkUnit]


@dataclasses.dataclass(frozen=True)
class OnBeam:
    """How to have jobs done by a Beam pipeline.

    Attributes:
        make_pipeline: makes it, with its options.
        folder: where workers may write for a while; the workers and this process reach it by the same path.
    """

    make_pipeline: Callable[[], beam.Pipeline]
    folder: str


def run_jobs(jobs: Sequence[Job], on_beam: OnBeam | None) -> list[pa.Table]:
    """The table of each job, in the order of its units.

    Args:
        jobs: done by one Beam pipeline, if by any.
        on_beam: None for this process.

    Raises:
        RuntimeError: a worker failed; the message holds the worker's error.
    """
    if on_beam is None:
        return [run_first_rows(job, None) for job in jobs]
    folder = f"{on_beam.folder.rstrip('/')}/scored"
    tasks = [(number, place, unit) for number, job in enumerate(jobs) for place, unit in enumerate(job.units)]
    with on_beam.make_pipeline() as pipeline:
        _ = (
            pipeline
            | "WorkUnits" >> beam.Create(tasks)
            | "Distribute" >> beam.Reshuffle()
            | "Work" >> beam.ParDo(_DoWork([job.work for job in jobs], folder))
        )
    tables = [
        pa.concat_tables([_read(_file(folder, number, place)) for place in range(len(job.units))])
        for number, job in enumerate(jobs)
    ]
    fileio.rmtree(folder)
    return tables


def run_first_rows(job: Job, rows: int | None) -> pa.Table:
    """The table of a job's first rows, or of all, made in this process."""
    read = job.work.load()
    tables: list[pa.Table] = []
    for unit in job.units:
        tables.append(read(unit, rows))
        if rows is not None:
            rows -= tables[-1].num_rows
            if rows <= 0:
                break
    return pa.concat_tables(tables)


class _Loaded:
    """What has been loaded for all work. A class, since what workers share must take weak references."""

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

    def process(self, task: tuple[int, int, WorkUnit]) -> None:
        number, place, unit = task
        table = self._loaded.readers[number](unit, None).unify_dictionaries()
        with example_files.parquet_writer(_file(self._folder, number, place), table.schema) as writer:
            writer.write_table(table)


def _file(folder: str, number: int, place: int) -> str:
    return f"{folder}/{number}-{place:06d}{example_files.SUFFIX}"


def _read(path: str) -> pa.Table:
    with FileSystems.open(path) as stream:
        return pq.read_table(stream)
