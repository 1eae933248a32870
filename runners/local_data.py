"""The settings of a command on this machine, and its data: yours, or the sample."""

from __future__ import annotations

import argparse
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

from models.config import SettingsError, load_settings
from pipeline.sample import events
from pipeline.settings.dataset import EventSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings, RunSettings
from runners import failures
from runners.console import Console

SAMPLE = Path("data/sample")


def run_settings(args: argparse.Namespace, folder: DatasetFolder) -> RunSettings:
    """The settings of the file `args.settings`; `args.data` and `args.output` replace theirs.

    Raises:
        SettingsError: they are not valid, or name no data where there is no sample.
    """
    overrides = {key: value for key, value in (("data", args.data), ("output", args.output)) if value}
    run = load_settings(args.settings, RunSettings, overrides)
    if _needs_sample(run) and not (
        isinstance(folder.dataset.source, EventSource) and folder.dataset.source.kind == "ga4"
    ):
        raise SettingsError(f"data set '{folder.name}' has no sample. Name your data with DATA=<path> (--data).")
    return run


def with_sample(run: RunSettings, folder: DatasetFolder, terminal: Console) -> RunSettings:
    """The settings with data. If they name none, that is the sample, which is made if it does not exist."""
    if not _needs_sample(run):
        return run
    parameters = events.parameters_for(folder.dataset)
    try:
        sample = events.write_sample(SAMPLE, parameters)
    except OSError as error:
        raise SettingsError(f"the sample cannot be written: {failures.reason(error, SAMPLE)}") from error
    terminal.line(f"Sample: {sample.events:,} events in {SAMPLE}{', made now' if sample.made else ''}")
    return run.model_copy(update={"data": SAMPLE})


@contextlib.contextmanager
def no_garbage() -> Iterator[None]:
    """Turns the garbage collector off during imports, and keeps it from looking through their objects afterwards."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _needs_sample(run: RunSettings) -> bool:
    return isinstance(run.warehouse, DuckDBSettings) and run.data is None
