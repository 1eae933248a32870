"""Runs one step's command: in a container of its image or, without containers, as a process."""

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
LABEL = "propensity-vertex-local"  # label of our containers, so that `clean` finds them


@dataclasses.dataclass(frozen=True)
class Command:
    """The command of a step.

    Attributes:
        image: the container's image.
        command: the program and its first arguments; empty means the image's command.
        args: further arguments.
        env: environment variables.
        cpu: limit of cores; None for no limit.
        memory_gb: limit of memory in 10^9 bytes; None for no limit.
        readable: folders of this machine that the container may read, by their path in the container.
    """

    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cpu: float | None = None
    memory_gb: float | None = None
    readable: Mapping[str, Path] = dataclasses.field(default_factory=dict)


class Engine(Protocol):
    """Runs commands.

    Attributes:
        storage: the folder on this machine that replaces Cloud Storage, with a folder per bucket.
        mount: path of the same folder for commands.
    """

    storage: Path
    mount: str

    def run(self, command: Command, log: Path) -> int:
        """Runs a command, appends its output to `log`, and returns its exit code."""


class ProcessEngine:
    """Runs commands as processes in this environment. Images, limits and `readable` are ignored."""

    def __init__(self, storage: Path, *, python: str = sys.executable, project: Path = Path()):
        """`python` replaces the program `python` of a command; commands run in the folder `project`."""
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
        """Calls `say` once if podman cannot enforce CPU and memory limits on this machine."""
        self.storage = storage.resolve()
        self.mount = "/gcs"
        self._say = say
        self._enforces_limits: bool | None = None

    def run(self, command: Command, log: Path) -> int:
        """See Engine."""
        return _logged(self.argv(command), log, env=_podman_environment())

    def argv(self, command: Command) -> list[str]:
        """The arguments of podman."""
        argv = [*_RUN, f"--label={LABEL}", f"--volume={self.storage}:{self.mount}"]
        argv += [f"--volume={folder}:{path}:ro" for path, folder in command.readable.items()]
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
                reason = (tried.stderr.strip().splitlines() or ["it gave no reason"])[-1]
                self._say(
                    f"Steps run without CPU and memory limits, because podman cannot set them on this machine: {reason}"
                )
        return options if self._enforces_limits else []

    def clean(self) -> None:
        """Removes containers that an interrupt left behind."""
        if not shutil.which("podman"):
            return
        left = _podman("ps", "--all", "--quiet", f"--filter=label={LABEL}").stdout.split()
        if left:
            _podman("rm", "--force", *left)


def make_folder(path: Path) -> None:
    """Makes a folder and its parents, writable for every user."""
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
