"""Runner files under the `tfx` command, which executes them as `__main__` and passes them no arguments.

`tfx pipeline create`, `update` and `compile` replace the `run` of their engine's runner class while they execute the
file, to learn the pipeline from it. With another engine's they would replace nothing that the file calls, so that it
really ran the pipeline.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

DATASET, SETTINGS = "PROPENSITY_DATASET", "PROPENSITY_SETTINGS"
_RUNNER_FILES = {"beam": "runners/local_runner.py", "vertex": "runners/vertex_runner.py"}


def default_dataset() -> str:
    """The data set of a runner file that is given none: the environment's, or `ga4`."""
    return os.environ.get(DATASET) or "ga4"


def default_settings(file: str) -> Path:
    """The settings of a runner file that is given none: the environment's, or this file beside the runner files."""
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
