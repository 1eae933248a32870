import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.sample import __main__ as command_line
from tests.support import write_small_data_set


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of the command line.

    Attributes:
        code: exit code.
        shown: what the terminal showed.
        home: the folder of the data set below the output.
    """

    code: int
    shown: str
    home: Path

    def line(self, component: str) -> str:
        """The line that ends a component."""
        [found] = [line for line in self.shown.splitlines() if line.split()[:1] == [component]]
        return found


@pytest.fixture(scope="session")
def command():
    """Runs the command line in a process of its own, in a folder of its own; returns a Run."""

    def run(workspace: Path, *arguments: str, dataset: str = "ga4") -> Run:
        done = subprocess.run(
            [sys.executable, "-m", "runners.local_runner", "--dataset", dataset, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=workspace,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0", "PYTHONPATH": os.getcwd()},
        )
        return Run(done.returncode, done.stdout, workspace / "output" / dataset)

    return run


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Path:
    """The default sample."""
    folder = tmp_path_factory.mktemp("data") / "sample"
    command_line.main(["--out", str(folder)])
    return folder


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Path:
    """The folder of the runs on the sample; `data/sample` and `output` are made below it."""
    return tmp_path_factory.mktemp("workspace")


@pytest.fixture(scope="session")
def first_run(command, workspace) -> Run:
    """`make run` where nothing is there yet."""
    return command(workspace)


@pytest.fixture(scope="session")
def later_runs(command, workspace, first_run) -> list[Run]:
    """The same again, twice: the first time there is a champion, the second time nothing has changed at all."""
    return [command(workspace) for _ in range(2)]


@pytest.fixture
def small(tmp_path):
    """The data set `small`, in a schema folder of its own."""
    return write_small_data_set(tmp_path / "schema")
