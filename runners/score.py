"""Scores customers with the champion on this machine: `python -m runners.score --help`, or `make score`."""

from __future__ import annotations

import argparse
import datetime
import gc
import os
import sys
from pathlib import Path

import pyarrow as pa

import schema
from models.config import SettingsError, validate_settings
from pipeline.scores import export
from pipeline.scores.layout import ROW_KEY, UNCACHED, ScoresError, score_schema
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import ScoringParameters
from pipeline.warehouse.extraction import Extraction, resolve_scoring
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.opening import open_warehouse
from runners.guard import REFUSED, Command, run_guarded
from runners.local_data import no_garbage, run_settings, with_sample
from runners.local_home import LocalHome
from runners.score_outcome import Scored, open_scores
from runners.signals import end


def main(arguments: list[str] | None = None) -> int:
    """Scores once.

    Returns:
        The exit code: 0 if the scores were written; 1 if a component failed; 2 if the settings or the data were refused
        before anything ran; 130 after Ctrl-C and 143 after SIGTERM.
    """
    args = _parser().parse_args(arguments)
    # OpenMP reads this when it starts. Without it, threads that wait (XGBoost's above all) keep the shared cores busy.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        folder = DatasetFolder.load(args.schema_root / args.dataset)
        run = run_settings(args, folder)
        if args.export:
            export.check_target(args.export)
        given = {"as_of": args.as_of, "first_date": args.first_date, "last_date": args.last_date}
        parameters = validate_settings(
            {name: value for name, value in given.items() if value} | {"replace": args.replace},
            ScoringParameters,
            origin="command line",
        )
        folder = folder.up_to(parameters.as_of)
        home = LocalHome(run.output, folder.name)
        if not home.metadata.is_file():
            raise SettingsError(
                f"there is no champion to score with: {home.metadata} does not exist. Train one first: make run "
                f"DATASET={folder.name}"
            )
        home.check_writable()
    except (SettingsError, ScoresError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
    return run_guarded(
        home,
        "a scoring run",
        verbose=args.verbose,
        body=lambda command: _score(command, folder, run, parameters, args),
    )


def _score(
    command: Command, folder: DatasetFolder, run: RunSettings, parameters: ScoringParameters, args: argparse.Namespace
) -> int:
    home, terminal = command.home, command.terminal
    now = datetime.datetime.now(datetime.timezone.utc)
    run_id = f"{folder.pipeline_name}-scoring-{now:%Y%m%d%H%M%S}"
    scored = Scored(run, folder, str(home.score_table), run_id)
    command.outcome = scored.outcome
    run = with_sample(run, folder, terminal)
    source = run.data or run.warehouse.source
    terminal.line(f"Scoring: data set {folder.name}, {run.warehouse.engine}, data {source}")
    terminal.line(f"Log: {'this terminal' if args.verbose else command.log}")
    try:
        with open_warehouse(run, folder.dataset) as warehouse:
            extraction = resolve_scoring(warehouse, folder, *parameters.period)
        with open_scores(run, folder, str(home.score_table)) as table:
            table.check(_score_schema(extraction))
    except (WarehouseError, ScoresError) as error:
        raise SettingsError(str(error)) from error
    terminal.line(_what(extraction))
    parameters = parameters.model_copy(
        update={
            "as_of": extraction.plan.as_of if extraction.plan else "latest",
            "snapshot_date": "" if extraction.plan else now.date(),
            "run_id": run_id,
            "data_fingerprint": extraction.fingerprint,
        }
    )

    # TFX takes eight seconds to import, so errors of settings and data come first.
    with no_garbage():
        from pipeline.scoring_pipeline import create_scoring_pipeline
        from runners.local_state import prepare_scoring
        from runners.reporting_runner import run_reporting

        pipeline = create_scoring_pipeline(
            name=folder.pipeline_name,
            root=home.artifacts,
            score_table=str(home.score_table),
            folder=folder,
            run=run,
            parameters=parameters,
            beam_pipeline_args=run.beam_options(),
            metadata_connection_config=home.connection(),
        )
    terminal.line()
    prepare_scoring(home, folder, command.last_execution, terminal=terminal, check=command.check)
    failure = run_reporting(pipeline, terminal, output=home.folder, check=command.check, uncached=UNCACHED)
    gc.unfreeze()  # so that what libraries leave is cleaned up at the end
    if failure:
        return command.failed(failure)
    for line in scored.summary(home.connection(), terminal.warnings):
        terminal.line(line)
    if args.export:
        terminal.line(f"Exported to {args.export}: {scored.export(args.export):,} rows")
    return 0


def _score_schema(extraction: Extraction) -> pa.Schema:
    key = extraction.folder.dataset.columns.key or ROW_KEY
    return score_schema(key, pa.int64() if extraction.key_type == "INT64" else pa.string())


def _what(extraction: Extraction) -> str:
    if extraction.plan is None:
        return "Rows: those of the table, as they are"
    dates = extraction.plan.snapshot_dates
    if len(dates) == 1:
        return f"Snapshot {dates[0]}: events up to {extraction.plan.as_of}, the newest settled day that may be used"
    return f"{len(dates)} snapshots from {dates[0]} to {dates[-1]}, each with the events before it"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="ga4", help="a folder below schema/")
    parser.add_argument(
        "--settings", type=Path, default=Path(__file__).with_name("local.yaml"), help="how and where to run"
    )
    parser.add_argument("--data", type=Path, help="for DuckDB: the folder of daily tables, or the file of the table")
    parser.add_argument("--output", type=Path, help="where the runs left everything; replaces the settings' output")
    parser.add_argument("--as-of", help="the last day whose events may be used, such as 2026-01-04")
    parser.add_argument("--from", dest="first_date", help="first snapshot date of a back-fill, such as 2026-01-05")
    parser.add_argument("--to", dest="last_date", help="last snapshot date of a back-fill, such as 2026-03-30")
    parser.add_argument("--replace", action="store_true", help="replace days that another model scored")
    parser.add_argument("--export", type=Path, help="also write the scores to this file, .csv or .parquet")
    parser.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="show the log of TFX, Beam and TensorFlow here")
    return parser


if __name__ == "__main__":
    end(main())
