"""The sample: Google's schema and queries, what real exports are like, and purchases of known probability."""

import ast
import datetime
import json
import math
import zoneinfo
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from sqlglot import exp

from models.config import SettingsError
from pipeline.sample import __main__ as command_line
from pipeline.sample import events as sample_events
from pipeline.sample import schema as sample_schema
from pipeline.sample.calendar import SampleParameters, date_of_day, epoch_day
from pipeline.sample.truth import probability

QUERIES = sorted((Path(__file__).parent / "google_sample_queries").glob("*.sql"))
PARAMETERS = SampleParameters(users=9000)
# The published queries ask for days of November and December 2020.
FIRST_SAMPLE = SampleParameters(users=1500, end=datetime.date(2021, 1, 15), train_snapshots=5, test_snapshots=1)
TINY = SampleParameters(users=200, train_snapshots=1, test_snapshots=1, lookback_days=10)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "events"
    sample_events.write_sample(folder, PARAMETERS)
    return folder


@pytest.fixture(scope="module")
def old_sample(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("old_sample") / "events"
    sample_events.write_sample(folder, FIRST_SAMPLE)
    return folder


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB with the daily tables as the view `events`, and `param(event_params, key)`."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        f"""CREATE VIEW events AS
        SELECT * EXCLUDE (filename), regexp_extract(filename, 'events_([0-9]+)', 1) AS _TABLE_SUFFIX
        FROM read_parquet('{folder}/events_*.parquet', filename = true)"""
    )
    connection.execute("CREATE MACRO param(params, name) AS list_filter(params, lambda p: p.key = name)[1].value")
    return connection


def one(connection: duckdb.DuckDBPyConnection, sql: str):
    """The only row of a query's result."""
    return connection.execute(sql).fetchone()


def table_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("events_*.parquet"))


# Schema and published queries


def bigquery_field(field: pa.Field) -> dict:
    """BigQuery's JSON form of an Arrow field, written apart from the code under test."""
    kind, mode = field.type, "NULLABLE"
    if pa.types.is_list(kind):
        kind, mode = kind.value_type, "REPEATED"
    names = {pa.string(): "STRING", pa.int64(): "INTEGER", pa.float64(): "FLOAT", pa.bool_(): "BOOLEAN"}
    if pa.types.is_struct(kind):
        children = [bigquery_field(kind[i]) for i in range(kind.num_fields)]
        return {"name": field.name, "type": "RECORD", "mode": mode, "fields": children}
    return {"name": field.name, "type": names[kind], "mode": mode}


def test_every_table_has_googles_schema(sample):
    documented = json.loads(Path(sample_schema.__file__).with_name("ga4_export_schema.json").read_text())
    assert len(table_files(sample)) == len(PARAMETERS.table_days)
    for file in table_files(sample):
        assert [bigquery_field(field) for field in pq.read_schema(file)] == documented, file.name


def test_the_schema_has_the_documented_columns():
    schema = sample_schema.export_schema()
    assert schema.names[:4] == ["event_date", "event_timestamp", "event_name", "event_params"]
    assert schema.field("event_timestamp").type == pa.int64()
    assert schema.field("is_active_user").type == pa.bool_()
    assert {"privacy_info", "session_traffic_source_last_click", "collected_traffic_source"} < set(schema.names)


def test_a_column_that_the_schema_lacks_is_refused():
    with pytest.raises(KeyError, match=r"device\.colour"):
        sample_schema.build_table({"device.colour": pa.array(["red"])}, 1)


@pytest.mark.parametrize("query", QUERIES, ids=lambda path: path.stem)
def test_published_queries_run_unchanged_but_for_the_tables_name(old_sample, query):
    tree = sqlglot.parse_one(query.read_text(), read="bigquery")
    for table in list(tree.find_all(exp.Table)):
        if table.name == "events_*":
            table.replace(exp.to_table("events"))
    rows = connect(old_sample).execute(tree.sql(dialect="duckdb")).fetchall()
    assert rows
    assert all(value is not None for row in rows for value in row)


def test_published_queries_agree_with_the_tables(old_sample):
    def run(name: str) -> list[tuple]:
        sql = next(query for query in QUERIES if query.stem == name).read_text()
        sql = sql.replace("`bigquery-public-data.ga4_obfuscated_sample_ecommerce.events_*`", "events")
        return connect(old_sample).execute(sqlglot.transpile(sql, read="bigquery", write="duckdb")[0]).fetchall()

    days = [pq.read_table(old_sample / f"events_2020120{day}.parquet") for day in (1, 2)]
    counts = {
        (day["event_date"][0].as_py(), name): day["event_name"].to_pylist().count(name)
        for day in days
        for name in ("page_view", "session_start", "purchase")
    }
    assert {(day, name): count for day, name, count in run("event_counts_by_date")} == counts
    ((per_purchaser,),) = run("average_transactions_per_purchaser")
    assert 1.0 <= per_purchaser < 3.0
    assert {row[0] for row in run("pageviews_by_purchaser_type")} == {True, False}


# What real exports are like


def test_days_are_those_of_the_property_and_the_tables_name(sample):
    connection = connect(sample)
    zone = zoneinfo.ZoneInfo(PARAMETERS.time_zone)
    assert one(connection, "SELECT count(*) FROM events WHERE event_date <> _TABLE_SUFFIX") == (0,)
    edges = connection.execute(
        "SELECT event_date, min(event_timestamp), max(event_timestamp) FROM events GROUP BY event_date"
    ).fetchall()
    offsets = set()
    for day, *stamps in edges:
        for micros in stamps:
            local = datetime.datetime.fromtimestamp(micros // 1_000_000, zone)
            assert f"{local:%Y%m%d}" == day
            offsets.add(local.utcoffset())
    assert len(offsets) == 2  # the clocks change within the sample


def test_activity_is_heavy_tailed(sample):
    share = one(
        connect(sample),
        """WITH per_user AS (
            SELECT count(*) FILTER (event_name = 'session_start') AS sessions FROM events
            WHERE user_pseudo_id IS NOT NULL GROUP BY user_pseudo_id),
        ranked AS (SELECT sessions, percent_rank() OVER (ORDER BY sessions) AS rank FROM per_user)
        SELECT sum(sessions) FILTER (rank >= 0.9) / sum(sessions) FROM ranked""",
    )[0]
    assert 0.3 < share < 0.8


def test_users_return(sample):
    returning = one(
        connect(sample),
        """SELECT avg(days) FROM (SELECT (count(DISTINCT event_date) > 1)::INT AS days FROM events
        WHERE user_pseudo_id IS NOT NULL GROUP BY user_pseudo_id)""",
    )[0]
    assert 0.3 < returning < 0.9


def test_weekends_are_quieter(sample):
    settled = f"{date_of_day(PARAMETERS.settled_day):%Y%m%d}"
    rows = connect(sample).execute(
        f"""SELECT isodow(strptime(event_date, '%Y%m%d')) >= 6, count(*) / count(DISTINCT event_date) FROM events
        WHERE event_date <= '{settled}' GROUP BY 1"""
    )
    per_day = dict(rows.fetchall())
    assert per_day[True] < 0.95 * per_day[False]


def test_there_are_bots(sample):
    most = one(
        connect(sample),
        """SELECT max(sessions) FROM (SELECT count(*) FILTER (event_name = 'session_start') AS sessions FROM events
        WHERE user_pseudo_id IS NOT NULL GROUP BY user_pseudo_id, event_date
        HAVING count(*) FILTER (event_name = 'view_item') = 0)""",
    )[0]
    assert most >= 10


@pytest.mark.parametrize(
    "column",
    [
        "user_pseudo_id",
        "user_id",
        "device.category",
        "device.language",
        "device.web_info.browser",
        "geo.country",
        "traffic_source.source",
        "param(event_params, 'ga_session_id')",
        "param(event_params, 'source')",
    ],
)
def test_values_are_missing_but_not_all(sample, column):
    share = one(connect(sample), f"SELECT avg(({column} IS NULL)::INT) FROM events WHERE event_name = 'page_view'")[0]
    assert 0.0 < share < 0.95


def test_events_without_consent_have_no_session(sample):
    sql = """SELECT count(*), count(param(event_params, 'ga_session_id')), count(user_id)
    FROM events WHERE user_pseudo_id IS NULL AND privacy_info.analytics_storage = 'No'"""
    events, sessions, users = one(connect(sample), sql)
    assert events > 0
    assert (sessions, users) == (0, 0)


def test_purchases_arrive_twice_sometimes_a_day_later(sample):
    rows = connect(sample).execute(
        """SELECT count(*), count(DISTINCT event_date), count(DISTINCT ecommerce.purchase_revenue),
            count(DISTINCT coalesce(user_pseudo_id, ''))
        FROM events WHERE event_name = 'purchase' GROUP BY ecommerce.transaction_id"""
    )
    events, days, revenues, users = np.array(rows.fetchall()).T
    assert 0.02 < np.mean(events > 1) < 0.2
    assert np.any(days > 1)
    assert np.any((days == 1) & (events > 1))
    assert set(revenues) == {1}
    assert set(users) == {1}


def test_the_items_of_a_purchase_make_its_revenue(sample):
    sql = """SELECT
        max(abs(ecommerce.purchase_revenue - list_sum(list_transform(items, lambda i: i.price * i.quantity)))),
        bool_and(event_value_in_usd = ecommerce.purchase_revenue), min(len(items))
    FROM events WHERE event_name = 'purchase'"""
    difference, same_value, items = one(connect(sample), sql)
    assert difference < 0.01
    assert same_value
    assert items >= 1


def test_sessions_and_users_are_told_apart(sample):
    sql = """WITH starts AS (SELECT user_pseudo_id AS u,
        param(event_params, 'ga_session_id').int_value AS id,
        param(event_params, 'ga_session_number').int_value AS number
        FROM events WHERE event_name = 'session_start')
    SELECT count(*), count(DISTINCT (u, id)), count(DISTINCT (u, number)) FROM starts
    WHERE u IS NOT NULL AND id IS NOT NULL"""
    starts, ids, numbers = one(connect(sample), sql)
    assert starts == ids == numbers


def test_no_event_precedes_its_users_first_touch(sample):
    sql = "SELECT count(*) FROM events WHERE event_timestamp < user_first_touch_timestamp"
    assert one(connect(sample), sql) == (0,)
    sql = """SELECT count(*), count(*) FILTER (event_timestamp - user_first_touch_timestamp < 60000000)
    FROM events WHERE event_name = 'first_visit' AND user_pseudo_id IS NOT NULL"""
    visits, at_once = one(connect(sample), sql)
    assert visits == at_once > 0


def test_the_newest_tables_lack_late_events(sample):
    rows = dict(connect(sample).execute("SELECT event_date, count(*) FROM events GROUP BY 1").fetchall())

    def per_week_before(day: int) -> float:
        """Events of a day as a share of those on the same weekday in the three weeks before."""
        name = "{:%Y%m%d}".format
        return rows[name(date_of_day(day))] / np.mean([rows[name(date_of_day(day - 7 * week))] for week in (1, 2, 3)])

    assert per_week_before(PARAMETERS.end_day) < 0.85
    assert per_week_before(PARAMETERS.settled_day) > 0.85
    assert PARAMETERS.end_day - PARAMETERS.settled_day == PARAMETERS.settle_days - 1


# Known probabilities


def drawn(folder: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(folder / sample_events.PROBABILITIES)
    assert table.schema.equals(sample_events.PROBABILITIES_SCHEMA)
    return {name: table[name].to_numpy() for name in table.column_names}


def recomputed(folder: Path, parameters: SampleParameters) -> dict[str, np.ndarray]:
    """Features, labels and p aggregated from the tables in the plainest way, one row per user and snapshot."""
    connection = connect(folder)
    connection.execute("CREATE TABLE snapshots (snapshot_date DATE)")
    first, last = parameters.first_day + parameters.lookback_days, parameters.settled_day + 1
    for day in parameters.grid(first, last):
        connection.execute("INSERT INTO snapshots VALUES (?)", [date_of_day(day)])
    rows = connection.execute(
        f"""WITH flat AS (
            SELECT user_pseudo_id, event_name, event_timestamp AS ts, strptime(event_date, '%Y%m%d')::DATE AS day,
                param(event_params, 'ga_session_id').int_value AS session,
                ecommerce.transaction_id AS transaction, device.category AS device, traffic_source.source AS source
            FROM events WHERE user_pseudo_id IS NOT NULL),
        aged AS (SELECT flat.*, snapshot_date, snapshot_date - day AS age FROM flat CROSS JOIN snapshots
            WHERE age BETWEEN {1 - parameters.gap_days - parameters.horizon_days} AND {parameters.lookback_days})
        SELECT user_pseudo_id, snapshot_date,
            count(DISTINCT (day, session)) FILTER (session IS NOT NULL AND age BETWEEN 1 AND 7) AS sessions_1_7,
            count(*) FILTER (event_name = 'view_item' AND age BETWEEN 1 AND 7) AS item_views_1_7,
            count(*) FILTER (event_name = 'add_to_cart' AND age BETWEEN 1 AND 7) AS carts_1_7,
            count(*) FILTER (event_name = 'begin_checkout' AND age BETWEEN 1 AND 7) AS checkouts_1_7,
            count(DISTINCT (day, session)) FILTER (session IS NOT NULL AND age >= 1) AS sessions_1_30,
            count(*) FILTER (event_name = 'add_to_cart' AND age >= 1) AS carts_1_30,
            count(DISTINCT transaction) FILTER (event_name = 'purchase' AND age >= 1) AS purchases_1_30,
            min(age) FILTER (age >= 1) AS recency_days,
            coalesce(arg_max(device, ts) FILTER (age >= 1 AND device IS NOT NULL), '') AS device_category,
            coalesce(arg_max(source, ts) FILTER (age >= 1 AND source IS NOT NULL), '') AS source,
            count(*) FILTER (event_name = 'purchase'
                AND -age BETWEEN {parameters.gap_days} AND {parameters.gap_days + parameters.horizon_days - 1}) > 0
                AS converted
        FROM aged GROUP BY ALL HAVING count(*) FILTER (age >= 1) > 0"""
    ).fetchnumpy()
    return {name: np.asarray(values) for name, values in rows.items()}


@pytest.mark.parametrize(
    "changed",
    [{}, {"lookback_days": 21, "gap_days": 0, "horizon_days": 5, "every_days": 5, "settle_days": 1, "users": 3000}],
    ids=["default windows", "other windows"],
)
def test_probabilities_follow_from_what_the_tables_show(sample, tmp_path, changed):
    folder, parameters = sample, replace(PARAMETERS, **changed)
    if changed:
        folder = tmp_path / "events"
        sample_events.write_sample(folder, parameters)
    table, seen = drawn(folder), recomputed(folder, parameters)

    def keys(rows: dict[str, np.ndarray]) -> np.ndarray:
        return np.char.add(
            rows["snapshot_date"].astype("datetime64[D]").astype(str), rows["user_pseudo_id"].astype(str)
        )

    drawn_order, seen_order = np.argsort(keys(table)), np.argsort(keys(seen))
    assert np.array_equal(keys(table)[drawn_order], keys(seen)[seen_order])  # the same users at the same snapshots
    difference = probability(seen)[seen_order] - table["probability"][drawn_order]
    assert np.max(np.abs(difference)) < 1e-12
    label = table["label"][drawn_order]
    known = ~np.isnan(label)
    assert known.any() and not known.all()
    assert np.array_equal(label[known], seen["converted"][seen_order][known])


def test_labels_occur_as_often_as_drawn(sample):
    table = drawn(sample)
    known = ~np.isnan(table["label"])
    p, label = table["probability"][known], table["label"][known]
    assert 0.03 < p.mean() < 0.08
    edges = np.quantile(p, np.linspace(0, 1, 11))
    decile = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, 9)
    for rows in [np.ones(len(p), bool), *(decile == i for i in range(10))]:
        error = math.sqrt(np.sum(p[rows] * (1 - p[rows])))
        assert abs(np.sum(label[rows] - p[rows])) < 4 * error


def test_probabilities_tell_much_but_not_all(sample):
    table = drawn(sample)
    known = ~np.isnan(table["label"])
    p, label = table["probability"][known], table["label"][known] == 1
    rank = np.argsort(np.argsort(p))
    auc = (rank[label].sum() - label.sum() * (label.sum() - 1) / 2) / (label.sum() * (~label).sum())
    assert 0.85 < auc < 0.93


def test_labels_are_unknown_until_their_window_is_settled(sample):
    table = drawn(sample)
    over = table["snapshot_date"].astype("datetime64[D]").astype(int) + 3 + 7 - 1 <= PARAMETERS.settled_day
    assert np.array_equal(over, ~np.isnan(table["label"]))


# Calendar


def test_the_days_make_room_for_the_snapshots():
    assert PARAMETERS.end == datetime.date(2025, 11, 14)
    assert date_of_day(PARAMETERS.settled_day) == datetime.date(2025, 11, 12)
    # 3 November + 3 + 7 - 1 = 12 November. The first test snapshot is 27 October, the last to train at least 13 days
    # before it.
    assert date_of_day(PARAMETERS.newest_test_day) == datetime.date(2025, 11, 3)
    assert date_of_day(PARAMETERS.first_day) == datetime.date(2025, 10, 13) - datetime.timedelta(days=5 * 7 + 30)


@pytest.mark.parametrize("days", range(14))
def test_snapshots_are_the_newest_that_can_be_used(days):
    parameters = replace(PARAMETERS, end=PARAMETERS.end + datetime.timedelta(days=days))
    newest = parameters.newest_test_day
    assert date_of_day(newest).isoweekday() == 1
    assert newest + 9 <= parameters.settled_day < newest + 16


def test_label_windows_must_tile_time():
    with pytest.raises(SettingsError, match="every_days is 14 and horizon_days 7"):
        SampleParameters(every_days=14)


def test_the_first_epoch_day():
    assert epoch_day(datetime.date(1970, 1, 5)) == 4


# Files


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_seed_decides_every_byte(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        sample_events.write_sample(tmp_path / name, replace(TINY, seed=seed))
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]  # nothing unfinished stays


def test_a_single_user_is_enough(tmp_path):
    sample = sample_events.write_sample(tmp_path / "one", replace(TINY, users=1))
    assert sample.days == len(TINY.table_days)


def test_a_finished_sample_is_left_alone_or_replaced(tmp_path):
    folder = tmp_path / "sample"
    first = sample_events.write_sample(folder, TINY)
    times = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    again = sample_events.write_sample(folder, TINY)
    assert (first.made, again.made) == (True, False)
    assert (first.events, first.days) == (again.events, again.days)
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == times
    assert sample_events.write_sample(folder, replace(TINY, seed=5)).made
    assert len(table_files(folder)) == first.days


def test_the_digest_covers_every_module_of_the_generator(tmp_path, monkeypatch):
    package = Path(sample_schema.__file__).parent
    modules = {file.name: file.read_bytes() for file in package.iterdir() if file.suffix in (".py", ".json")}
    assert {"events.py", "truth.py", "users.py", "ga4_export_schema.json"} <= modules.keys()
    for name, text in modules.items():
        (tmp_path / name).write_bytes(text)
    monkeypatch.setattr(sample_events.resources, "files", lambda _: tmp_path)
    digests = {sample_events.generator_digest()}
    for name, text in modules.items():
        (tmp_path / name).write_bytes(text + b"\n")
        digests.add(sample_events.generator_digest())
    assert len(digests) == len(modules) + 1


def test_example_gen_does_not_reach_the_sample():
    """Otherwise an edit of the generator would invalidate every cached run."""
    root = Path(sample_schema.__file__).parents[2]
    seen, waiting = set(), ["pipeline.components.example_gen"]
    while waiting:
        module = waiting.pop()
        file = next(
            (f for f in (root / (module.replace(".", "/") + end) for end in (".py", "/__init__.py")) if f.is_file()),
            None,
        )
        if module in seen or file is None:
            continue
        seen.add(module)
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
    assert "pipeline.warehouse.extraction" in seen
    assert not [module for module in seen if module.startswith("pipeline.sample")]


def test_another_generator_makes_it_anew(tmp_path, monkeypatch):
    sample_events.write_sample(tmp_path / "sample", TINY)
    monkeypatch.setattr(sample_events, "generator_digest", lambda: "another")
    assert sample_events.write_sample(tmp_path / "sample", TINY).made


@pytest.mark.parametrize("foreign", ["notes.txt", "events_20200101.parquet"])
def test_a_folder_with_something_else_is_refused_unless_forced(tmp_path, foreign):
    (tmp_path / foreign).write_text("mine")
    with pytest.raises(SettingsError, match="does not hold a finished sample"):
        sample_events.write_sample(tmp_path, TINY)
    assert (tmp_path / foreign).read_text() == "mine"
    folder = tmp_path / "below"
    folder.mkdir()
    (folder / foreign).write_text("mine")
    assert sample_events.write_sample(folder, TINY, force=True).made
    assert not (folder / "notes.txt").exists()


def test_a_failure_leaves_the_old_sample(tmp_path, monkeypatch):
    folder = tmp_path / "sample"
    sample_events.write_sample(folder, TINY)
    before = contents(folder)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(sample_events, "_write_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        sample_events.write_sample(folder, replace(TINY, seed=9))
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_the_command_prints_one_line(tmp_path, capsys):
    arguments = ["--out", str(tmp_path / "events"), "--users", "50", "--seed", "3", "--end", "2025-06-30"]
    assert command_line.main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert "events, " in printed and " days, " in printed and " MB, " in printed
    assert table_files(tmp_path / "events")[-1].name == "events_20250630.parquet"
    assert command_line.main(arguments) == 0
    assert "already there" in capsys.readouterr().out


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert command_line.main(["--out", str(tmp_path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert command_line.main(["--out", str(tmp_path / "events"), "--users", "0"]) == 2
    assert "users must be at least 1" in capsys.readouterr().err
