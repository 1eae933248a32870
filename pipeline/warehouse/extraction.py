"""Makes the features table of a data set: finds what to read, checks it, makes the table, checks its rows."""

from __future__ import annotations

import dataclasses
import datetime
import zoneinfo
from collections.abc import Mapping, Sequence
from typing import Any

from models.config import SettingsError
from pipeline.settings.dataset import SCORE_SPLIT, SPLITS, EventSource, TableSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse import checks, event_checks, features_table
from pipeline.warehouse.interface import Query, Warehouse
from pipeline.warehouse.lost_values import lost_values
from pipeline.warehouse.scoring_days import plan_scoring
from pipeline.warehouse.snapshots import SnapshotPlan, plan_snapshots, unknown_tables_note


@dataclasses.dataclass(frozen=True)
class Extraction:
    """What a run reads.

    Attributes:
        folder: the data set; `snapshots.as_of` is a date.
        plan: snapshots and tables; None for a table.
        query: of the features table.
        fingerprint: changes when the data, the query or a parameter does.
        test_split: what decides which rows are test, see features_table.test_split.
        notes: columns of the query and tables of the source that are not used.
        counts: columns of the features table that count values which query.sql could not read.
        labelled: whether the rows have a label; scoring needs none.
        key_type: BigQuery's type of the key; empty without a key.
    """

    folder: DatasetFolder
    plan: SnapshotPlan | None
    query: Query
    fingerprint: str
    test_split: dict[str, Any]
    notes: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    labelled: bool = True
    key_type: str = ""

    @property
    def table(self) -> str:
        """The features table's name."""
        return features_table.table_name(self.folder.name, self.fingerprint)

    @property
    def window(self) -> str:
        """The days whose events are read, for messages; empty for a table."""
        if self.plan is None:
            return ""
        first = self.plan.snapshot_dates[0] - datetime.timedelta(days=self.folder.dataset.windows.lookback_days)
        return f"{first} and {self.plan.as_of}"

    @property
    def example_columns(self) -> list[str]:
        """Columns of the features table that become examples, and `split`.

        The raw key is one of them for scoring only: the score table needs it.
        """
        columns = self.folder.dataset.columns
        whose = [] if self.labelled or columns.key is None else [columns.key]
        label = [columns.label] if self.labelled else []
        date = [columns.date] if columns.date else []
        return ["unit", *whose, *date, *label, *self.folder.features.names, "split"]

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the examples."""
        return SPLITS if self.labelled else (SCORE_SPLIT,)


def resolve(warehouse: Warehouse, folder: DatasetFolder, sample_percent: int = 100) -> Extraction:
    """Finds the newest settled day, the snapshots and the tables, and checks the query's columns; reads no rows.

    Args:
        warehouse: over the data set's source.
        folder: the data set.
        sample_percent: share of the keys (of the rows, without a key) that will be read.

    Raises:
        SettingsError: snapshots that cannot be.
        WarehouseError: days missing, or a query whose columns do not fit the data set.
    """
    source, plan = folder.dataset.source, None
    tables = _tables(warehouse, source)
    if isinstance(source, EventSource):
        plan = plan_snapshots(tables, folder.dataset, _today(source))
    return _resolved(warehouse, folder, plan, tables, sample_percent)


def resolve_scoring(
    warehouse: Warehouse,
    folder: DatasetFolder,
    first_date: datetime.date | None = None,
    last_date: datetime.date | None = None,
) -> Extraction:
    """Like `resolve`, for rows to score: newer snapshots, and no label.

    Args:
        warehouse: over the data set's source.
        folder: the data set.
        first_date: of a back-fill, the first day of its period; see scoring_days.plan_scoring.
        last_date: of a back-fill, the last day of its period.

    Raises:
        SettingsError: days that are not settled, or a back-fill of a table.
        WarehouseError: days missing, or a query whose columns do not fit the data set.
    """
    source, plan = folder.dataset.source, None
    tables = _tables(warehouse, source)
    if isinstance(source, EventSource):
        plan = plan_scoring(tables, folder.dataset, _today(source), first_date, last_date)
    elif first_date is not None:
        raise SettingsError(
            f"FROM= and TO= are for events; data set '{folder.name}' is a table, which is scored as it is"
        )
    return _resolved(warehouse, folder, plan, tables, labelled=False)


def _tables(warehouse: Warehouse, source: EventSource | TableSource) -> Mapping[str, str]:
    return warehouse.source_tables(source.table_prefix if isinstance(source, EventSource) else source.table)


def _today(source: EventSource) -> datetime.date:
    return datetime.datetime.now(zoneinfo.ZoneInfo(source.time_zone)).date()


def _resolved(
    warehouse: Warehouse,
    folder: DatasetFolder,
    plan: SnapshotPlan | None,
    tables: Mapping[str, str],
    sample_percent: int = 100,
    *,
    labelled: bool = True,
) -> Extraction:
    """Checks the query's columns."""
    source = folder.dataset.source
    if plan:
        folder = folder.up_to(plan.as_of)
    inner = features_table.inner_query(folder, plan, labelled=labelled)
    if isinstance(source, EventSource):
        event_checks.check_event_columns(warehouse, inner, source)
    returned = warehouse.columns(inner)
    counts = event_checks.unread_columns(returned, folder.features.names) if plan else ()
    query = features_table.query_for(folder, plan, sample_percent, counts=counts, labelled=labelled)
    unused = (*counts, *folder.dataset.features.leave_out)
    used = [column for column in returned if column.name not in unused]
    notes = features_table.check_columns(folder, used, labelled=labelled)
    if isinstance(source, EventSource):
        notes += unknown_tables_note(tables, source)
    types = {column.name: column.type for column in returned}
    return Extraction(
        folder=folder,
        plan=plan,
        query=query,
        fingerprint=features_table.fingerprint(query, tables, plan),
        test_split=features_table.test_split(folder, plan, returned) if labelled else {},
        notes=tuple(notes),
        counts=counts,
        labelled=labelled,
        key_type=types[folder.dataset.columns.key] if folder.dataset.columns.key else "",
    )


def make_features_table(warehouse: Warehouse, extraction: Extraction) -> checks.DataSummary:
    """Creates the features table and checks its rows. A table that fails the checks is dropped.

    Raises:
        WarehouseError: the query fails, or its rows cannot be trained on.
    """
    columns = extraction.folder.dataset.columns
    order = [name for name in (columns.date, columns.key) if name] or ["unit"]
    found = _event_warnings(warehouse, extraction) if extraction.plan else []
    warehouse.drop_table(extraction.table)
    warehouse.create_table(extraction.table, extraction.query, partition_by=columns.date, order_by=order)
    try:
        check = checks.check_table if extraction.labelled else checks.check_scoring_table
        summary = check(warehouse, extraction.table, columns, extraction.folder.features, window=extraction.window)
    except BaseException:
        warehouse.drop_table(extraction.table)
        raise
    if extraction.plan:
        more = [*found, *event_checks.unread_warnings(warehouse, extraction.table, extraction.counts)]
    else:
        more = lost_values(warehouse, _inner(extraction))
    return dataclasses.replace(summary, warnings=(*summary.warnings, *more))


def summary_document(
    extraction: Extraction, summary: checks.DataSummary, more_warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """The data summary, JSON-ready: what the checks found and all warnings.

    Of labelled rows, it also holds `trained_through` and `test_split`.
    """
    found = {**summary.to_json(), "warnings": [*extraction.notes, *summary.warnings, *more_warnings]}
    if not extraction.labelled:
        return found
    return {
        **found,
        "trained_through": _trained_through(extraction, summary),
        "test_split": extraction.test_split,
    }


def _trained_through(extraction: Extraction, summary: checks.DataSummary) -> str | None:
    """The last day that a training row depends on, as YYYY-MM-DD; None if no date separates training from test."""
    if extraction.plan:
        label_end = datetime.timedelta(days=extraction.folder.dataset.windows.label_end_days - 1)
        return (extraction.plan.train_dates[-1] + label_end).isoformat()
    if extraction.test_split["by"] == "date":
        return max((count.date for count in summary.dates if count.date and count.split != "test"), default=None)
    return None


def _inner(extraction: Extraction) -> Query:
    return features_table.inner_query(extraction.folder, extraction.plan, labelled=extraction.labelled)


def _event_warnings(warehouse: Warehouse, extraction: Extraction) -> list[str]:
    """Counts the events without a key, and refuses events whose days or times cannot be right."""
    folder = extraction.folder
    counts = event_checks.count_events(warehouse, folder, _inner(extraction))
    key = folder.dataset.columns.key
    if counts.without_key is None:
        return [f"events without {key} are not counted: query.sql does not take the key from a single event"]
    return [f"{counts.without_key:,} events have no {key} and were left out"] if counts.without_key else []
