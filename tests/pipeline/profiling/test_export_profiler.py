"""The facts about an export against the data set's own query, and against counting in Python."""

import collections
import dataclasses
import datetime

import numpy as np
import pytest

import schema
from pipeline.profiling.export_days import export_days
from pipeline.profiling.export_profiler import ExportProfiler, newest_tables
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.features_table import query_for
from pipeline.warehouse.interface import Query, WarehouseError
from pipeline.warehouse.snapshots import newest_snapshot
from tests.pipeline.proposal.odd_export import DAY, add, write_export
from tests.schema.ga4_events import event

FIRST = datetime.date(2024, 1, 1)
DAYS = 80
TODAY = FIRST + DAYS * DAY
ZONE = "America/New_York"


def random_events():
    """Users with purchases that arrive twice or more under one id, or under none; and events without a user."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(150):
        for _ in range(rng.integers(1, 12)):
            day = FIRST + int(rng.integers(0, DAYS)) * DAY
            kind = rng.choice(["page_view", "purchase", "sign_up"], p=[0.5, 0.4, 0.1])
            bought = {}
            if kind == "purchase":
                bought = {
                    "transaction": rng.choice([f"T{number}-{rng.integers(3)}", "(not set)", None]),
                    "revenue": 5.0,
                }
            row = event(f"user-{number}", day, str(kind), at="08:00:00", zone=ZONE, **bought)
            rows.append(add(row, method=str(rng.choice(["mail", "app"])), code=f"{number:012d}", price=1.25, step=3))
    rows += [event(None, FIRST + 70 * DAY, "page_view"), event("(not set)", FIRST + 70 * DAY, "purchase")]
    return rows


class Looked:
    """A profile, and what it was made from."""

    def __init__(self, folder, rows, **settings):
        self.rows = rows
        write_export(folder, [*rows, event("last", FIRST + (DAYS - 1) * DAY, at="08:00:00", zone=ZONE)])
        self.folder = DatasetFolder.load(schema.ROOT / "ga4", settings)
        source = self.folder.dataset.source
        with DuckDBWarehouse(DuckDBSettings(engine="duckdb", memory_limit="500MB"), folder, source) as warehouse:
            self.names = list(warehouse.source_tables("events_"))
            profiler = ExportProfiler(warehouse, self.folder, "shop")
            self.profile = profiler.profile(self.names, export_days(self.names, source, TODAY, "shop"), TODAY)
            self.by_query = {}
            for horizon, event_name, eligibility in (
                *((horizon, "purchase", "all") for horizon in (7, 14, 30)),
                *((7, "purchase", "never_converted"), (14, "sign_up", "all"), (14, "sign_up", "never_converted")),
            ):
                self.by_query[horizon, event_name, eligibility] = self._query(
                    warehouse, horizon, event_name, eligibility
                )
            plan = newest_snapshot(self.names, self.folder.dataset, TODAY)
            self.fill = profiler.feature_fill(self.folder, plan)

    def _query(self, warehouse, horizon, event_name, eligibility):
        """Rows and positives of ga4's own query for the newest snapshot."""
        dataset = self.folder.dataset
        dataset = dataset.model_copy(
            update={
                "windows": dataset.windows.model_copy(update={"horizon_days": horizon}),
                "source": dataset.source.model_copy(
                    update={"conversion_event": event_name, "eligibility": eligibility}
                ),
            }
        )
        plan = newest_snapshot(self.names, dataset, TODAY)
        query = query_for(dataclasses.replace(self.folder, dataset=dataset, path=None), plan)
        counted = Query(f"SELECT COUNT(*) AS n, SUM(q.converted) AS p FROM (\n{query.sql}\n) AS q", query.parameters)
        [row] = warehouse.select(counted)
        return row["n"], row["p"]


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    return Looked(tmp_path_factory.mktemp("export") / "events", random_events())


def test_base_rates_are_those_of_the_data_set_s_own_query(looked):
    for (horizon, name, eligibility), (rows, positives) in looked.by_query.items():
        outcome = looked.profile.event(name).outcomes[horizon]
        found = (outcome.rows, outcome.positives)
        if eligibility == "never_converted":
            found = (outcome.new_rows, outcome.new_positives)
        assert found == (rows, positives), (horizon, name, eligibility)
    assert looked.by_query[30, "purchase", "all"][1] > 20


def test_purchases_that_arrive_again_are_no_new_conversions(looked):
    outcome = looked.profile.event("purchase").outcomes[30]
    profile, snapshot = looked.profile, looked.profile.snapshots[30]
    window = [snapshot + offset * DAY for offset in range(3, 33)]
    seen = {
        row["user_pseudo_id"]
        for row in looked.rows
        if snapshot - 30 * DAY <= datetime.datetime.strptime(row["event_date"], "%Y%m%d").date() < snapshot
    } - {None, "(not set)"}
    bought = {
        row["user_pseudo_id"]
        for row in looked.rows
        if row["event_name"] == "purchase" and datetime.datetime.strptime(row["event_date"], "%Y%m%d").date() in window
    }
    assert outcome.rows == len(seen)
    assert 0 < outcome.positives < len(bought & seen)  # some arrived before
    assert profile.snapshots == {7: datetime.date(2024, 3, 4), 14: datetime.date(2024, 3, 1) - 4 * DAY, 30: snapshot}


def test_events_and_users_are_counted_over_the_days_that_were_read(looked):
    profile = looked.profile
    read = [row for row in looked.rows if f"{profile.first:%Y%m%d}" <= row["event_date"] <= f"{profile.last:%Y%m%d}"]
    known = [row for row in read if row["user_pseudo_id"] not in (None, "(not set)")]
    days = collections.defaultdict(set)
    for row in known:
        days[row["event_name"], row["user_pseudo_id"]].add(row["event_date"])
    assert profile.n_events == len(read) and profile.without_key == 2
    assert profile.users == len({row["user_pseudo_id"] for row in known})
    for found in profile.events:
        users = [user for name, user in days if name == found.name]
        assert found.events == sum(row["event_name"] == found.name for row in known)
        assert found.users == len(users)
        assert found.repeaters == sum(len(days[found.name, user]) > 1 for user in users)
    assert [found.users for found in profile.events] == sorted((found.users for found in profile.events), reverse=True)


def test_the_zone_is_that_of_the_days(looked):
    assert ZONE in looked.profile.zone.zones and looked.profile.zone.share > 0.99


def test_parameters_have_fields_values_and_events(looked):
    profile = looked.profile
    newest = f"{FIRST + (DAYS - profile.parameter_days) * DAY:%Y%m%d}"
    read = [row for row in looked.rows if row["event_date"] >= newest]
    by_key = {parameter.key: parameter for parameter in profile.parameters}
    method = by_key["method"]
    counts = collections.Counter(
        item["value"]["string_value"] for row in read for item in row["event_params"] if item["key"] == "method"
    )
    assert {value.value: value.rows for value in method.values} == dict(counts)
    assert (
        method.distinct == 2 and not method.is_personal and method.with_value == method.events == sum(counts.values())
    )
    assert set(method.names) == {"page_view", "purchase", "sign_up"}
    assert by_key["price"].filled["double_value"] == by_key["step"].filled["int_value"] == method.events
    assert by_key["code"].is_personal and by_key["code"].numeric_text == method.events
    assert profile.parameter_events == len(read) + 1  # the one of the last day


def test_values_of_one_user_are_not_kept(looked):
    [code] = [parameter for parameter in looked.profile.parameters if parameter.key == "code"]
    assert code.distinct > 10 and code.values == ()


def test_features_without_a_value_are_told_from_the_query_s_rows(looked):
    rows, positives = looked.by_query[7, "purchase", "all"]
    assert (looked.fill.rows, looked.fill.positives) == (rows, positives)
    filled = looked.fill.filled
    assert filled["sessions_1_7"] == filled["session_number_max"] == filled["browser"] == filled["carts_1_7"] == 0
    assert filled["purchases_1_30"] > 0 and filled["recency_days"] == rows


def test_a_short_history_has_events_without_base_rates(tmp_path):
    rows = [event(f"user-{n}", FIRST + n % 20 * DAY, at="08:00:00") for n in range(60)]
    write_export(tmp_path, rows)
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path, folder.dataset.source) as warehouse:
        names = list(warehouse.source_tables("events_"))
        days = export_days(names, folder.dataset.source, TODAY, "shop")
        profile = ExportProfiler(warehouse, folder, "shop").profile(names, days, TODAY)
    assert [found.outcomes for found in profile.events] == [{}] and profile.users == 60
    assert "There are too few days for a base rate with a horizon of 7 or 14 or 30 days" in profile.notes


class Counting:
    """A warehouse that knows what a query would read, as BigQuery does."""

    def __init__(self, inner, gib):
        self._inner = inner
        self._gib = gib
        self.selected = []

    def estimate(self, query):
        """So many GiB a day, and ten times as many if the parameters are read."""
        wide = 10 if "UNNEST(e." in query.sql else 1
        return int(self._gib * 2**30 * wide * len(query.parameters["table_suffixes"]))

    def select(self, query):
        self.selected.append(query)
        return self._inner.select(query)

    def columns(self, query):
        return self._inner.columns(query)


@pytest.fixture
def small(tmp_path):
    write_export(tmp_path, [event(f"user-{n}", FIRST + n * DAY, at="08:00:00") for n in range(70)])
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path, folder.dataset.source) as warehouse:
        yield folder, warehouse


def profile_of(folder, warehouse, inner, max_gib):
    names = list(inner.source_tables("events_"))
    today = FIRST + 70 * DAY
    return ExportProfiler(warehouse, folder, "shop", max_gib).profile(
        names, export_days(names, folder.dataset.source, today, "shop"), today
    )


def test_parameters_of_fewer_days_are_read_if_more_would_take_half_the_limit(small):
    folder, inner = small
    profile = profile_of(folder, Counting(inner, gib=1.0), inner, max_gib=100)
    assert profile.parameter_days == 3  # 7 days would take 70 GiB
    assert profile.bytes_read > 2 * 30 * 2**30


def test_a_query_that_would_read_too_much_is_not_sent(small):
    folder, inner = small
    counting = Counting(inner, gib=2.0)
    with pytest.raises(WarehouseError, match=r"would read .* GiB, and warehouse.max_gib is 20; raise it"):
        profile_of(folder, counting, inner, max_gib=20)
    assert all("UNNEST(e." not in query.sql for query in counting.selected)


def test_only_the_tables_of_the_test_snapshots_are_read_for_features():
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    names = [f"{FIRST + offset * DAY:%Y%m%d}" for offset in range(200)]
    plan = newest_snapshot(names, folder.dataset, FIRST + 200 * DAY)
    assert newest_tables(plan, 30) == plan.table_suffixes
    older = dataclasses.replace(plan, table_suffixes=("20240101", "intraday_20240102", *plan.table_suffixes))
    assert newest_tables(older, 30) == plan.table_suffixes
