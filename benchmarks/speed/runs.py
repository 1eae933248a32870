"""Starts the three programs from scratch, each in its own process, and checks that each did its work."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.speed import data, dataset
from benchmarks.speed.measure import PROFILE, RECORD, Cost, read_costs

KINDS = ("stock", "ours", "floor")
SETTINGS = Path("runners/local.yaml")
_LOG_LINES = 15  # lines of a failed run's log to show


class BenchmarkError(RuntimeError):
    """A run failed or did not do its work; the message names the run and its log."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of one program.

    Attributes:
        kind: stock, ours or floor.
        rows: number of rows of the table.
        repeat: number of the repeat, from 0.
        wall_s: seconds from the start to the end of the process.
        cpu_s: CPU seconds of the process and its children.
        evaluated_rows: number of rows of the test split.
        steps: the cost of each step in the process.
    """

    kind: str
    rows: int
    repeat: int
    wall_s: float
    cpu_s: float
    evaluated_rows: int
    steps: tuple[Cost, ...]

    @property
    def peak_mib(self) -> float:
        """The most memory of any step, in MiB."""
        return max(step.peak_mib for step in self.steps)


class Workshop:
    """The benchmark's folder: tables, data sets, runs and their results."""

    def __init__(self, folder: Path):
        """Makes and uses `folder`."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def prepare(self, rows: int) -> None:
        """Writes the table and the data set for this number of rows."""
        data.write_rows(self.table(rows), rows)
        dataset.write_dataset(self.schema_root(rows), rows)

    def table(self, rows: int) -> Path:
        """The Parquet file, alone in its folder."""
        return self.folder / "tables" / str(rows) / "customers.parquet"

    def schema_root(self, rows: int) -> Path:
        """The folder that holds the data set's folder."""
        return self.folder / "datasets" / str(rows)

    def place(self, kind: str, rows: int, repeat: int) -> Path:
        """The folder of one run."""
        return self.folder / "runs" / f"{kind}-{rows}-{repeat}"

    def run(
        self, kind: str, rows: int, repeat: int, *, stock_options: tuple[str, ...] = (), profile: bool = False
    ) -> Run:
        """Runs one program in an empty folder and stores its result.

        Args:
            kind: stock, ours or floor.
            rows: number of rows of a table that `prepare` has made.
            repeat: number of the repeat.
            stock_options: further arguments of the stock program.
            profile: whether stacks are sampled. Sampling takes time, so the result is not stored.

        Raises:
            BenchmarkError: it failed, evaluated nothing or pushed nothing.
        """
        place = self.folder / "profile" / f"{kind}-{rows}" if profile else self.place(kind, rows, repeat)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        command = self._command(kind, rows, place / "output") + list(stock_options if kind == "stock" else ())
        environment = os.environ | {
            RECORD: str(place / "steps.jsonl"),
            "TF_CPP_MIN_LOG_LEVEL": "2",
        }
        environment.pop(PROFILE, None)
        if profile:
            environment[PROFILE] = str(place / "flames")
        log = place / "log.txt"
        with log.open("wb") as file:
            started, cpu = time.perf_counter(), _children_cpu()
            code = subprocess.run(command, env=environment, stdout=file, stderr=file, check=False).returncode
            wall, cpu = time.perf_counter() - started, _children_cpu() - cpu
        if code:
            raise BenchmarkError(f"the {kind} run of {rows:,} rows failed with exit code {code}\n{end_of(log)}")
        steps = tuple(read_costs(place / "steps.jsonl"))
        done = Run(kind, rows, repeat, round(wall, 3), round(cpu, 3), evaluated_rows(kind, place), steps)
        if not profile:
            (place / "run.json").write_text(json.dumps(dataclasses.asdict(done), indent=1))
        return done

    def results(self) -> list[Run]:
        """All stored results, including those of earlier calls."""
        found = []
        for file in sorted(self.folder.glob("runs/*/run.json")):
            document = json.loads(file.read_text(encoding="utf-8"))
            steps = tuple(Cost(**step) for step in document.pop("steps"))
            found.append(Run(**document, steps=steps))
        return found

    def forget(self, kinds: tuple[str, ...]) -> None:
        """Deletes the results of earlier runs of these kinds."""
        for kind in kinds:
            for place in self.folder.glob(f"runs/{kind}-*"):
                shutil.rmtree(place)

    def _command(self, kind: str, rows: int, output: Path) -> list[str]:
        table, root = str(self.table(rows)), self.schema_root(rows)
        program = [sys.executable, "-m", f"benchmarks.speed.{kind}"]
        if kind == "ours":
            named = ["--schema-root", str(root), "--dataset", dataset.NAME, "--settings", str(SETTINGS)]
            return [*program, *named, "--data", table, "--output", str(output), "--require-push"]
        named = ["--folder", str(root / dataset.NAME), "--data", table]
        return [*program, *named, *(["--output", str(output)] if kind == "stock" else [])]


def evaluated_rows(kind: str, place: Path) -> int:
    """Rows of the split that was evaluated.

    Args:
        kind: stock, ours or floor.
        place: the run's folder.

    Raises:
        BenchmarkError: nothing was evaluated, or no model was pushed.
    """
    home = place / "output" / dataset.NAME
    if kind != "floor":
        for what, pattern in (
            ("pushed", "serving/*/saved_model.pb"),
            ("evaluated", "artifacts/Evaluator/evaluation/*/metrics*"),
        ):
            if not any(file.stat().st_size for file in home.glob(pattern)):
                raise BenchmarkError(f"the {kind} run {what} nothing: no {pattern} in {home}")
    if kind == "stock":
        files = home.glob("artifacts/BigQueryExampleGen/examples/*/Split-test/*.gz")
        return sum(count_records(file) for file in files)
    if kind == "ours":
        [verdict] = home.glob("artifacts/Evaluator/verdict/*/verdict.json")
        return json.loads(verdict.read_text(encoding="utf-8"))["data"]["rows"]
    metrics = json.loads((place / "log.txt").read_text(encoding="utf-8").splitlines()[-1])
    return metrics["keras"]["rows"]


def count_records(file: Path) -> int:
    """Counts the records of a gzip TFRecord file without TensorFlow: length, checksum, data and checksum each."""
    rows = 0
    with gzip.open(file) as stream:
        while header := stream.read(12):
            (length,) = struct.unpack("<Q", header[:8])
            stream.read(length + 4)
            rows += 1
    return rows


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def end_of(log: Path) -> str:
    """The last lines of a log, and its path."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join([*(f"    {line}" for line in lines[-_LOG_LINES:]), f"its log: {log}"])
