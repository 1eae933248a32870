"""Makes a data set of a table: `make init DATASET=<name> DATA=<file, folder or BigQuery table>`.

It profiles the table in its warehouse, decides what a person would, and writes `schema/<name>/` with a reason beside
each decision. It asks only what nobody else can know.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import schema
from models.config import SettingsError
from pipeline.profiling.table_profiler import TableProfiler
from pipeline.proposal import export_summary, folder, summary, update
from pipeline.proposal.export import export_settings, propose_export
from pipeline.proposal.export_kind import kind_of_source, refuse_ga360
from pipeline.proposal.export_update import update_export
from pipeline.proposal.names import is_dataset_name
from pipeline.proposal.propose import propose
from pipeline.proposal.wishes import Question, Wishes
from pipeline.report.export_page import render_export
from pipeline.report.profile_page import render_profile
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.source import TableSource
from pipeline.warehouse.interface import Warehouse, WarehouseError
from pipeline.warehouse.opening import open_source
from runners.signals import end
from runners.sources import DEFAULT_SETTINGS, Source, find_source

DONE, REFUSED, INTERRUPTED = 0, 2, 130
PAGE = "profile.html"


def main(arguments: list[str] | None = None) -> int:
    """Proposes a data set, or shows what has changed in its table.

    Returns:
        The exit code: 0 if the folder was written; 2 if something cannot be used, or a person must decide; 130 after
        Ctrl-C.
    """
    args = _parser().parse_args(arguments)
    wishes = Wishes(label=args.label, key=args.key, date=args.date, positive=args.positive, encoding=args.encoding)
    try:
        return _init(args, wishes)
    except Question as question:
        print(question, file=sys.stderr)
        return REFUSED
    except (SettingsError, WarehouseError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("Interrupted: nothing was written.", file=sys.stderr)
        return INTERRUPTED


def _init(args: argparse.Namespace, wishes: Wishes) -> int:
    if args.update:
        return _update(args)
    folder.check_name(args.schema_root, args.dataset, is_dataset_name(args.dataset))
    source = find_source(args.data, args.settings, args.dataset)
    return _propose_export(args, source, wishes) if source.is_export else _propose_table(args, source, wishes)


def _propose_table(args: argparse.Namespace, source: Source, wishes: Wishes) -> int:
    """Writes the folder and the page for a table, and shows what to do next."""

    def opened(settings: TableSource) -> Warehouse:
        return open_source(source.run, settings)

    print(f"Profiling {source.shown} ...", flush=True)
    proposal = propose(args.dataset, source.shown, source.table or "", source.is_text, opened, wishes)
    files = folder.files_of(proposal, args.schema_root)
    command = source.next_command(args.dataset, _shown(args.schema_root / args.dataset))
    page = _write_page(args.output or source.run.output, args.dataset, render_profile(summary.page(proposal, command)))
    written = _write(args, source, files)
    _print(summary.lines(proposal))
    print(f"Wrote {_shown(written)}/: {', '.join(files)}")
    print(f"The profile, as a page: {_shown(page)}")
    print()
    _print(summary.look_first(proposal.attention))
    print(f"\nNext:\n{command}")
    return DONE


def _propose_export(args: argparse.Namespace, source: Source, wishes: Wishes) -> int:
    """Writes the folder for a Google Analytics export, and shows what to do next."""
    for wish in ("key", "date", "positive", "encoding"):
        if getattr(wishes, wish) is not None:
            raise SettingsError(f"{wish.upper()}= is for a table; {source.shown} is an export. LABEL= names an event")
    with open_source(source.run, export_settings().source) as warehouse:
        kind = kind_of_source(warehouse, source.run.data, source.shown)
        if kind == "ga360":
            refuse_ga360(source.shown, args.dataset, _command_without_folder(args.dataset, source))
        gib = _max_gib(source)
        proposal = propose_export(warehouse, args.dataset, source.shown, label=wishes.label, max_gib=gib)
    _print(proposal.lists)
    print()
    if proposal.question is not None:
        raise Question(proposal.question)
    written = _write(args, source, proposal.files)
    command = source.next_command(args.dataset, _shown(written))
    shown = export_summary.page(
        args.dataset, proposal.profile, proposal.decisions, proposal.attention, proposal.offered, command
    )
    page = _write_page(args.output or source.run.output, args.dataset, render_export(shown))
    _print(export_summary.lines(proposal.decisions))
    print(f"\nWrote {_shown(written)}/: {', '.join(proposal.files)}")
    print(f"The profile, as a page: {_shown(page)}\n")
    _print(summary.look_first(proposal.attention))
    print(f"\nNext:\n{command}")
    return DONE


def _command_without_folder(dataset: str, source: Source) -> str:
    """The command for a data set that a person makes, in whose folder init writes no settings."""
    if source.settings_text is None:
        return source.next_command(dataset, Path())
    return (
        f"make run DATASET={dataset} SETTINGS=<a copy of runners/local.yaml with warehouse.engine: bigquery, your "
        f"warehouse.project and warehouse.features_dataset, and warehouse.source: {source.shown}>"
    )


def _update_export(args: argparse.Namespace, source: Source) -> int:
    """Shows what has changed in an export, with lines that a person could add."""
    path = args.schema_root / args.dataset
    data_set = DatasetFolder.load(path)
    with open_source(source.run, data_set.dataset.source) as warehouse:
        found = update_export(warehouse, data_set, source.shown, max_gib=_max_gib(source))
    folder.replace_files(path, found.files)
    _print(found.lines)
    print(f"\nNothing was changed in {_shown(path)}/ but the record {folder.RECORD}. Next:")
    print(source.next_command(args.dataset, _shown(path)))
    return DONE


def _max_gib(source: Source) -> float | None:
    """The most GiB that a query may read; None with DuckDB, which cannot tell."""
    warehouse = source.run.warehouse
    return warehouse.max_gib if isinstance(warehouse, BigQuerySettings) else None


def _write(args: argparse.Namespace, source: Source, files: dict[str, str]) -> Path:
    """Writes the folder, with the settings that a run needs for its source."""
    if source.settings_text is not None:
        files["run.yaml"] = source.settings_text
    return folder.write_folder(args.schema_root, args.dataset, files)


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _update(args: argparse.Namespace) -> int:
    """Shows what has changed in the source of a data set, and adds what is new in a table."""
    path = args.schema_root / args.dataset
    source = find_source(args.data, args.settings, args.dataset)
    if source.is_export and path.is_dir():
        return _update_export(args, source)
    data_set = update.load_table(path)
    table = data_set.dataset.source
    with open_source(source.run, table) as warehouse:
        profiler = TableProfiler(warehouse, source.shown, table.table, is_text=source.is_text)
        found = update.update(data_set, profiler.profile(), profiler)
    _print(update.lines(found, source.shown))
    folder.replace_files(path, found.files)
    print()
    written = [name for name in found.files if name != folder.RECORD]
    if written:
        print(f"Added to {', '.join(written)} in {_shown(path)}/. Review the lines, then:")
    else:
        print("Nothing was added. Next:")
    print(source.next_command(args.dataset, _shown(path)))
    return DONE


def _write_page(output: Path, dataset: str, text: str) -> Path:
    """Writes the page of the profile. Raises SettingsError if it cannot be written."""
    page = output / dataset / PAGE
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{page} cannot be written: {error.strerror or error}") from error
    return page


def _shown(path: Path) -> Path:
    """A path relative to the working folder, if it lies there."""
    path, here = path.absolute(), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True, help="the name of the folder below schema/ to make")
    parser.add_argument("--data", help="a CSV or Parquet file, a folder, or project.dataset.table of BigQuery")
    parser.add_argument("--label", help="the column to predict")
    parser.add_argument("--positive", help="the value of the label that counts as 1")
    parser.add_argument("--key", help="the column that says whose row it is")
    parser.add_argument("--date", help="the column with the day of the row")
    parser.add_argument("--encoding", help="the encoding of a text file, where it is not found by itself")
    parser.add_argument("--update", action="store_true", help="show what has changed in the table, and add what is new")
    parser.add_argument("--settings", type=Path, default=DEFAULT_SETTINGS, help="how and where to run")
    parser.add_argument("--output", type=Path, help="where the page of the profile goes, below a folder per data set")
    parser.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    end(main())
