"""Proves on this machine, without a cloud, that the job compiled for Vertex AI does what the pipeline does.

It builds the image of the steps, compiles the pipelines in it, and runs the compiled jobs step by step in containers
without a network. It compares the outputs with those of BeamDagRunner in the same image on the same sample data. A
second training run, and then the scoring run, must find the first run's model as the champion. It needs podman, but no
Python package.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.local_vertex.containers import Command, Engine, PodmanEngine, ProcessEngine, make_folder
from tools.local_vertex.job import JobError, load_job
from tools.local_vertex.launcher import Launcher
from tools.local_vertex.store import Store

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "tools" / "images" / "build.sh"
SETTINGS = Path(__file__).with_name("vertex_local.yaml")
DATASET = "ga4"
SCORES = "scores.duckdb"  # file of the score table, in the folder of a data set
# The same values as in vertex_local.yaml.
BUCKET = "propensity-local"
IMAGE = "localhost/propensity-pipeline:local"
# A folder beside the bucket. It replaces the machine that compiles and submits.
MACHINE = "this-machine"
# In the container, the folder that holds `tools`.
PROJECT = "/project"


class ProofError(Exception):
    """A part of the proof failed, or the two runs differ."""


class Proof:
    """The parts of the proof.

    Attributes:
        seconds: wall time of each part, by name.
    """

    def __init__(self, engine: Engine, work: Path):
        """Runs with `engine`, whose storage is in the folder `work`."""
        self.seconds: dict[str, float] = {}
        self._engine, self._work = engine, work
        self._logs = work / "logs"
        self._store = Store(work / "metadata.json")
        self._machine = f"{engine.mount}/{MACHINE}"
        self._sample = f"{engine.mount}/{BUCKET}/sample"
        self._logs.mkdir()
        for folder in (BUCKET, MACHINE):
            make_folder(engine.storage / folder)

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Shows and times a part of the proof."""
        say(f"\n{name}")
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started

    def make_sample(self) -> None:
        """Makes the sample events in the bucket's folder."""
        self._python("pipeline.sample", "--out", self._sample)

    def compile(self, *options: str, file: str = "pipeline.json") -> dict:
        """Compiles a job; `options` say which one, `file` is its name."""
        machine = self._engine.storage / MACHINE
        shutil.copy(SETTINGS, machine)
        settings = f"{self._machine}/{SETTINGS.name}"
        places = ("--dataset", DATASET, "--settings", settings, "--output", self._machine)
        self._python("runners.vertex_runner", *options, *places)
        return load_job(machine / DATASET / "vertex" / file, buckets=self._engine.mount)

    def run_job(self, job: dict, run: str) -> Launcher:
        """Runs a compiled job; `run` tells its runs apart."""
        name = f"{job['pipelineSpec']['pipelineInfo']['name']}-{run}"
        launcher = Launcher(
            job,
            name,
            engine=self._engine,
            store=self._store,
            logs=self._logs,
            say=say,
            wait=lambda seconds: say(f"  retried at once; Vertex AI would wait {seconds:g} s"),
        )
        if not launcher.run():
            failed = [task for task, found in launcher.tasks.items() if found.state == "FAILED"]
            raise ProofError(f"run {name} failed in {failed[0]}")
        return launcher

    def run_beam(self, module: str, *options: str) -> dict[str, float]:
        """Runs a module that runs BeamDagRunner. Returns the seconds of each component."""
        self._python(module, "--dataset", DATASET, "--data", self._sample, "--output", self._machine, *options)
        lines = re.findall(r"^  (\w+) +(\d+\.\d) s", self._log(module).read_text(), re.MULTILINE)
        return {component: float(seconds) for component, seconds in lines}

    def compare(self, launcher: Launcher, *options: str) -> None:
        """Compares the run of a job with the run of BeamDagRunner."""
        run = f"{self._engine.mount}/{launcher.folder.relative_to(self._engine.storage)}"
        report = "comparison.txt"
        try:
            self._python(
                "tools.local_vertex.compare",
                f"{self._machine}/{DATASET}",
                run,
                "--report",
                f"{self._machine}/{report}",
                *options,
            )
        finally:
            found = self._engine.storage / MACHINE / report
            if found.exists():
                say(found.read_text().rstrip())
                found.unlink()

    def compare_scores(self, launcher: Launcher) -> None:
        """Compares the run of the scoring job, and its score table, with those of BeamDagRunner."""
        tables = [f"{self._machine}/{DATASET}", f"{self._engine.mount}/{BUCKET}/propensity/{DATASET}"]
        self.compare(launcher, "--scores", *(f"{folder}/{SCORES}" for folder in tables))

    def check_scoring(self, training: Launcher, scoring: Launcher) -> None:
        """Raises ProofError unless the training run's model scored, and the scores name the scoring run."""
        _check_champion(training, scoring)
        summary = json.loads((scoring.folder / "Scorer" / "scores" / "scores.json").read_text())
        if summary["run_id"] != scoring.folder.name:
            raise ProofError(f"the scores name the run '{summary['run_id']}', not '{scoring.folder.name}'")
        say(f"  the scores name the run {summary['run_id']}")
        say("\n".join(f"  {day['date']}: {day['rows']:,} rows" for day in summary["dates"]))

    def check_second(self, first: Launcher, second: Launcher) -> None:
        """Raises ProofError unless the first run's model is the second's champion, and it pushed nothing."""
        _check_champion(first, second)
        verdict = json.loads((second.folder / "Evaluator" / "verdict" / "verdict.json").read_text())["verdict"]
        if verdict != "unchanged":
            raise ProofError(f"the verdict of the second run is '{verdict}', not 'unchanged'")
        say(f"  verdict: {verdict}")
        serving = self._engine.storage / BUCKET / "propensity" / "serving" / DATASET
        versions = list(serving.iterdir())
        if len(versions) != 1 or _output(second, "Pusher", "pushed_model")["metadata"]["pushed"]:
            raise ProofError(f"the second run pushed: there are {len(versions)} models in {serving}")
        say("  nothing was pushed")

    def _python(self, module: str, *args: str) -> None:
        log = self._log(module)
        command = Command(IMAGE, ("python", "-m", module), args)
        if module.startswith("tools."):  # the image does not hold them
            mounted = {f"{PROJECT}/tools": ROOT / "tools"}
            command = dataclasses.replace(command, env={"PYTHONPATH": PROJECT}, readable=mounted)
        code = self._engine.run(command, log)
        if code:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise ProofError(f"{tail}\npython -m {module} failed with exit code {code}; log: {log}")

    def _log(self, module: str) -> Path:
        return self._logs / f"{module}.log"


def main(arguments: list[str] | None = None) -> int:
    """Runs the proof. The exit code is 1 if anything failed or differs."""
    args = _parser().parse_args(arguments)
    args.output.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="vertex-local-", dir=args.output.resolve()))
    podman = None if args.engine == "process" else PodmanEngine(work / "gcs", say)
    engine = podman or ProcessEngine(work / "gcs", project=ROOT)
    proof = Proof(engine, work)
    remove_images = False
    code = 1
    try:
        if podman:
            remove_images = not args.keep and not _have_image()
            with proof.part("The image of the steps"):
                if subprocess.run(["bash", str(IMAGES), "pipeline"]).returncode:
                    raise ProofError("the image could not be built")
        prove(proof)
        code = 0
    except (ProofError, JobError) as error:
        say(f"\nFAILED: {error}")
    finally:
        if podman:
            podman.clean()
        if code or args.keep:
            say(f"Everything is in {work}")
        else:
            shutil.rmtree(work)
        if remove_images:
            subprocess.run(["bash", str(IMAGES), "clean"])
    return code


def prove(proof: Proof) -> None:
    """Runs all parts after the image was built. Raises ProofError or JobError."""
    with proof.part("Sample data"):
        proof.make_sample()
    with proof.part("Compilation"):
        job = proof.compile()
    with proof.part("The compiled job"):
        first = proof.run_job(job, "1")
    with proof.part("BeamDagRunner"):
        beam = proof.run_beam("runners.local_runner", "--require-push")
    with proof.part("Comparison of the two"):
        proof.compare(first)
    with proof.part("The compiled job again"):
        second = proof.run_job(job, "2")
        proof.check_second(first, second)
    with proof.part("Compilation of the scoring job"):
        scoring_job = proof.compile("--pipeline", "scoring", file="scoring.json")
    with proof.part("The scoring job"):
        scoring = proof.run_job(scoring_job, "scoring-1")
        proof.check_scoring(first, scoring)
    with proof.part("Scoring with BeamDagRunner"):
        beam_scoring = proof.run_beam("runners.score")
    with proof.part("Comparison of the scores"):
        proof.compare_scores(scoring)
    say("\n".join([*times(beam, first, second), *times(beam_scoring, scoring), "", *of_parts(proof.seconds)]))


def times(beam: dict[str, float], first: Launcher, second: Launcher | None = None) -> list[str]:
    """A table of seconds by step, of the runs of a job and of BeamDagRunner."""
    lines = ["", f"{'Seconds':<36}{'job':>8}{'again' if second else '':>8}{'BeamDagRunner':>16}"]
    for step, task in first.tasks.items():
        columns = (task.seconds, second.tasks[step].seconds if second else None, beam.get(step))
        told = [f"{seconds:.1f}" if seconds is not None else "-" for seconds in columns]
        lines.append(f"  {step:<34}{told[0]:>8}{told[1] if second else '':>8}{told[2]:>16}")
    return lines


def of_parts(parts: dict[str, float]) -> list[str]:
    """A table of seconds by part of the proof."""
    lines = [f"  {part:<34}{seconds:>8.1f}" for part, seconds in parts.items()]
    return [*lines, f"  {'all':<34}{sum(parts.values()):>8.1f}"]


def say(text: str) -> None:
    """Prints a line and flushes."""
    print(text, flush=True)


def _check_champion(first: Launcher, later: Launcher) -> None:
    """Raises ProofError unless the first run's model is the later run's champion."""
    model = _output(first, "SelectModel", "model")["name"]
    champions = later.tasks["Champion-model-resolver"].outputs.artifacts["model"]
    if [champion["name"] for champion in champions] != [model]:
        raise ProofError(f"the first run's model is not the champion of the run {later.folder.name}")
    say("  the champion is the first run's model")


def _output(launcher: Launcher, task: str, key: str) -> dict:
    [artifact] = launcher.tasks[task].outputs.artifacts[key]
    return artifact


def _have_image() -> bool:
    return bool(shutil.which("podman")) and subprocess.run(["podman", "image", "exists", IMAGE]).returncode == 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output"), help="folder for the temporary folder")
    parser.add_argument("--keep", action="store_true", help="keep the temporary folder and the image")
    parser.add_argument(
        "--engine",
        choices=("podman", "process"),
        default="podman",
        help="process: run in this environment, without an image",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
