"""How one step's command is run: in a container of its image, or, to try without containers, as a process."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

CONFIGURATION = Path(__file__).parents[1] / "images" / "containers.conf"
_RUN = ("podman", "run", "--rm", "--pull=never", "--network=none")
LABEL = "propensity-vertex-local"  # of our containers, so that none is left behind


@dataclasses.dataclass(frozen=True)
class Command:
    """What a step runs.

    Attributes:
        image: the container's.
        command: the program and its first arguments; empty is the image's own.
        args: all further arguments.
        env: environment variables.
        cpu: most cores; None is no limit.
        memory_gb: most memory, 10^9 bytes; None is no limit.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cpu: float | None = None
    memory_gb: float | None = None


class Engine(Protocol):
    """Runs commands.

    Attributes:
        storage: the folder of this machine that stands for Cloud Storage, with a folder per bucket.
        mount: the same folder as commands see it.
    """

    storage: Path
    mount: str

    def run(self, command: Command, log: Path) -> int:
        """Runs a command to its end, appends what it writes to `log`, and returns its exit code."""


class ProcessEngine:
    """Runs commands as processes of this machine, in this environment; images and limits are ignored."""

    def __init__(self, storage: Path, *, python: str = sys.executable, project: Path = Path()):
        """Commands that begin with `python` run `python`, in the folder `project`."""
        self.storage = storage.resolve()
        self.mount = str(self.storage)
        self._python = python
        self._project = project.resolve()

    def run(self, command: Command, log: Path) -> int:
        """See Engine."""
        program, *rest = [*command.command, *command.args]
        return _logged(
            [self._python if program == "python" else program, *rest],
            log,
            cwd=self._project,
            env={**os.environ, **command.env},
        )


class PodmanEngine:
    """Runs commands in containers, without a network, as the image's user."""

    def __init__(self, storage: Path, say: Callable[[str], None]):
        """`say` is told, once, if this machine cannot enforce limits of cores and memory."""
        self.storage = storage.resolve()
        self.mount = "/gcs"
        self._say = say
        self._enforces_limits: bool | None = None

    def run(self, command: Command, log: Path) -> int:
        """See Engine."""
        return _logged(self.argv(command), log, env=_podman_environment())

    def argv(self, command: Command) -> list[str]:
        """The call of podman."""
        argv = [*_RUN, f"--label={LABEL}", f"--volume={self.storage}:{self.mount}"]
        argv += [f"--env={name}={value}" for name, value in command.env.items()]
        argv += self._limits(command)
        if command.command:
            argv.append(f"--entrypoint={json.dumps(command.command)}")
        return [*argv, command.image, *command.args]

    def _limits(self, command: Command) -> list[str]:
        options = [f"--cpus={command.cpu:g}"] if command.cpu else []
        options += [f"--memory={int(command.memory_gb * 1e9)}"] if command.memory_gb else []
        if options and self._enforces_limits is None:
            tried = _podman(*_RUN[1:], *options, "--entrypoint=true", command.image)
            self._enforces_limits = tried.returncode == 0
            if tried.returncode:
                reason = (tried.stderr.strip().splitlines() or ["it gives no reason"])[-1]
                self._say(f"Steps run without their limits of cores and memory, which podman refuses here: {reason}")
        return options if self._enforces_limits else []

    def clean(self) -> None:
        """Removes containers that are still there, as after an interrupt."""
        if not shutil.which("podman"):
            return
        left = _podman("ps", "--all", "--quiet", f"--filter=label={LABEL}").stdout.split()
        if left:
            _podman("rm", "--force", *left)


def make_folder(path: Path) -> None:
    """Makes a folder, and those above it, in which whoever the image's user is can write."""
    if not path.exists():
        make_folder(path.parent)
        path.mkdir()
        path.chmod(0o777)


def _podman(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, env=_podman_environment())


def _podman_environment() -> dict[str, str]:
    return {"CONTAINERS_CONF": str(CONFIGURATION), **os.environ}


def _logged(argv: list[str], log: Path, **options) -> int:
    with log.open("ab") as file:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, **options
        ).returncode
