"""Decides where a component does its work: in the step's own process, or in a Beam pipeline. The results are the same.

On one machine, a single process beats every Beam runner up to some number of rows: it pickles nothing and builds no
graph of small phases. Above that number, or if the Beam options name a runner with workers, Beam does the work.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import logging
from collections.abc import Sequence
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from pipeline.fast.compat import TUNER_LIBRARIES, untested_versions
from pipeline.settings.run import IN_PROCESS_ROWS, ExampleFormat, RunSettings

_log = logging.getLogger("propensity")
_progress = logging.getLogger("propensity.progress")

# Runners without workers, unless direct_running_mode asks for some.
_ON_THIS_MACHINE = {"", "directrunner", "fnapirunner", "bundlebaseddirectrunner"}


class Place(enum.Enum):
    """Where work is done."""

    IN_PROCESS = "in process"
    BEAM = "on Beam"


# How often each component worked in each place, counted since this process started.
taken: collections.Counter[tuple[str, Place]] = collections.Counter()


@dataclasses.dataclass(frozen=True)
class Executors:
    """Which executors a pipeline has.

    Attributes:
        batched: whether they are this project's; otherwise TFX's own.
        example_format: the file format of the examples that they pass on.
    """

    batched: bool
    example_format: ExampleFormat


def executors(run: RunSettings) -> Executors:
    """Chooses the executors that the settings name, or warns and chooses TFX's own if a library was not tested."""
    batched, example_format = run.executors == "batched", run.example_format
    if batched and (versions := untested_versions()):
        _log.warning("This run uses TFX's stock executors: the batched ones were not tested with %s.", versions)
        batched, example_format = False, None
    if versions := untested_versions(TUNER_LIBRARIES):
        _log.warning("Hyperparameter tuning was not tested with %s. It may fail.", versions)
    stock = not batched or run.example_gen == "stock"
    return Executors(batched, example_format or ("tfrecord" if stock else "parquet"))


class InProcessOptions(PipelineOptions):
    """This project's Beam options. They say how to run, not what to compute, so they are not part of the cache key."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument("--in_process_rows", type=int, default=IN_PROCESS_ROWS)


def choose(component: str, beam_args: Sequence[str], rows: int | None) -> Place:
    """Decides where a component does its work; counts the decision and logs it.

    Args:
        component: the component's name.
        beam_args: the executor's Beam options.
        rows: the number of rows to process; None if it is not known.
    """
    options = PipelineOptions(list(beam_args))
    most = options.view_as(InProcessOptions).in_process_rows
    distributed = _is_distributed(options)
    place = Place.IN_PROCESS if not distributed and rows is not None and rows <= most else Place.BEAM
    taken[component, place] += 1
    if place is Place.BEAM:
        size = "number of rows not known" if rows is None else f"more than {most:,} rows"
        _progress.info("on Beam (%s)", "its options ask for workers" if distributed else size)
    return place


def fall_back(component: str, why: str) -> None:
    """Counts and logs that TFX's own executor takes over work that was to be done in process."""
    taken[component, Place.IN_PROCESS] -= 1
    taken[component, Place.BEAM] += 1
    _progress.info("on Beam (%s)", why)


def _is_distributed(options: PipelineOptions) -> bool:
    runner = (options.view_as(StandardOptions).runner or "").rpartition(".")[2].lower()
    direct = options.view_as(DirectOptions)
    return runner not in _ON_THIS_MACHINE or direct.direct_running_mode != "in_memory"
