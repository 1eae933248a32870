"""Proposes a data set for a Google Analytics export: from its daily tables to the four files of its folder.

`export_kind` tells whether a source is an export; `propose_export` looks at it and decides.
"""

from __future__ import annotations

import dataclasses
import datetime
import shlex
import textwrap
import zoneinfo
from collections.abc import Sequence

import schema as schema_package
from models.features import FeatureSet
from pipeline.listing import listed
from pipeline.profiling import export_queries
from pipeline.profiling.export_columns import absent_columns, without_columns
from pipeline.profiling.export_days import export_days
from pipeline.profiling.export_profile import ExportProfile, FeatureFill
from pipeline.profiling.export_profiler import ExportProfiler
from pipeline.proposal import export_lists as lists
from pipeline.proposal import export_record
from pipeline.proposal.export_attention import attention_lines
from pipeline.proposal.export_choices import (
    Conversion,
    Tables,
    Zone,
    choose_conversion,
    choose_tables,
    choose_zone,
    could_be_conversions,
)
from pipeline.proposal.export_files import comment, dataset_text
from pipeline.proposal.export_query import Candidate, FeatureLine, candidates, features_text, query_text
from pipeline.proposal.export_schedule import Schedule, choose_lookback, choose_schedule, missing_in_use
from pipeline.proposal.export_summary import decisions
from pipeline.proposal.folder import RECORD
from pipeline.proposal.wording import WIDTH
from pipeline.report.profile_page import Decision
from pipeline.settings.dataset import Dataset, EventSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse.event_checks import check_event_columns
from pipeline.warehouse.interface import Query, Warehouse, WarehouseError

_GA4 = "ga4"
_NAMED = 6  # features that a message names
_EMPTY = "no value in the test rows"


@dataclasses.dataclass(frozen=True)
class ExportProposal:
    """What init proposes for an export.

    Attributes:
        files: the text of the folder's files by name; empty if there is a question.
        profile: the facts.
        lists: lines that show the events and parameters.
        decisions: what was decided and why, the most important first.
        offered: parameters and events, each with the feature that it would make.
        attention: what a person should look at first, one line each.
        question: what only a person can decide, with the line to type; None if there is nothing.
    """

    files: dict[str, str]
    profile: ExportProfile
    lists: tuple[str, ...]
    decisions: tuple[Decision, ...] = ()
    offered: tuple[Candidate, ...] = ()
    attention: tuple[str, ...] = ()
    question: str | None = None


def export_settings() -> Dataset:
    """Settings with which to open the warehouse over an export that has none yet: those of ga4."""
    return _ga4().dataset


def propose_export(
    warehouse: Warehouse,
    name: str,
    where: str,
    *,
    label: str | None = None,
    max_gib: float | None = None,
    now: datetime.datetime | None = None,
) -> ExportProposal:
    """Looks at a Google Analytics 4 export and proposes a data set.

    Args:
        warehouse: over the export (opened with export_settings).
        name: of the data set.
        where: how messages name the export.
        label: the conversion event that a person wants, or None.
        max_gib: warehouse.max_gib on BigQuery, or None.
        now: the time; by default the clock's.

    Raises:
        SettingsError: the wish is no event.
        WarehouseError: there are no tables, or their columns are not an export's.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    ga4 = _ga4()
    source = _events(ga4.dataset)
    names = list(warehouse.source_tables(source.table_prefix))
    today = now.astimezone(datetime.timezone.utc).date()
    days = export_days(names, source, today, where)
    tables = choose_tables(days)
    used = _with_source(ga4.dataset, tables=tables.kind, missing_days=tables.missing)
    usable = [suffix for suffix in names if f"{tables.first:%Y%m%d}" <= suffix[-8:]]
    used = choose_lookback(usable, used, today)
    ga4, absent = _adapted(warehouse, ga4, usable)
    profiler = ExportProfiler(warehouse, _for_profile(ga4, used), where, max_gib)
    profile = profiler.profile(usable, days, today)
    if not profile.events:
        raise WarehouseError(
            f"{where}: no event of a user in the tables from {profile.first} to {profile.last}"
            + (f"; {profile.without_key:,} events have no user_pseudo_id" if profile.without_key else "")
        )
    offered = candidates(profile, ga4.query, ga4.features)
    shown = (*lists.event_lines(profile), "", *lists.parameter_lines(profile, offered))
    conversion = choose_conversion(profile, label)
    if conversion is None:
        return ExportProposal({}, profile, shown, question=_question(profile, name, where))
    zone = choose_zone(profile.zone)
    used = _with_source(
        used, time_zone=zone.name, conversion_event=conversion.event.name, eligibility=conversion.eligibility
    )
    local_today = now.astimezone(zoneinfo.ZoneInfo(zone.name)).date()
    schedule = choose_schedule(usable, used, local_today, conversion)
    used = _with_source(schedule.dataset, missing_days=missing_in_use(tables, schedule.plan, schedule.dataset))
    schedule = dataclasses.replace(schedule, dataset=used)
    left_out, fill, noted = _left_out(profiler, ga4, schedule)
    if fill:
        counted = f"{fill.rows:,} test rows with {fill.positives:,} positives"
        schedule = dataclasses.replace(schedule, reasons={**schedule.reasons, "test": counted})
    attention = [*attention_lines(profile, conversion, schedule, tables, zone, local_today), *noted]
    if absent:
        attention.append(f"The export has no {', '.join(absent)}: query.sql reads NULL in their places")
    lines = [candidate.line for candidate in offered if candidate.line]
    files = _files(name, where, ga4, schedule, conversion, tables, zone, profile, left_out, lines)
    found = decisions(schedule, conversion, tables, zone.reason, left_out)
    return ExportProposal(files, profile, shown, found, offered, tuple(attention))


def _files(
    name: str,
    where: str,
    ga4: DatasetFolder,
    schedule: Schedule,
    conversion: Conversion,
    tables: Tables,
    zone: Zone,
    profile: ExportProfile,
    left_out: dict[str, list[str]],
    lines: Sequence[FeatureLine],
) -> dict[str, str]:
    """The text of the four files and of the record."""
    events = [line for long in lists.event_lines(profile) for line in textwrap.wrap(long, WIDTH) or [""]]
    heading = [
        f"A Google Analytics 4 export, {comment(where)}. Written by make init; each choice has its reason beside it.",
        "docs/settings.md describes every key, and those that are not here.",
        "",
        *events,
    ]
    text = dataset_text(
        schedule.dataset,
        heading=heading,
        conversion=conversion,
        tables=tables,
        zone_reason=zone.reason,
        reasons=schedule.reasons,
        left_out=left_out,
    )
    path = schema_package.ROOT / _GA4
    return {
        "dataset.yaml": text,
        "features.yaml": features_text(name, (path / "features.yaml").read_text(encoding="utf-8"), lines),
        "query.sql": query_text(name, ga4.query, lines),
        "schema.pbtxt": "# Written by make init: a copy of schema/ga4/schema.pbtxt.\n"
        + (path / "schema.pbtxt").read_text(encoding="utf-8"),
        RECORD: export_record.to_json(export_record.of(profile)),
    }


def _left_out(
    profiler: ExportProfiler, ga4: DatasetFolder, schedule: Schedule
) -> tuple[dict[str, list[str]], FeatureFill | None, list[str]]:
    """Features to leave out by reason, the rows of the test split, and what could not be found out."""
    lookback = schedule.dataset.windows.lookback_days
    features = ga4.features.features
    longer = [feature.name for feature in features if feature.window and feature.window[1] > lookback]
    found = {f"looks back more than {lookback} days": longer} if longer else {}
    if schedule.plan is None:
        return found, None, []
    kept = tuple(feature for feature in features if feature.name not in longer)
    folder = dataclasses.replace(ga4, dataset=schedule.dataset, features=FeatureSet(features=kept))
    try:
        fill = profiler.feature_fill(folder, schedule.plan)
    except WarehouseError as error:
        return found, None, [f"Whether a feature of ga4 is empty in this export could not be found out: {error}"]
    empty = [name for name, filled in fill.filled.items() if not filled]
    if not fill.rows or not empty:
        return found, fill, []
    found[_EMPTY] = empty
    named = listed(empty, _NAMED)
    note = f"Features of ga4 without a value in the test rows are left out: {named}; features.leave_out lists them"
    return found, fill, [note]


def _question(profile: ExportProfile, name: str, where: str) -> str:
    possible = could_be_conversions(profile)
    example = possible[0].name if possible else "EVENT"
    table = lists.table_of_events(possible[: lists.MOST_SHOWN], profile) if possible else []
    return "\n".join(
        [
            "No event of this export is a conversion by its name. Which one should be predicted?",
            *(f"  {line}" for line in table),
            f"Type: make init DATASET={name} DATA={shlex.quote(where)} LABEL={shlex.quote(example)}",
        ]
    )


def _ga4() -> DatasetFolder:
    return DatasetFolder.load(schema_package.ROOT / _GA4)


def _adapted(warehouse: Warehouse, ga4: DatasetFolder, suffixes: Sequence[str]) -> tuple[DatasetFolder, Sequence[str]]:
    """ga4 with a query that reads only what the export has, and the columns that it does not have."""
    source = _events(ga4.dataset)
    reading = export_queries.reading(sorted(suffixes), source)
    check_event_columns(warehouse, Query(ga4.query, reading), source)
    absent = absent_columns(warehouse, ga4.query, source.table_prefix, reading)
    return dataclasses.replace(ga4, query=without_columns(ga4.query, absent), path=None), absent


def _for_profile(ga4: DatasetFolder, dataset: Dataset) -> DatasetFolder:
    return dataclasses.replace(ga4, dataset=dataset)


def _events(dataset: Dataset) -> EventSource:
    assert isinstance(dataset.source, EventSource)
    return dataset.source


def _with_source(dataset: Dataset, **changes: object) -> Dataset:
    return dataset.model_copy(update={"source": _events(dataset).model_copy(update=changes)})
