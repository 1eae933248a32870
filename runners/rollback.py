"""Makes the previous champion the current one again: `python -m runners.rollback --dataset ga4 --reason "..."`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import schema
from models.config import SettingsError, load_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from runners.console import Console, console
from runners.local_home import LocalHome
from runners.local_runner import FAILED, REFUSED


def main(arguments: list[str] | None = None) -> int:
    """Rolls back once.

    Returns:
        The exit code: 0 if the previous champion is the current one again; 1 if a component failed; 2 if there is
        nothing to go back to.
    """
    args = _parser().parse_args(arguments)
    try:
        if not args.reason.strip():
            raise SettingsError("a rollback needs a reason: REASON='...' (--reason); the blessing keeps it")
        overrides = {"output": args.output} if args.output else {}
        run = load_settings(args.settings, RunSettings, overrides)
        folder = DatasetFolder.load(args.schema_root / args.dataset)
        home = LocalHome(run.output, folder.name)
        if not home.metadata.is_file():
            raise SettingsError(f"{home.metadata}: no such file; there was no run yet")
    except SettingsError as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
    log = home.new_log()
    with console(log, verbose=args.verbose) as terminal:
        return _roll_back(home, folder.pipeline_name, args.reason.strip(), terminal, log)


def _roll_back(home: LocalHome, name: str, reason: str, terminal: Console, log: Path) -> int:
    from ml_metadata.metadata_store import metadata_store

    from pipeline.rollback import RollbackError, create_rollback_pipeline, find_restoration
    from runners.reporting_runner import run_reporting
    from runners.summary import read_result

    connection = home.connection()
    store = metadata_store.MetadataStore(connection)
    context = store.get_context_by_type_and_name("pipeline", name)
    known = store.get_artifacts_by_context(context.id) if context else []
    try:
        restoration = find_restoration(
            [artifact for artifact in known if artifact.type == "Model"],
            [artifact for artifact in known if artifact.type == "ModelBlessing"],
        )
        home.await_new_version()
    except (RollbackError, SettingsError) as error:
        terminal.line(f"Error: {error}")
        return REFUSED
    pipeline = create_rollback_pipeline(
        name=name,
        root=home.artifacts,
        serving=home.serving,
        restoration=restoration,
        reason=reason,
        metadata_connection_config=connection,
    )
    failure = run_reporting(pipeline, terminal)
    if failure:
        terminal.line(f"\nFAILED in {failure}\nNothing was pushed. The log has the details: {log}")
        return FAILED
    terminal.line(
        f"\nROLLED BACK: model {restoration.model_id} is the champion again; model {restoration.withdrawn_id} is "
        f"withdrawn: {reason}\nPushed to {read_result(connection).pushed_to}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="ga4", help="a folder below schema/")
    parser.add_argument("--reason", default="", help="why; it is kept in the metadata")
    parser.add_argument(
        "--settings", type=Path, default=Path(__file__).with_name("local.yaml"), help="how and where the runs were made"
    )
    parser.add_argument("--output", type=Path, help="where the runs left everything, instead of the settings' output")
    parser.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="show the log of TFX and Beam here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
