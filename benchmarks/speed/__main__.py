"""Compares this pipeline with stock TFX and with the raw floor: `python -m benchmarks.speed --rows 200000`.

Prints a table by component and a table of the cost of more rows. Writes both, and a JSON file of all results, to the
work folder, and prints the path of the JSON file last. Each run starts from scratch, in a new process and folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.speed import machine, results, tables
from benchmarks.speed.runs import KINDS, SETTINGS, BenchmarkError, Workshop

WORK = Path("output/benchmark")
GROWTH_SIZES = (50_000, 200_000, 1_000_000)
LEAST_ROWS = 10_000  # fewer do not have enough rows of each category and label


def main(arguments: list[str] | None = None) -> int:
    """Runs the benchmark; returns 0, or 1 if a run failed."""
    args = _parser().parse_args(arguments)
    workshop = Workshop(args.work)
    try:
        if args.profile:
            return _profile(workshop, args)
        _run_all(workshop, args)
        if args.storage_api:
            _run_storage_api(workshop, args.rows)
    except BenchmarkError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    document = {
        **results.document(workshop.results(), args.rows),
        "storage_api": _read_json(workshop.folder / "storage_api" / "result.json"),
        "machine": machine.describe_machine(),
        "versions": machine.describe_versions(),
    }
    found = tables.tables(document)
    (workshop.folder / "tables.md").write_text("\n\n".join(table.markdown() for table in found) + "\n")
    path = workshop.folder / f"results-{args.rows}.json"
    path.write_text(json.dumps(document, indent=1))
    print(f"\n{tables.all_text(found)}\n")
    print(path)
    return 0


def plan(rows: int, sizes: tuple[int, ...], kinds: tuple[str, ...], repeats: int) -> list[tuple[str, int, int]]:
    """The runs in their order: kind, rows and repeat. Kinds take turns, so a slow hour affects all of them.

    Args:
        rows: the size at which all kinds run.
        sizes: further sizes, at which ours and the floor run.
        kinds: those wanted.
        repeats: how often each runs.
    """
    found = []
    for repeat in range(repeats):
        found += [(kind, rows, repeat) for kind in kinds]
        found += [(kind, size, repeat) for size in sizes for kind in kinds if kind != "stock"]
    return found


def _run_all(workshop: Workshop, args: argparse.Namespace) -> None:
    kinds = (args.only,) if args.only else KINDS
    sizes = tuple(size for size in args.sizes or GROWTH_SIZES if size < args.rows)
    options = ("--no-transform-statistics",) if args.no_transform_statistics else ()
    workshop.forget(kinds)
    print(f"Machine: {machine.describe_machine()}\nEverything is in {workshop.folder}", flush=True)
    for kind, rows, repeat in plan(args.rows, sizes, kinds, args.repeats):
        workshop.prepare(rows)
        print(f"  {kind:<6} {rows:>10,} rows ...", end="", flush=True)
        run = workshop.run(kind, rows, repeat, stock_options=options)
        print(f" {run.wall_s:8.1f} s, {run.cpu_s:8.1f} CPU s, {run.peak_mib:7,.0f} MiB", flush=True)


def _run_storage_api(workshop: Workshop, rows: int) -> None:
    from benchmarks.speed.storage_api import compare

    workshop.prepare(rows)
    compare(workshop.table(rows), workshop.schema_root(rows), SETTINGS, workshop.folder / "storage_api")


def _profile(workshop: Workshop, args: argparse.Namespace) -> int:
    workshop.prepare(args.rows)
    run = workshop.run(args.profile, args.rows, repeat=0, profile=True)
    for step in run.steps:
        print(f"  {step.name:<22} {step.wall_s:8.1f} s, {step.cpu_s:8.1f} CPU s")
    print(workshop.folder / "profile" / f"{args.profile}-{args.rows}" / "flames")
    return 0


def _read_json(path: Path) -> dict | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _rows(text: str) -> int:
    """A number of rows from the command line, 200000 or 200_000."""
    try:
        rows = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of rows; write 200000, for example") from None
    if rows < LEAST_ROWS:
        raise argparse.ArgumentTypeError(
            f"{rows} rows are too few to train and evaluate models; at least {LEAST_ROWS} are needed"
        )
    return rows


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({_rows(part) for part in text.split(",")}))


def _repeats(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of repeats; write 1 or more")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--rows", type=_rows, default=200_000, help="of the table (default 200000)")
    parser.add_argument("--work", type=Path, default=WORK, help=f"where everything goes (default {WORK})")
    parser.add_argument("--only", choices=KINDS, help="rerun one program; earlier results of the others are kept")
    parser.add_argument("--repeats", type=_repeats, default=1, help="how often each runs; medians are compared")
    parser.add_argument(
        "--sizes", type=_sizes, help="sizes below --rows at which growth is measured (default 50000,200000,1000000)"
    )
    parser.add_argument("--profile", choices=KINDS, help="instead: sample one program's stacks, and draw flame graphs")
    parser.add_argument("--storage-api", action="store_true", help="also ExampleGen from BigQuery's Storage API")
    parser.add_argument(
        "--no-transform-statistics", action="store_true", help="stock Transform without statistics, like ours"
    )
    return parser


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main())
