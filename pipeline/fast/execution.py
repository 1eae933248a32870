"""Where a component's work is done: inside its step, or by a Beam pipeline. The results are the same.

Up to a bound, one process beats any runner on one machine: nothing is pickled, no graph of many small phases is built.
Above it, or where the Beam options name a runner with workers of its own, a Beam pipeline does the work.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import logging
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

from pipeline.settings.run import IN_PROCESS_ROWS, ExampleFormat, RunSettings

_log = logging.getLogger("propensity")
_progress = logging.getLogger("propensity.progress")

# The in-process executors call parts of these libraries that are documented in their code only, so each release must
# have been tested: major and minor version -> tested.
TESTED_VERSIONS = {
    "tensorflow-data-validation": ("1.16", "1.21"),
    "tensorflow-transform": ("1.16", "1.21"),
    "tensorflow-model-analysis": ("0.47", "0.52"),
}

# Runners that have no workers of their own but for what direct_running_mode says.
_ON_THIS_MACHINE = {"", "directrunner", "fnapirunner", "bundlebaseddirectrunner"}


class Path(enum.Enum):
    """Where the work was done."""

    IN_PROCESS = "in process"
    BEAM = "on Beam"


# How often each component took each path in this process.
taken: collections.Counter[tuple[str, Path]] = collections.Counter()


@dataclasses.dataclass(frozen=True)
class Executors:
    """Which executors a pipeline has.

    Attributes:
        batched: ours, or TFX's own.
        example_format: of the examples between them.
    """

    batched: bool
    example_format: ExampleFormat


def executors(run: RunSettings) -> Executors:
    """Chooses the executors: those that the settings name, or TFX's own where ours were not tested; then it warns."""
    batched, example_format = run.executors == "batched", run.example_format
    if batched and (versions := untested_versions()):
        _log.warning("executors: stock ones, since the batched ones were not tested with %s", versions)
        batched, example_format = False, None
    stock = not batched or run.example_gen == "stock"
    return Executors(batched, example_format or ("tfrecord" if stock else "parquet"))


class InProcessOptions(PipelineOptions):
    """Our options among a pipeline's Beam options: how to run is no part of what is computed, or of the cache key."""

    @classmethod
    def _add_argparse_args(cls, parser: Any) -> None:
        parser.add_argument("--in_process_rows", type=int, default=IN_PROCESS_ROWS)


def choose(component: str, beam_args: Sequence[str], rows: int | None) -> Path:
    """Decides where a component's work is done, counts and tells it.

    Args:
        component: its name, to tell and to count by.
        beam_args: the Beam options of the executor.
        rows: how many rows there are to process; None if that is not known.
    """
    options = PipelineOptions(list(beam_args))
    most = options.view_as(InProcessOptions).in_process_rows
    distributed = _is_distributed(options)
    path = Path.IN_PROCESS if not distributed and rows is not None and rows <= most else Path.BEAM
    taken[component, path] += 1
    if path is Path.BEAM:
        why = "by its options" if distributed else "rows not known" if rows is None else f"more than {most:,} rows"
        _progress.info("on Beam (%s)", why)
    return path


def fall_back(component: str, why: str) -> None:
    """Counts and tells that what was to be done in process is left to TFX's own executor."""
    taken[component, Path.IN_PROCESS] -= 1
    taken[component, Path.BEAM] += 1
    _progress.info("on Beam (%s)", why)


def untested_versions() -> str:
    """The libraries whose versions the in-process executors were not tested with, in words; empty if there are none."""
    found = {name: metadata.version(name) for name in TESTED_VERSIONS}
    other = [
        f"{name} {version} (tested: {', '.join(TESTED_VERSIONS[name])})"
        for name, version in found.items()
        if ".".join(version.split(".")[:2]) not in TESTED_VERSIONS[name]
    ]
    return ", ".join(other)


def _is_distributed(options: PipelineOptions) -> bool:
    runner = (options.view_as(StandardOptions).runner or "").rpartition(".")[2].lower()
    direct = options.view_as(DirectOptions)
    return runner not in _ON_THIS_MACHINE or direct.direct_running_mode != "in_memory"
