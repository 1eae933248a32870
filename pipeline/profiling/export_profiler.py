"""Profiles an export in daily tables with SQL: events, base rates, time zone and parameters. Start with `profile`."""

from __future__ import annotations

import collections
import dataclasses
import datetime
from collections.abc import Sequence

from pipeline.profiling import export_queries as queries
from pipeline.profiling.export_profile import (
    HORIZONS,
    EventProfile,
    ExportDays,
    ExportProfile,
    FeatureFill,
    Outcome,
    ParameterProfile,
    ZoneFit,
)
from pipeline.profiling.personal import has_personal_values, is_personal_name
from pipeline.profiling.profile import Frequency
from pipeline.profiling.time_zones import fit_zones
from pipeline.settings.dataset import EventSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.warehouse import event_checks
from pipeline.warehouse.features_table import inner_query, query_for
from pipeline.warehouse.interface import Query, Warehouse, WarehouseError
from pipeline.warehouse.snapshots import SnapshotPlan, newest_snapshot, usable_tables

#: The newest days whose parameters are read. Fewer, if reading them would take more than half of warehouse.max_gib.
PARAMETER_DAYS = (14, 7, 3, 1)
#: The time zone is judged by the days that were read, and by one day in so many before, so that summer time shows.
ZONE_EVERY_DAYS = 28
#: The newest days before those that were read, of which some days tell about the time zone.
ZONE_DAYS = 364
#: Distinct values per event with a value, above which a parameter's values identify their events.
MAX_DISTINCT_SHARE = 0.5
_GIB = 2**30


class ExportProfiler:
    """Computes the facts about one export. It reads aggregates only, from the newest tables that the answer needs."""

    def __init__(self, warehouse: Warehouse, folder: DatasetFolder, where: str, max_gib: float | None = None):
        """Reads nothing yet.

        Args:
            warehouse: over the export, whose columns are of the export's types (event_checks.check_event_columns).
            folder: the data set `ga4` with this export's windows, `source.tables` and `source.missing_days`.
            where: how messages name the export.
            max_gib: the most GiB that one query may read; None where the engine cannot tell what it would read.
        """
        source = folder.dataset.source
        if not isinstance(source, EventSource):
            raise WarehouseError(f"{where}: only an export in daily tables has this profile")
        self._warehouse = warehouse
        self._folder = folder
        self._source = source
        self._where = where
        self._max_bytes = None if max_gib is None else max_gib * _GIB
        self._read: int | None = None
        self._notes: list[str] = []

    def profile(self, names: Sequence[str], days: ExportDays, today: datetime.date) -> ExportProfile:
        """All facts of an export.

        Args:
            names: of its tables, after the prefix.
            days: the same, sorted.
            today: the date.

        Raises:
            WarehouseError: a query that would read too much.
        """
        dataset = self._folder.dataset
        plans: dict[int, SnapshotPlan] = {}
        for horizon in HORIZONS:
            windows = dataset.windows.model_copy(update={"horizon_days": horizon})
            try:
                plans[horizon] = newest_snapshot(names, dataset.model_copy(update={"windows": windows}), today)
            except WarehouseError:
                continue
        if len(plans) < len(HORIZONS):
            listed = " or ".join(str(horizon) for horizon in HORIZONS if horizon not in plans)
            self._notes.append(f"There are too few days for a base rate with a horizon of {listed} days")
        tables = usable_tables(names, self._source)
        if plans:
            suffixes = sorted({suffix for plan in plans.values() for suffix in plan.table_suffixes})
        else:
            newest = sorted(tables)[-dataset.windows.lookback_days :]
            suffixes = sorted(tables[day] for day in newest)
        read = sorted(day for day, suffix in tables.items() if suffix in set(suffixes))
        snapshots = {horizon: plan.test_dates[0] for horizon, plan in plans.items()}
        anywhere = SnapshotPlan(read[-1], (), tuple(snapshots.values()) or (read[-1],), tuple(suffixes))
        inner = inner_query(self._folder, anywhere)
        counts = event_checks.count_events(self._warehouse, self._folder, inner)
        events, users = self._events(suffixes, snapshots)
        parameter_days, parameter_events, parameters = self._parameters([tables[day] for day in sorted(tables)])
        return ExportProfile(
            source=self._where,
            days=days,
            first=read[0],
            last=read[-1],
            lookback_days=dataset.windows.lookback_days,
            snapshots=snapshots,
            n_events=counts.events,
            users=users,
            without_key=counts.without_key or 0,
            events=events,
            zone=self._zone(suffixes, [tables[day] for day in sorted(tables)]),
            parameters=parameters,
            parameter_days=parameter_days,
            parameter_events=parameter_events,
            bytes_read=self._read,
            notes=tuple(self._notes),
        )

    def feature_fill(self, folder: DatasetFolder, plan: SnapshotPlan) -> FeatureFill:
        """What the data set's query gives for the test snapshots of a plan.

        Raises:
            WarehouseError: the query would read too much.
        """
        dataset, features = folder.dataset, folder.features.features
        days = newest_tables(plan, dataset.windows.lookback_days)
        narrowed = dataclasses.replace(plan, train_dates=(), table_suffixes=days)
        numeric = [feature.name for feature in features if feature.kind.value == "numeric"]
        categorical = [feature.name for feature in features if feature.kind.value == "categorical"]
        query = queries.feature_fill(query_for(folder, narrowed), dataset.columns.label, numeric, categorical)
        (row,) = self._select(query)
        filled = {feature.name: int(row[feature.name] or 0) for feature in features}
        return FeatureFill(int(row["n_rows"]), int(row["n_positives"] or 0), filled)

    def _events(
        self, suffixes: Sequence[str], snapshots: dict[int, datetime.date]
    ) -> tuple[tuple[EventProfile, ...], int]:
        """The events, those of the most users first, and the number of all users."""
        windows = self._folder.dataset.windows
        reading = queries.reading(suffixes, self._source)
        has_ids = "e.ecommerce.transaction_id" in self._folder.query
        rows = self._select(queries.event_outcomes(self._source.table_prefix, reading, snapshots, windows, has_ids))
        all_rows = {horizon: sum(int(row[f"rows_{horizon}"]) for row in rows) for horizon in snapshots}
        events = [
            EventProfile(
                name=str(row["event"]),
                events=int(row["n_events"]),
                users=int(row["n_users"]),
                repeaters=int(row["repeaters"]),
                outcomes={
                    horizon: Outcome(
                        rows=all_rows[horizon],
                        positives=int(row[f"positives_{horizon}"]),
                        new_rows=all_rows[horizon] - int(row[f"past_{horizon}"]),
                        new_positives=int(row[f"new_positives_{horizon}"]),
                    )
                    for horizon in snapshots
                },
            )
            for row in rows
        ]
        events.sort(key=lambda event: (-event.users, -event.events, event.name))
        return tuple(events), sum(int(row["of_all_users"]) for row in rows)

    def _zone(self, suffixes: Sequence[str], every: Sequence[str]) -> ZoneFit:
        """How the days fit the time zones; from the tables read so far, and from single days of the year before."""
        older = [suffix for suffix in every if suffix not in set(suffixes)][::-1][:ZONE_DAYS:ZONE_EVERY_DAYS]
        reading = queries.reading(sorted({*suffixes, *older}), self._source)
        rows = self._select(queries.day_buckets(self._source.table_prefix, reading))
        return fit_zones((str(row["day"]), int(row["bucket"]), int(row["n"])) for row in rows)

    def _parameters(self, suffixes: Sequence[str]) -> tuple[int, int, tuple[ParameterProfile, ...]]:
        """Days read, events in them, and the parameters of the newest days."""
        prefix = self._source.table_prefix
        columns = {
            column.name
            for column in self._warehouse.columns(
                queries.all_columns(prefix, queries.reading(suffixes[-1:], self._source))
            )
        }
        read, newest, found = 0, [], []
        for column in queries.PARAMETER_COLUMNS:
            if column not in columns:
                continue
            try:
                read, newest = self._affordable_days(suffixes, column)
                counts = self._select(queries.parameter_counts(prefix, column, newest))
                values = self._select(queries.parameter_values(prefix, column, newest))
            except WarehouseError as error:
                self._notes.append(f"{column} could not be looked at: {error}")
                continue
            found += _parameter_profiles(column, counts, values)
        if not read:
            return 0, 0, ()
        (row,) = self._select(queries.event_count(prefix, newest))
        return read, int(row["n"]), tuple(found)

    def _affordable_days(self, suffixes: Sequence[str], column: str) -> tuple[int, dict]:
        """The number of newest days whose parameters may be read, and a query's parameters for them."""
        for days in PARAMETER_DAYS:
            read = min(days, len(suffixes))
            reading = queries.reading(sorted(suffixes[-read:]), self._source)
            query = queries.parameter_values(self._source.table_prefix, column, reading)
            size = self._warehouse.estimate(query) if self._max_bytes is not None else None
            if size is None or self._max_bytes is None or 2 * size <= self._max_bytes:
                return read, reading
        return read, reading  # _select refuses it

    def _select(self, query: Query) -> list[dict[str, object]]:
        """Rows of a query that reads no more than allowed."""
        if self._max_bytes is not None:
            size = self._warehouse.estimate(query)
            if size is not None:
                if size > self._max_bytes:
                    raise WarehouseError(
                        f"the query would read {size / _GIB:.2f} GiB, and warehouse.max_gib is "
                        f"{self._max_bytes / _GIB:g}; raise it"
                    )
                self._read = (self._read or 0) + size
        return self._warehouse.select(query)


def newest_tables(plan: SnapshotPlan, lookback_days: int) -> tuple[str, ...]:
    """The tables of a plan that its test snapshots need."""
    first = plan.test_dates[0] - datetime.timedelta(days=lookback_days)
    return tuple(suffix for suffix in plan.table_suffixes if suffix[-8:] >= f"{first:%Y%m%d}")


def _parameter_profiles(
    column: str, counts: Sequence[dict[str, object]], values: Sequence[dict[str, object]]
) -> list[ParameterProfile]:
    """One profile per key, those of the most events first."""
    top: dict[str, list[dict[str, object]]] = collections.defaultdict(list)
    for row in sorted(values, key=lambda row: (-int(row["n"]), str(row["text"]))):
        top[str(row["param"])].append(row)
    of_key: dict[str, list[dict[str, object]]] = collections.defaultdict(list)
    for row in sorted(counts, key=lambda row: (-int(row["n"]), str(row["event"]))):
        if row["param"] is not None:
            of_key[str(row["param"])].append(row)
    found = []
    for key, rows in of_key.items():
        filled = {field: sum(int(row[field]) for row in rows) for field in queries.VALUE_FIELDS}
        distinct = int(top[key][0]["n_values"]) if top[key] else 0
        texts = [Frequency(str(row["text"]), int(row["n"])) for row in top[key] if row["shared"]]
        values_count = sum(filled.values())
        is_measure = filled["double_value"] + filled["float_value"] == values_count  # with as many digits as it takes
        identifies = filled["string_value"] > 0 and distinct > MAX_DISTINCT_SHARE * values_count
        found.append(
            ParameterProfile(
                column=column,
                key=key,
                events=sum(int(row["n"]) for row in rows),
                names={str(row["event"]): int(row["n"]) for row in rows},
                filled=filled,
                numeric_text=int(top[key][0]["numeric_text"]) if top[key] else 0,
                distinct=distinct,
                values=tuple(texts),
                is_personal=is_personal_name(key)
                or identifies
                or (not is_measure and has_personal_values(str(row["text"]) for row in top[key])),
            )
        )
    return sorted(found, key=lambda parameter: (-parameter.events, parameter.key))
