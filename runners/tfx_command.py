"""Runner files under the `tfx` command, which executes them as `__main__` without arguments.

`tfx pipeline create`, `update` and `compile` execute the file to learn its pipeline. Meanwhile they replace the `run`
of their engine's runner class. With the wrong engine, they would replace the `run` of another class, and the file would
really run the pipeline.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

DATASET, SETTINGS = "PROPENSITY_DATASET", "PROPENSITY_SETTINGS"
_RUNNER_FILES = {"beam": "runners/local_runner.py", "vertex": "runners/vertex_runner.py"}


def default_dataset() -> str:
    """The data set if none is given: the one that the environment names, or `ga4`."""
    return os.environ.get(DATASET) or "ga4"


def default_settings(file: str) -> Path:
    """The settings if none are given: those that the environment names, or this file in runners/."""
    return Path(os.environ.get(SETTINGS) or Path(__file__).with_name(file))


def is_compiling(engine: str) -> bool:
    """Whether a `tfx pipeline` command executes the runner file of this engine, and only wants its pipeline.

    Raises:
        SystemExit: the command is for another engine; nothing has run.
    """
    asked = _asked_engine()
    if asked not in (None, engine):
        others = " or ".join(f"{file} with --engine={name}" for name, file in _RUNNER_FILES.items() if name != engine)
        raise SystemExit(
            f"Error: {_RUNNER_FILES[engine]} is for --engine={engine}, not --engine={asked}; nothing was run. "
            f"Use --engine={engine}, or {others}."
        )
    return asked is not None


def _asked_engine() -> str | None:
    """The engine of the `tfx` command that executes this code, `auto` replaced by what it found; None without one."""
    command = click.get_current_context(silent=True)
    if command is None:
        return None
    from pipeline.fast.compat import cli_context
    from pipeline.fast.compat import cli_labels as labels

    found = command.find_object(cli_context.Context)
    return found.flags_dict[labels.ENGINE_FLAG] if found else None
