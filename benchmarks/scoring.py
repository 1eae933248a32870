"""How fast customers are scored: stock BulkInferrer, Scorer in process and on Beam, and the model on arrays in memory.

    python -m benchmarks.scoring --rows 1000000

All score the same rows with the same model, each in a new process; a model is trained first, on 50,000 rows. What is
timed is the executor's work, without Python's start and imports:

- stock: TFX's BulkInferrer with its executor and the serving signature, from gzip TFRecords to gzip prediction logs. It
  reads nothing else;
- scorer, scorer with reasons: this project's executor in process, from Parquet to ranked files;
- beam: the same without reasons, by two worker processes;
- floor: the signature for columns, called on tensors that are in memory, by as many threads as Scorer has. Loading the
  model and its first call do not count.

The last line of output is the path of a JSON file with all figures; tables.md beside it has the table.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed import data, dataset
from benchmarks.speed.machine import describe_machine, describe_versions
from benchmarks.speed.measure import RECORD, Cost, measured, read_costs
from benchmarks.speed.runs import BenchmarkError, Workshop, end_of
from benchmarks.speed.tables import Table

if TYPE_CHECKING:
    from tfx import types

WORK = Path("output/benchmark-scoring")
TRAINING_ROWS = 50_000
SMALL = 200_000  # rows at which Scorer's memory is measured too
SPLIT = "score"
WORKERS = 2

_LOCAL = ("--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", "--sdk_container_image=none")
_IN_MEMORY = (*_LOCAL, "--direct_running_mode=in_memory")
_TWO_WORKERS = (*_LOCAL, "--direct_running_mode=multi_processing", f"--direct_num_workers={WORKERS}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark, or one of its programs in a child process; returns the exit code."""
    args = _parser().parse_args(arguments)
    if args.program:
        PROGRAMS[args.program](args.model, args.work, args.rows)
        return 0
    args.work.mkdir(parents=True, exist_ok=True)
    try:
        model = args.model or train(args.work, args.family)
        costs = measure(model, args.work, args.rows, args.only or [name for name in PROGRAMS if name != "examples"])
    except BenchmarkError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    table = summary(costs, args.rows)
    document = {
        "rows": args.rows,
        "model": str(model),
        "costs": {f"{program} {rows}": vars(cost) for (program, rows), cost in costs.items()},
        "machine": describe_machine(),
        "versions": describe_versions(),
    }
    (args.work / "tables.md").write_text(table.markdown() + "\n", encoding="utf-8")
    path = args.work / f"results-{args.rows}.json"
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    print(f"\n{table.text()}\n\n{path}")
    return 0


def train(work: Path, family: str) -> Path:
    """The Model artifact of one family, from a run of our pipeline; kept for later calls."""
    workshop = Workshop(work / "training")
    pattern = f"{dataset.NAME}/artifacts/{_TRAINERS[family]}/model/*/Format-Serving"
    output = workshop.place("ours", TRAINING_ROWS, 0) / "output"
    if not list(output.glob(pattern)):
        print(f"  training on {TRAINING_ROWS:,} rows ...", flush=True)
        workshop.prepare(TRAINING_ROWS)
        workshop.run("ours", TRAINING_ROWS, 0)
    [folder] = output.glob(pattern)
    return folder.parent


def measure(model: Path, work: Path, rows: int, programs: Sequence[str]) -> dict[tuple[str, int], Cost]:
    """Runs the programs one after the other; Scorer also on fewer rows, for its memory."""
    costs = {}
    for program in programs:
        for size in (SMALL, rows) if program in _ALSO_SMALL and rows > SMALL else (rows,):
            _in_child("examples", model, work, size)
            print(f"  {program:<22} {size:>10,} rows ...", end="", flush=True)
            cost = costs[program, size] = _in_child(program, model, work, size)
            print(f" {cost.wall_s:8.1f} s, {cost.cpu_s:8.1f} CPU s, {cost.peak_mib:7,.0f} MiB", flush=True)
    return costs


def summary(costs: dict[tuple[str, int], Cost], rows: int) -> Table:
    """One row for each program and size, with its speed relative to stock and to the floor."""
    stock, floor = costs.get(("stock", rows)), costs.get(("floor", rows))

    def line(program: str, size: int, cost: Cost) -> tuple[str, ...]:
        compared = size == rows
        return (
            program,
            f"{size:,}",
            f"{cost.wall_s:.1f}",
            f"{cost.cpu_s:.1f}",
            f"{size / cost.wall_s:,.0f}",
            f"{stock.wall_s / cost.wall_s:.1f} x" if stock and compared else "-",
            f"{cost.wall_s / floor.wall_s:.2f} x" if floor and compared else "-",
            f"{cost.peak_mib:,.0f}",
        )

    return Table(
        f"Scoring {rows:,} rows",
        ("program", "rows", "s", "CPU s", "rows a second", "stock's time over it", "over the floor", "peak MiB"),
        tuple(line(program, size, cost) for (program, size), cost in costs.items()),
    )


def _in_child(program: str, model: Path, work: Path, rows: int) -> Cost:
    place = work / "programs" / f"{program}-{rows}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    environment = os.environ | {RECORD: str(place / "steps.jsonl"), "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-m", "benchmarks.scoring", "--program", program, "--rows", str(rows)]
    with (place / "log.txt").open("wb") as log:
        named = ["--model", str(model), "--work", str(work)]
        code = subprocess.run([*command, *named], env=environment, stdout=log, stderr=log, check=False).returncode
    if code:
        raise BenchmarkError(f"{program} on {rows:,} rows failed with exit code {code}\n{end_of(place / 'log.txt')}")
    [cost] = read_costs(place / "steps.jsonl")
    return cost


def write_examples(model: Path, work: Path, rows: int) -> None:
    """Writes the rows as Parquet and as gzip TFRecords, unless they are there."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from pipeline.examples import encoding, writers
    from pipeline.settings.dataset_folder import DatasetFolder

    with measured("examples"):
        if all((_folder(work, rows, name) / "done").exists() for name in writers.FORMATS):
            return
        table = work / "tables" / str(rows) / "customers.parquet"
        data.write_rows(table, rows)
        folder = DatasetFolder.load(dataset.write_dataset(work / "datasets", TRAINING_ROWS))
        names = [*pq.read_schema(table).names, "unit"]
        names.remove(data.LABEL)
        schema = encoding.example_schema(names, folder)
        with contextlib.ExitStack() as stack:
            opened = [
                stack.enter_context(writers.open_splits(_examples(work, rows, name), (SPLIT,), schema, payload))
                for name, (payload, _) in writers.FORMATS.items()
            ]
            for batch in pq.ParquetFile(table).iter_batches(50_000):
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                columns["unit"] = pc.utf8_lpad(columns[data.KEY], 32, "0")
                columns = pa.RecordBatch.from_arrays([columns[name] for name in names], names=names)
                for splits in opened:
                    splits[SPLIT](encoding.to_feature_lists(columns, folder))
        for name in writers.FORMATS:
            (_folder(work, rows, name) / "done").touch()


def stock(model: Path, work: Path, rows: int) -> None:
    """TFX's BulkInferrer."""
    from tfx.components.bulk_inferrer import executor
    from tfx.proto import bulk_inferrer_pb2
    from tfx.types import standard_artifacts, standard_component_specs

    from pipeline.fast.compat import proto_utils

    result = standard_artifacts.InferenceResult()
    result.uri = str(_output("stock", work, rows))
    inputs = {"examples": [_examples(work, rows, "tfrecord")], "model": [_model(model)]}
    properties = {
        standard_component_specs.MODEL_SPEC_KEY: proto_utils.proto_to_json(bulk_inferrer_pb2.ModelSpec()),
        standard_component_specs.DATA_SPEC_KEY: proto_utils.proto_to_json(bulk_inferrer_pb2.DataSpec()),
    }
    outputs = {standard_component_specs.INFERENCE_RESULT_KEY: [result]}
    made = executor.Executor(_context(work, _IN_MEMORY))
    with measured("stock"):
        made.Do(inputs, outputs, properties)


def _scorer(name: str, reasons: int, beam_args: Sequence[str]) -> Callable[[Path, Path, int], None]:
    def program(model: Path, work: Path, rows: int) -> None:
        from pipeline.artifacts import Scores
        from pipeline.components import scorer
        from pipeline.components.specification import settings_property
        from pipeline.scores.layout import SUMMARY
        from pipeline.settings.dataset_folder import DatasetFolder
        from pipeline.settings.scoring import ScoringSettings

        folder = DatasetFolder.load(work / "datasets" / dataset.NAME)
        scores = Scores()
        scores.uri = str(_output(name, work, rows))
        properties = {
            "settings": settings_property(ScoringSettings(reasons=reasons)),
            "columns": settings_property(folder.dataset.columns),
            "features": settings_property(folder.features),
            "snapshot_date": "2026-01-05",
            "run_id": "benchmark",
        }
        inputs = {"examples": [_examples(work, rows, "parquet")], "model": [_model(model)]}
        made = scorer.Executor(_context(work, [*beam_args, f"--in_process_rows={rows}"]))
        with measured(name):
            made.Do(inputs, {"scores": [scores]}, properties)
        summary = json.loads(Path(scores.uri, SUMMARY).read_text(encoding="utf-8"))
        if sum(day["rows"] for day in summary["dates"]) != rows:
            raise BenchmarkError(f"{name} scored another number of rows than {rows}")

    return program


def floor(model: Path, work: Path, rows: int) -> None:
    """The signature for columns, on tensors in memory."""
    from concurrent.futures import ThreadPoolExecutor

    import tensorflow as tf

    from models.signatures import OUTPUT, TENSORS_SIGNATURE
    from pipeline.examples.work_units import read_batches, work_units
    from pipeline.fast.scoring import stream

    loaded = tf.saved_model.load(str(model / "Format-Serving"))
    call = loaded.signatures[TENSORS_SIGNATURE]
    inputs = call.structured_input_signature[1]
    [unit] = work_units(_examples(work, rows, "parquet"), SPLIT)
    feeds = [part.feeds(inputs) for batch in read_batches(unit, list(inputs)) for part in stream.parts(batch)]
    call(**feeds[0])
    with measured("floor"), ThreadPoolExecutor(stream.calls_at_once()) as pool:
        scored = sum(len(found) for found in pool.map(lambda feed: call(**feed)[OUTPUT].numpy(), feeds))
    if scored != rows:
        raise BenchmarkError(f"the floor scored {scored} rows instead of {rows}")


PROGRAMS: dict[str, Callable[[Path, Path, int], None]] = {
    "floor": floor,
    "scorer": _scorer("scorer", 0, _IN_MEMORY),
    "scorer with reasons": _scorer("scorer with reasons", 3, _IN_MEMORY),
    "beam": _scorer("beam", 0, _TWO_WORKERS),
    "stock": stock,
    "examples": write_examples,
}
_ALSO_SMALL = ("scorer", "scorer with reasons")
_TRAINERS = {"xgboost": "TrainXGBoost", "keras": "TrainKeras"}


def _folder(work: Path, rows: int, example_format: str) -> Path:
    return (work / "examples" / f"{rows}-{example_format}").resolve()


def _examples(work: Path, rows: int, example_format: str) -> types.Artifact:
    from tfx.types import artifact_utils, standard_artifacts

    from pipeline.examples import writers
    from pipeline.fast.compat import examples_utils

    examples = standard_artifacts.Examples()
    examples.uri = str(_folder(work, rows, example_format))
    examples.split_names = artifact_utils.encode_split_names([SPLIT])
    examples_utils.set_payload_format(examples, writers.FORMATS[example_format][0])
    return examples


def _model(folder: Path) -> types.Artifact:
    from tfx.types import standard_artifacts

    model = standard_artifacts.Model()
    model.uri = str(folder.resolve())
    return model


def _output(program: str, work: Path, rows: int) -> Path:
    place = (work / "programs" / f"{program}-{rows}" / "output").resolve()
    place.mkdir(parents=True)
    return place


def _context(work: Path, beam_args: Sequence[str]) -> Any:
    from tfx.dsl.components.base import base_beam_executor

    return base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=list(beam_args), tmp_dir=str((work / "temporary").resolve()), unique_id="1"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=SMALL, help=f"to score (default {SMALL})")
    parser.add_argument("--work", type=Path, default=WORK, help=f"where everything goes (default {WORK})")
    parser.add_argument("--family", choices=tuple(_TRAINERS), default="xgboost", help="whose model scores")
    parser.add_argument("--only", nargs="+", choices=tuple(PROGRAMS), help="the programs to run; default all")
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--program", choices=tuple(PROGRAMS), help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
