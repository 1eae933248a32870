"""What has changed in the export of a data set since `make init` looked at it last."""

from __future__ import annotations

import dataclasses
import datetime

from models.config import SettingsError
from pipeline.listing import listed
from pipeline.profiling import export_queries
from pipeline.profiling.export_days import export_days
from pipeline.profiling.export_profile import ExportProfile
from pipeline.profiling.export_profiler import ExportProfiler
from pipeline.proposal import export_lists, export_record
from pipeline.proposal.export_choices import choose_tables
from pipeline.proposal.export_query import candidates
from pipeline.proposal.export_record import ExportRecord
from pipeline.proposal.export_schedule import missing_in_use, plan_if_enough
from pipeline.proposal.folder import RECORD
from pipeline.settings.dataset import EventSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse.event_checks import check_event_columns
from pipeline.warehouse.interface import Query, Warehouse

_SHOWN_DAYS = 10


@dataclasses.dataclass(frozen=True)
class ExportUpdate:
    """What has changed: lines to show, and the files to write (the record alone)."""

    lines: tuple[str, ...]
    files: dict[str, str]


def update_export(
    warehouse: Warehouse,
    data_set: DatasetFolder,
    where: str,
    *,
    max_gib: float | None = None,
    now: datetime.datetime | None = None,
) -> ExportUpdate:
    """Compares an export with the record of its data set. It changes neither the query nor the settings.

    Args:
        warehouse: over the export.
        data_set: as it is; it has a path.
        where: how messages name the export.
        max_gib: warehouse.max_gib on BigQuery, or None.
        now: the time; by default the clock's.

    Raises:
        SettingsError: the data set is not one of a Google Analytics 4 export.
        WarehouseError: there are no tables, or their columns are not an export's.
    """
    source = data_set.dataset.source
    if not isinstance(source, EventSource) or source.kind != "ga4" or data_set.path is None:
        raise SettingsError(
            f"{data_set.name}: its source.kind is '{source.kind}', but {where} is a Google Analytics 4 export"
        )
    today = (now or datetime.datetime.now(datetime.timezone.utc)).astimezone(datetime.timezone.utc).date()
    names = list(warehouse.source_tables(source.table_prefix))
    days = export_days(names, source, today, where)
    tables = choose_tables(days)
    known = source.model_copy(update={"missing_days": tuple(sorted({*source.missing_days, *tables.missing}))})
    looked_at = data_set.dataset.model_copy(update={"source": known})
    usable = [suffix for suffix in names if f"{tables.first:%Y%m%d}" <= suffix[-8:]]
    check_event_columns(warehouse, Query(data_set.query, export_queries.reading(sorted(usable), source)), source)
    profiler = ExportProfiler(warehouse, dataclasses.replace(data_set, dataset=looked_at, path=None), where, max_gib)
    profile = profiler.profile(usable, days, today)
    before = export_record.load(data_set.path / RECORD)
    needed = missing_in_use(tables, plan_if_enough(usable, looked_at, today), looked_at)
    unlisted = [day for day in needed if day not in source.missing_days]
    lines = _changes(before, profile, data_set, unlisted)
    return ExportUpdate(tuple(lines), {RECORD: export_record.to_json(export_record.of(profile))})


def _changes(
    before: ExportRecord | None, profile: ExportProfile, data_set: DatasetFolder, unlisted: list[datetime.date]
) -> list[str]:
    old = before or ExportRecord("", (), ())
    now = export_record.of(profile)
    lines = [f"{profile.source}, compared with what init found up to {old.last}:" if before else f"{profile.source}:"]
    new = [event for event in profile.events if event.name not in old.events]
    if new:
        lines += ["", "New events:", *(f"  {line}" for line in export_lists.table_of_events(new, profile))]
    gone = [name for name in old.events if name not in now.events]
    if gone:
        lines += ["", f"Events that are gone: {', '.join(gone)}"]
    offered = [
        candidate
        for candidate in candidates(profile, data_set.query, data_set.declared)
        if (candidate.parameter and f"{candidate.parameter.column}.{candidate.parameter.key}" not in old.parameters)
        or (candidate.event and candidate.event.name not in old.events)
    ]
    if offered:
        lines += ["", "New parameters and events, each with the lines that would make it a feature:"]
        for candidate in offered:
            lines += export_lists.candidate_lines(candidate, profile)
    lost = [name for name in old.parameters if name not in now.parameters]
    if lost:
        lines += ["", f"Parameters that no event of the newest days carries: {', '.join(lost)}"]
    if unlisted:
        days = listed(unlisted, _SHOWN_DAYS)
        lines += ["", f"Days without a table that source.missing_days does not list: {days}"]
    if len(lines) == 1:
        lines.append("Nothing has changed.")
    return lines
