"""Makes the previous champion the current one again: `python -m runners.rollback --dataset ga4 --reason "..."`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import schema
from models.config import SettingsError, load_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from runners.guard import REFUSED, Command, run_guarded
from runners.local_home import LocalHome
from runners.signals import end


def main(arguments: list[str] | None = None) -> int:
    """Rolls back once.

    Returns:
        The exit code: 0 if the previous champion is the current one again; 1 if a component failed; 2 if there is
        nothing to go back to, or if a run is under way; 130 after Ctrl-C and 143 after SIGTERM.
    """
    args = _parser().parse_args(arguments)
    try:
        if not args.reason.strip():
            raise SettingsError("a rollback needs a reason: REASON='...' (--reason). The blessing keeps it.")
        overrides = {"output": args.output} if args.output else {}
        run = load_settings(args.settings, RunSettings, overrides)
        folder = DatasetFolder.load(args.schema_root / args.dataset)
        home = LocalHome(run.output, folder.name)
        if not home.metadata.is_file():
            raise SettingsError(_no_metadata(home))
        home.check_writable()
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
    return run_guarded(
        home,
        "a rollback",
        verbose=args.verbose,
        body=lambda command: _roll_back(command, folder.pipeline_name, args.reason.strip()),
    )


def _no_metadata(home: LocalHome) -> str:
    if home.versions():
        return (
            f"{home.metadata} does not exist, so which model was the champion before is not known. Restore the file "
            "from a backup. To put a model back by hand, copy its folder to a higher number: "
            f"cp -r {home.serving}/{min(home.versions(), key=int)} {home.serving}/$(date +%s)"
        )
    return f"{home.metadata} does not exist: there was no run yet"


def _roll_back(command: Command, name: str, reason: str) -> int:
    from ml_metadata.metadata_store import metadata_store

    from pipeline.champion.current import read_blessed_models
    from pipeline.rollback import RollbackError, create_rollback_pipeline, restoration_of, unfinished_restoration
    from runners.reporting_runner import run_reporting
    from runners.summary import read_result

    home, connection = command.home, command.home.connection()
    blessed = read_blessed_models(metadata_store.MetadataStore(connection), name)
    unfinished = unfinished_restoration(blessed, home.serving)
    try:
        restoration = unfinished or restoration_of(blessed)
    except RollbackError as error:
        raise SettingsError(str(error)) from error
    pipeline = create_rollback_pipeline(
        name=name,
        root=home.artifacts,
        serving=home.serving,
        restoration=restoration,
        reason=reason,
        metadata_connection_config=connection,
    )
    failure = run_reporting(pipeline, command.terminal, output=home.folder, check=command.check)
    if failure:
        return command.failed(failure)
    done = (
        "the last rollback, whose push had failed, is complete now"
        if unfinished
        else f"model {restoration.withdrawn_id} is withdrawn: {reason}"
    )
    command.terminal.line(
        f"\nROLLED BACK: model {restoration.model_id} is the champion again; {done}\n"
        f"Pushed to {read_result(connection).pushed_to}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="ga4", help="a folder below schema/")
    parser.add_argument("--reason", default="", help="why; it is kept in the metadata")
    parser.add_argument(
        "--settings", type=Path, default=Path(__file__).with_name("local.yaml"), help="the settings of the runs"
    )
    parser.add_argument("--output", type=Path, help="where the runs left everything; replaces the settings' output")
    parser.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="show the log of TFX and Beam here")
    return parser


if __name__ == "__main__":
    end(main())
