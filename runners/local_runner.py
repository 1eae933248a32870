"""Runs the pipeline on this machine with BeamDagRunner: `python -m runners.local_runner --help`."""

from __future__ import annotations

import argparse
import datetime
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import schema
from models.config import SettingsError, load_settings
from pipeline.dataset_folder import DatasetFolder
from pipeline.raw_schema import check_schema
from pipeline.run_settings import DuckDBSettings, RunSettings
from pipeline.settings import EventSource
from pipeline.warehouse import sample_events
from pipeline.warehouse.extraction import Extraction, make_features_table, report_document, resolve
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.opening import open_warehouse
from runners.console import Console, console

if TYPE_CHECKING:
    from pipeline.components.stock_example_gen import StockInput
    from pipeline.warehouse.bigquery_engine import BigQueryWarehouse

SAMPLE = Path("data/sample")
_REFUSED, _FAILED = 2, 1  # exit codes: before anything ran; in a component


def main(arguments: list[str] | None = None) -> int:
    """Runs the pipeline once.

    Returns:
        The exit code: 0 for a run to the end, whatever the verdict; 1 if a component failed; 2 if the settings or the
        data were refused before anything ran.
    """
    args = _parser().parse_args(arguments)
    try:
        folder = DatasetFolder.load(args.schema_root / args.dataset)
        run = _run_settings(args, folder)
        home = run.output / folder.name
        _check_writable(home)
        if folder.schema_path:
            check_schema(folder.schema_path, folder.features, folder.dataset.columns.label)
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return _REFUSED
    log = home / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"
    with console(log, verbose=args.verbose) as terminal:
        try:
            run = _with_sample(run, folder, terminal)
        except (SettingsError, OSError) as error:
            terminal.line(f"Error: {error}")
            return _REFUSED
        source = run.data or run.warehouse.source
        terminal.line(f"Propensity pipeline: data set {folder.name}, {run.warehouse.engine}, data {source}")
        terminal.line(f"Log: {'this terminal' if args.verbose else log}")
        return _run(folder, run, home, terminal, log)


def _run(folder: DatasetFolder, run: RunSettings, home: Path, terminal: Console, log: Path) -> int:
    try:
        with open_warehouse(run, folder.dataset) as warehouse:
            extraction = resolve(warehouse, folder)
            stock = _stock_input(warehouse, extraction) if run.example_gen == "stock" else None
    except (SettingsError, WarehouseError) as error:
        terminal.line(f"Error: {error}")
        return _REFUSED

    # TFX takes ten seconds to import; errors of settings and data are told before.
    from tfx.orchestration import metadata

    from pipeline.pipeline import create_pipeline
    from runners import summary
    from runners.reporting_runner import reporting_to

    connection = metadata.sqlite_metadata_connection_config(str(home / "metadata.sqlite"))
    pipeline = create_pipeline(
        name=f"propensity-{folder.name.replace('_', '-')}",
        root=str(home / "artifacts"),
        serving=str(home / "serving"),
        folder=extraction.folder,
        run=run,
        data_fingerprint=extraction.fingerprint,
        stock=stock,
        metadata_connection_config=connection,
    )
    terminal.line()
    try:
        with reporting_to(terminal) as runner:
            runner.run(pipeline)
    except Exception as error:  # noqa: BLE001  (whatever a component raises ends the run, and is told)
        traceback.print_exception(error)
        node, cause = terminal.failure or ("the runner", error)
        terminal.line(f"\nFAILED in {node}: {cause}\nNothing was pushed. The log has the details: {log}")
        return _FAILED
    for line in summary.summary(summary.read_result(connection), terminal.warnings):
        terminal.line(line)
    terminal.line(f"Everything is in {home}: artifacts/, serving/, metadata.sqlite; log: {log}")
    return 0


def _stock_input(warehouse: BigQueryWarehouse, extraction: Extraction) -> StockInput:
    """Makes and checks the features table, which TFX's own executor only reads."""
    from pipeline.components.stock_example_gen import StockInput, split_queries

    report = make_features_table(warehouse, extraction)
    return StockInput(
        queries={split: warehouse.text(query) for split, query in split_queries(extraction).items()},
        report=report_document(extraction, report),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="ga4", help="a folder below schema/")
    parser.add_argument(
        "--settings", type=Path, default=Path(__file__).with_name("local.yaml"), help="how and where to run"
    )
    parser.add_argument("--data", type=Path, help="for DuckDB: the folder of daily tables, or the CSV or Parquet file")
    parser.add_argument("--output", type=Path, help="where everything goes, instead of the settings' output")
    parser.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="show the log of TFX, Beam and TensorFlow here")
    return parser


def _run_settings(args: argparse.Namespace, folder: DatasetFolder) -> RunSettings:
    overrides = {key: value for key, value in (("data", args.data), ("output", args.output)) if value}
    run = load_settings(args.settings, RunSettings, overrides)
    if _needs_sample(run) and not (
        isinstance(folder.dataset.source, EventSource) and folder.dataset.source.kind == "ga4"
    ):
        raise SettingsError(f"data set '{folder.name}' has no sample; name your data with DATA=<path> (--data)")
    return run


def _needs_sample(run: RunSettings) -> bool:
    return isinstance(run.warehouse, DuckDBSettings) and run.data is None


def _with_sample(run: RunSettings, folder: DatasetFolder, terminal: Console) -> RunSettings:
    """The settings with data: where none are named, sample events, which are made if they are not there."""
    if not _needs_sample(run):
        return run
    parameters = sample_events.parameters_for(folder.dataset)
    sample = sample_events.write_sample(SAMPLE, parameters)
    terminal.line(f"Sample: {sample.events:,} events in {SAMPLE}{', made now' if sample.made else ''}")
    return run.model_copy(update={"data": SAMPLE})


def _check_writable(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"output folder {home} cannot be written: {error.strerror}; choose another with OUTPUT="
        ) from error


if __name__ == "__main__":
    sys.exit(main())
