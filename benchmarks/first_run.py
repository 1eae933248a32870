"""How long a first `make run` takes, next to TFX's own taxi template.

    python -m benchmarks.first_run

Runs both in turn in the environment of this interpreter, each time with a new output folder, so nothing comes from a
cache. The clock starts after the environment is installed and the sample events exist. `tfx template copy` copies the
template with TFX's 15,000 rows, and all its components are enabled. It has no second model family, selection,
infrastructure check, paired gate or report.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
_TEMPLATE = "taxi"
_DISABLED = re.compile(r"^( *)# (components\.append\()", re.MULTILINE)
_LAST_LINES = 15  # of a failed run's output


class RunError(RuntimeError):
    """A run that failed; the message holds the end of its output."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """The cost of one run, including the processes that it started.

    Attributes:
        wall_s: seconds from start to end.
        cpu_s: seconds of CPU.
        peak_mib: most memory of one process, in MiB.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    """Runs both and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=3, help="runs of each")
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        template = copy_template(Path(folder, "template"))
        run([sys.executable, "-m", "pipeline.sample", "--out", "data/sample"], REPOSITORY)
        costs: dict[str, list[Cost]] = {"TFX's taxi template": [], "make run": []}
        commands: dict[str, Callable[[Path], Cost]] = {
            "TFX's taxi template": lambda output: run_template(template, output),
            "make run": run_sample,
        }
        for number in range(repeats):
            for name, command in commands.items():
                print(f"{name}, run {number + 1} of {repeats}", file=sys.stderr, flush=True)
                costs[name].append(command(Path(folder, f"output_{len(costs[name])}")))
    print(table(costs))


def copy_template(folder: Path) -> Path:
    """Copies the template into a new folder and enables its components. Raises RunError."""
    folder.mkdir()
    copy = ["template", "copy", f"--model={_TEMPLATE}", f"--pipeline_name={_TEMPLATE}", f"--destination_path={folder}"]
    run([sys.executable, "-m", "tfx.tools.cli.cli_main", *copy], folder)
    module = folder / "pipeline" / "pipeline.py"
    module.write_text(enable_components(module.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


def enable_components(module: str) -> str:
    """The template's pipeline.py with its optional components uncommented. Raises ValueError if there are none."""
    enabled, count = _DISABLED.subn(r"\1\2", module)
    if not count:
        raise ValueError("the template has no components to enable: it differs in this release of TFX")
    return enabled


def run_template(template: Path, output: Path) -> Cost:
    """Runs a copy of the template. It writes its output to the folder that it runs in. Raises RunError."""
    shutil.copytree(template, output)
    try:
        return run([sys.executable, "local_runner.py"], output)
    finally:
        shutil.rmtree(output)


def run_sample(output: Path) -> Cost:
    """Does what `make run` does. Raises RunError."""
    try:
        return run([sys.executable, "-m", "runners.local_runner", "--output", str(output)], REPOSITORY)
    finally:
        shutil.rmtree(output, ignore_errors=True)


def run(command: Sequence[str], folder: Path) -> Cost:
    """Runs a command in a folder and returns its cost. Raises RunError if it fails."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "2"}
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            lines = output.read().splitlines()[-_LAST_LINES:]
            raise RunError(f"{' '.join(command)} ended with {process.returncode}:\n" + "\n".join(lines))
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def table(costs: dict[str, list[Cost]]) -> str:
    """A line for each kind of run: medians, and the wall time of every run."""
    lines = [f"{'':22s}{'wall s':>8s}{'CPU s':>8s}{'peak MiB':>10s}  wall s of each run"]
    for name, of_runs in costs.items():
        wall, cpu, peak = np.median([dataclasses.astuple(cost) for cost in of_runs], axis=0)
        each = ", ".join(f"{cost.wall_s:.1f}" for cost in of_runs)
        lines.append(f"{name:22s}{wall:8.1f}{cpu:8.1f}{peak:10,.0f}  {each}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
