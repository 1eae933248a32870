"""Submits, schedules, watches and removes runs on Vertex AI: `python -m runners.vertex_jobs --help`."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import schema
from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse.interface import WarehouseError
from runners.vertex import errors, requests, runs, schedules, status
from runners.vertex.clients import Clients, parse_endpoints
from runners.vertex.compiled import read_job
from runners.vertex.kinds import KINDS, TRAINING, PipelineKind
from runners.vertex.parameters import resolve_data, run_parameters, scheduled_parameters
from runners.vertex.settings import VertexSettings, load_vertex_settings
from runners.vertex.teardown import plan_teardown

FAILED, REFUSED, INTERRUPTED = 1, 2, 130  # exit codes: a service or the run failed; refused before; interrupted


@dataclasses.dataclass(frozen=True)
class _Command:
    """What every command needs."""

    args: argparse.Namespace
    folder: DatasetFolder
    settings: VertexSettings
    clients: Clients

    @property
    def kind(self) -> PipelineKind:
        """The pipeline that is meant."""
        return KINDS[self.args.pipeline]

    @property
    def title(self) -> str:
        """The display name of its runs and of its schedule."""
        return self.kind.title(self.folder)

    def read_job(self) -> dict[str, Any]:
        """The compiled job. Raises SettingsError if it does not fit the settings."""
        return read_job(self.folder, self.settings, self.args.settings, self.kind)


def main(arguments: list[str] | None = None, clients: Clients | None = None) -> int:
    """Runs one command.

    Args:
        arguments: the command line; None means sys.argv.
        clients: clients to use in place of those from the settings.

    Returns:
        The exit code: 0 for success; 1 if a service refused or the awaited run failed; 2 if settings, arguments or
        data were refused; 130 if waiting was interrupted.
    """
    args = _parser().parse_args(arguments)
    warnings.filterwarnings(
        "ignore", category=FutureWarning, module=r"google\."
    )  # Google's packages warn when they are imported
    try:
        settings = load_vertex_settings(args.settings, {"output": args.output} if args.output else None)
        folder = DatasetFolder.load(args.schema_root / args.dataset)
        clients = clients or Clients(settings, endpoints=parse_endpoints(args.endpoint))
    except SettingsError as error:
        return _refused(error)
    try:
        return args.run(_Command(args, folder, settings, clients))
    except (SettingsError, WarehouseError) as error:
        return _refused(error)
    except errors.handled() as error:
        said = errors.describe(error, project=settings.project, region=settings.region)
        print(f"Error: {said}", file=sys.stderr)
        return FAILED


def _submit(command: _Command) -> int:
    args, folder, settings, kind = command.args, command.folder, command.settings, command.kind
    run_id = args.run_id or requests.new_run_id(command.title, datetime.datetime.now(datetime.timezone.utc))
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", run_id):
        raise SettingsError(
            f"run id '{run_id}': use at most 63 lower-case letters, digits and dashes, and begin with a letter"
        )
    job = command.read_job()
    parameters = run_parameters(folder, settings, args.parameter, kind)
    if settings.caching:
        parameters = resolve_data(folder, settings, parameters, command.clients, kind)
    run = requests.run_document(job, folder, settings, parameters, caching=settings.caching, kind=kind)
    request = requests.create_run(run, settings, run_id)
    if args.dry_run:
        return _print_json(requests.as_json(request))
    created = runs.create(command.clients, request)
    print("\n".join(status.lines(status.status_of(command.clients, created))), flush=True)
    return _wait(command, run_id) if args.wait else 0


def _wait(command: _Command, run_id: str) -> int:
    try:
        seen = runs.watch(command.clients, run_id, _show, every=command.args.every)
    except KeyboardInterrupt:
        print(f"The run continues. `status {run_id} --wait` waits for it again; `cancel {run_id}` stops it.")
        return INTERRUPTED
    print("\n".join(status.lines(seen)))
    return 0 if seen.state == "SUCCEEDED" else FAILED


def _show(line: str) -> None:
    print(line, flush=True)


def _status(command: _Command) -> int:
    clients = command.clients
    run_id = command.args.run_id or status.newest_run(clients, command.folder, command.kind)
    if command.args.wait:
        return _wait(command, run_id)
    seen = status.read_status(clients, run_id)
    if command.args.json:
        return _print_json(dataclasses.asdict(seen))
    print("\n".join(status.lines(seen)))
    return 0


def _cancel(command: _Command) -> int:
    failures = runs.cancel(command.clients, command.args.run_id, _show, dry_run=command.args.dry_run)
    return FAILED if failures else 0


def _apply(command: _Command) -> int:
    folder, settings, kind = command.folder, command.settings, command.kind
    schedule = kind.schedule(settings)
    if schedule is None:
        print(
            f"The settings have no '{kind.schedule_key}': nothing to apply. `schedule delete{kind.option}` deletes an "
            "existing schedule."
        )
        return 0
    parameters = scheduled_parameters(folder, settings, kind)
    run = requests.run_document(command.read_job(), folder, settings, parameters, caching=False, kind=kind)
    request = requests.create_schedule(run, schedule, settings)
    if command.args.dry_run:
        return _print_json(requests.as_json(request))
    print(schedules.apply(command.clients, request, kind))
    return 0


def _list_schedules(command: _Command) -> int:
    found = schedules.find_all(command.clients, command.title)
    for schedule in found:
        print(schedules.describe(schedule))
    if not found:
        print(f"'{command.title}' has no schedule")
    return 0


def _pause(command: _Command) -> int:
    print(schedules.pause(command.clients, command.title))
    return 0


def _resume(command: _Command) -> int:
    print(schedules.resume(command.clients, command.title))
    return 0


def _delete_schedule(command: _Command) -> int:
    print(schedules.delete(command.clients, command.title, command.args.id))
    return 0


def _doctor(command: _Command) -> int:
    from runners.doctor.examination import run_doctor

    return run_doctor(
        command.folder,
        command.settings,
        clients=command.clients,
        settings_file=command.args.settings,
        kind=command.kind,
    )


def _teardown(command: _Command) -> int:
    args = command.args
    removals = plan_teardown(
        command.clients,
        command.folder,
        command.settings,
        records=args.runs,
        artifacts=args.artifacts,
        kind=command.kind,
    )
    for removal in removals:
        print(removal.what)
    if not removals:
        print("There is nothing to remove.")
    if args.dry_run or not removals:
        return 0
    if not args.yes:
        print("Nothing was removed. Add --yes to remove all of this.", file=sys.stderr)
        return REFUSED
    failures = 0
    for removal in removals:
        try:
            removal.remove()
        except errors.handled() as error:
            failures += 1
            said = errors.describe(error, project=command.settings.project, region=command.settings.region)
            print(f"Error: could not {removal.what}: {said}", file=sys.stderr)
    print(f"removed {len(removals) - failures} of {len(removals)}")
    return FAILED if failures else 0


def _refused(error: Exception) -> int:
    print(f"Error: {error}", file=sys.stderr)
    return REFUSED


def _print_json(document: dict[str, Any]) -> int:
    print(json.dumps(document, indent=2, sort_keys=True))
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--dataset", default="ga4", help="a folder below schema/")
    common.add_argument(
        "--pipeline", choices=tuple(KINDS), default=TRAINING.name, help="which pipeline is meant (default: training)"
    )
    common.add_argument(
        "--settings",
        type=Path,
        default=Path(__file__).with_name("vertex.yaml"),
        help="settings of Vertex AI (default: runners/vertex.yaml)",
    )
    common.add_argument("--output", type=Path, help="folder of the compiled job; replaces `output` of the settings")
    common.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="SERVICE=URL",
        help="private endpoint of a service; repeatable",
    )
    common.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, run: Any, text: str, to: Any = commands) -> argparse.ArgumentParser:
        added = to.add_parser(name, help=text, description=text, parents=[common])
        added.set_defaults(run=run)
        return added

    submit = add("submit", _submit, "Start a run of the compiled job.")
    submit.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="parameter of this run; repeatable"
    )
    submit.add_argument("--run-id", help="id of the run; a second run with the same id is refused")
    submit.add_argument("--dry-run", action="store_true", help="print the request instead of sending it")
    watching = add("status", _status, "Show a run: its steps, their logs, its Dataflow jobs.")
    watching.add_argument("run_id", nargs="?", help="id of a run (default: the newest run)")
    watching.add_argument("--json", action="store_true", help="print JSON")
    for watched in (submit, watching):
        watched.add_argument(
            "--wait", action="store_true", help="wait until the run has ended; exit with 1 if it failed"
        )
        watched.add_argument("--every", type=float, default=30, help=argparse.SUPPRESS)  # seconds between two requests
    cancel = add("cancel", _cancel, "Stop a run and its Dataflow jobs.")
    cancel.add_argument("run_id", help="id of the run")
    cancel.add_argument("--dry-run", action="store_true", help="only show what would be stopped")
    add("doctor", _doctor, "Check settings, permissions, regions, images and query before you spend money.")
    teardown = add("teardown", _teardown, "Delete the schedule, stop the runs, and delete the features tables.")
    teardown.add_argument("--runs", action="store_true", help="also delete the records of ended runs")
    teardown.add_argument("--artifacts", action="store_true", help="also delete the artifacts; pushed models stay")
    teardown.add_argument(
        "--yes", action="store_true", help="remove everything; without it, only show what would be removed"
    )
    teardown.add_argument("--dry-run", action="store_true", help="only show what would be removed")

    schedule = commands.add_parser("schedule", help="Create, change, pause and delete the schedule of the settings.")
    actions = schedule.add_subparsers(metavar="ACTION", required=True)
    apply = add("apply", _apply, "Create the schedule, or change it to match the settings.", actions)
    apply.add_argument("--dry-run", action="store_true", help="print the request instead of sending it")
    add("list", _list_schedules, "Show the pipeline's schedules.", actions)
    add("pause", _pause, "Start no further run.", actions)
    add("resume", _resume, "Start runs again; missed runs are not made up for.", actions)
    delete = add("delete", _delete_schedule, "Delete the schedule.", actions)
    delete.add_argument("--id", help="id of the schedule, if the pipeline has several")
    return parser


if __name__ == "__main__":
    sys.exit(main())
