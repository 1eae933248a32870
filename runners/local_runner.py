"""Runs the pipeline on this machine with BeamDagRunner: `python -m runners.local_runner --help`."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # run as a file, as `tfx` does: the path begins with its folder instead of the repository's
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import schema
from models.config import SettingsError
from pipeline.raw_schema import check_schema
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters
from pipeline.warehouse.extraction import Extraction, make_features_table, resolve, summary_document
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.opening import open_warehouse
from runners import tfx_command
from runners.guard import FAILED as FAILED
from runners.guard import NOT_PUSHED, REFUSED, Command, run_guarded
from runners.local_data import no_garbage, run_settings, with_sample
from runners.local_home import LocalHome
from runners.signals import end

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.components.stock_example_gen import StockInput
    from pipeline.warehouse.bigquery.engine import BigQueryWarehouse


def main(arguments: list[str] | None = None) -> int:
    """Runs the pipeline once.

    Returns:
        The exit code: 0 if the run came to its end, whatever the verdict; 1 if a component failed; 2 if the settings or
        the data were refused before anything ran; 3 if nothing was pushed and --require-push was given; 130 after
        Ctrl-C and 143 after SIGTERM.
    """
    args = _parser().parse_args(arguments)
    compiling = tfx_command.is_compiling("beam")
    # OpenMP reads this when it starts. Without it, threads that wait (XGBoost's above all) keep the shared cores busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        folder = DatasetFolder.load(args.schema_root / args.dataset)
        run = run_settings(args, folder)
        home = LocalHome(run.output, folder.name)
        home.check_writable()
        _check_hyperparameters(folder)
        if folder.schema_path:
            check_schema(folder.schema_path, folder.declared, folder.dataset.columns.label)
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
    if compiling:
        from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

        BeamDagRunner().run(local_pipeline(folder, run, home, RunParameters(sample_percent=run.sample_percent)))
        return 0
    return run_guarded(home, "a run", verbose=args.verbose, body=lambda command: _run(command, folder, run, args))


def local_pipeline(
    folder: DatasetFolder, run: RunSettings, home: LocalHome, parameters: RunParameters, stock: StockInput | None = None
) -> Pipeline:
    """The pipeline as it runs on this machine; imports TFX."""
    from pipeline.pipeline import create_pipeline

    return create_pipeline(
        name=folder.pipeline_name,
        root=home.artifacts,
        serving=home.serving,
        folder=folder,
        run=run,
        parameters=parameters,
        stock=stock,
        beam_pipeline_args=run.beam_options(),
        metadata_connection_config=home.connection(),
    )


def _run(command: Command, folder: DatasetFolder, run: RunSettings, args: argparse.Namespace) -> int:
    home, terminal = command.home, command.terminal
    run = with_sample(run, folder, terminal)
    source = run.data or run.warehouse.source
    terminal.line(f"Propensity pipeline: data set {folder.name}, {run.warehouse.engine}, data {source}")
    terminal.line(f"Log: {'this terminal' if args.verbose else command.log}")
    try:
        with open_warehouse(run, folder.dataset) as warehouse:
            extraction = resolve(warehouse, folder, run.sample_percent)
            stock = _stock_input(warehouse, extraction) if run.example_gen == "stock" else None
    except WarehouseError as error:
        raise SettingsError(str(error)) from error

    # TFX takes eight seconds to import, so errors of settings and data come first.
    with no_garbage():
        from runners import summary
        from runners.local_state import prepare
        from runners.reporting_runner import run_reporting

        pipeline = local_pipeline(folder, run, home, _parameters(extraction, run, args), stock)
    terminal.line()
    uncached = prepare(
        home,
        folder.pipeline_name,
        command.last_execution,
        accept=args.accept_incompatible_champion,
        terminal=terminal,
        check=command.check,
    )
    failure = run_reporting(pipeline, terminal, output=home.folder, check=command.check, uncached=uncached)
    gc.unfreeze()  # so that what libraries leave is cleaned up at the end
    if failure:
        return command.failed(failure)
    result = summary.read_result(home.connection())
    for line in summary.summary(result, terminal.warnings):
        terminal.line(line)
    terminal.line(f"Everything is in {home.folder}: artifacts/, serving/, metadata.sqlite; log: {command.log}")
    return NOT_PUSHED if args.require_push and not result.pushed else 0


def _parameters(extraction: Extraction, run: RunSettings, args: argparse.Namespace) -> RunParameters:
    return RunParameters(
        as_of=extraction.plan.as_of if extraction.plan else "latest",
        sample_percent=run.sample_percent,
        accept_incompatible_champion=args.accept_incompatible_champion,
        data_fingerprint=extraction.fingerprint,
    )


def _stock_input(warehouse: BigQueryWarehouse, extraction: Extraction) -> StockInput:
    """Makes and checks the features table, because TFX's own executor only reads one."""
    from pipeline.components.stock_example_gen import StockInput, split_queries

    report = make_features_table(warehouse, extraction)
    return StockInput(
        queries={split: warehouse.text(query) for split, query in split_queries(extraction).items()},
        report=summary_document(extraction, report),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default=tfx_command.default_dataset(), help="a folder below schema/")
    parser.add_argument(
        "--settings", type=Path, default=tfx_command.default_settings("local.yaml"), help="how and where to run"
    )
    parser.add_argument("--data", type=Path, help="for DuckDB: the folder of daily tables, or the CSV or Parquet file")
    parser.add_argument("--output", type=Path, help="where everything goes; replaces the settings' output")
    parser.add_argument("--require-push", action="store_true", help="exit with 3 if nothing was pushed")
    parser.add_argument(
        "--accept-incompatible-champion",
        action="store_true",
        help="judge the model as a first one if the champion cannot be compared; the verdict records it",
    )
    parser.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="show the log of TFX, Beam and TensorFlow here")
    return parser


def _check_hyperparameters(folder: DatasetFolder) -> None:
    for family, path in folder.dataset.training.tuning.hyperparameters.items():
        if not Path(path).is_dir():
            raise SettingsError(
                f"training.tuning.hyperparameters.{family}: {path} is not a folder. Name an artifact of an earlier "
                "run, such as output/ga4/artifacts/TuneXGBoost/best_hyperparameters/17."
            )


if __name__ == "__main__":
    end(main())
