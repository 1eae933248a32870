"""Measures a step: wall time, CPU time and peak memory of the process and its children."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

# Environment variables that tell a program where to write its measurements.
RECORD = "SPEED_BENCHMARK_RECORD"  # a file, to which each step appends a line of JSON
PROFILE = "SPEED_BENCHMARK_PROFILE"  # a folder for stack samples; unset for none

_SAMPLE_SECONDS = 0.5
_MIB = 2**20


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a step cost.

    Attributes:
        name: the step.
        wall_s: seconds from its start to its end.
        cpu_s: CPU seconds of the process and of its children that have ended.
        peak_mib: peak memory in MiB: the process's own high-water mark, or the sampled peak of it and its children
            together, if that is more (shared pages count twice).
    """

    name: str
    wall_s: float
    cpu_s: float
    peak_mib: float


@contextlib.contextmanager
def measured(name: str) -> Iterator[None]:
    """Measures the body and appends its Cost to the file that SPEED_BENCHMARK_RECORD names; one body at a time.

    A body that raises is not recorded.
    """
    with _together() as memory, _sampled(name):
        started, cpu = time.perf_counter(), cpu_seconds()
        yield
        wall, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    cost = Cost(name, round(wall, 3), round(cpu, 3), round(memory.peak_mib()))
    with Path(os.environ[RECORD]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(cost)) + "\n")


def read_costs(record: Path) -> list[Cost]:
    """Reads the measurements, in the order in which the steps ended; none if there is no file."""
    if not record.is_file():
        return []
    return [Cost(**json.loads(line)) for line in record.read_text(encoding="utf-8").splitlines()]


def cpu_seconds() -> float:
    """CPU seconds of this process and its ended children so far."""
    return sum(os.times()[:4])


class _Memory:
    """Watches the memory of this process and its children from a thread."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def peak_mib(self) -> float:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        [own] = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")]
        return max(own, self._most) / _MIB

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            children = self._process.children(recursive=True)
            if children:
                self._most = max(self._most, sum(map(_resident, [self._process, *children])))


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:  # it has ended meanwhile
        return 0


@contextlib.contextmanager
def _together() -> Iterator[_Memory]:
    memory = _Memory()
    try:
        yield memory
    finally:
        memory.stop()


def _sampled(name: str) -> contextlib.AbstractContextManager[None]:
    folder = os.environ.get(PROFILE)
    if not folder:
        return contextlib.nullcontext()
    from benchmarks.speed.flame import sampled

    return sampled(name, Path(folder))
