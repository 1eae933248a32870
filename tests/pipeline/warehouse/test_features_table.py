import dataclasses
import datetime
import hashlib

import duckdb
import pytest

from models.features import FeatureSet
from pipeline.settings.dataset import Dataset
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.event_checks import EventCounts, count_events
from pipeline.warehouse.features_table import (
    check_columns,
    fingerprint,
    inner_query,
    query_for,
    table_name,
)
from pipeline.warehouse.interface import Column, WarehouseError
from pipeline.warehouse.snapshots import SnapshotPlan

FEATURES = FeatureSet(features=[{"name": "visits", "kind": "numeric"}, {"name": "browser", "kind": "categorical"}])
TABLE_SQL = "SELECT s.*, s.visits > 5 AS bought FROM `sessions` AS s; -- the end"
EVENTS_SQL = """
SELECT e.user_pseudo_id, snapshot_date, COUNT(*) AS visits, 'x' AS browser, 1 AS bought
FROM `events_*` AS e CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
WHERE e._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix AND e._TABLE_SUFFIX IN UNNEST(@table_suffixes)
GROUP BY 1, 2
"""
PLAN = SnapshotPlan(
    as_of=datetime.date(2024, 1, 31),
    train_dates=(datetime.date(2024, 1, 8),),
    test_dates=(datetime.date(2024, 1, 22),),
    table_suffixes=("20240107", "20240121"),
)


def bucket(text, salt="v1:"):
    return int(hashlib.md5((salt + text).encode()).hexdigest()[:15], 16) % 100


def table_folder(columns=None, split=None, query=TABLE_SQL):
    dataset = Dataset(
        source={"kind": "table", "table": "sessions"},
        columns={"label": "bought", **(columns or {})},
        split=split or {"test_percent": 20, "eval_percent": 10},
    )
    return DatasetFolder(name="mine", dataset=dataset, features=FEATURES, query=query)


def events_folder(query=EVENTS_SQL):
    dataset = Dataset(
        source={"kind": "ga4"}, columns={"label": "bought", "key": "user_pseudo_id", "date": "snapshot_date"}
    )
    return DatasetFolder(name="mine-too", dataset=dataset, features=FEATURES, query=query)


def rows_of(folder, plan, data, **sample):
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb", threads=2), data, folder.dataset.source) as warehouse:
        check_columns(folder, warehouse.columns(inner_query(folder, plan)))
        return warehouse.select(query_for(folder, plan, **sample))


@pytest.fixture
def sessions(tmp_path):
    path = tmp_path / "sessions.parquet"
    rows = (
        "SELECT 'user' || (i % 100) AS who, i % 10 AS visits, 'b' AS browser, DATE '2024-01-01' + (i % 30)::INT AS day"
    )
    duckdb.execute(f"COPY ({rows} FROM range(1000) r(i)) TO '{path}' (FORMAT parquet)")
    return path


def test_split_by_key(sessions):
    rows = rows_of(table_folder({"key": "who"}), None, sessions)
    assert list(rows[0]) == ["who", "bought", "visits", "browser", "unit", "split"]
    for row in rows:
        place = bucket(row["who"])
        assert row["split"] == ("test" if place < 20 else "eval" if place < 30 else "train")
        assert row["unit"] == hashlib.md5(row["who"].encode()).hexdigest()
        assert row["bought"] in (0, 1) and not isinstance(row["bought"], bool)


def test_split_by_date_and_key(sessions):
    split = {"test_from": datetime.date(2024, 1, 20), "eval_percent": 10}
    rows = rows_of(table_folder({"key": "who", "date": "day"}, split), None, sessions)
    for row in rows:
        is_test = row["day"] >= datetime.date(2024, 1, 20)
        assert row["split"] == ("test" if is_test else "eval" if bucket(row["who"]) < 10 else "train")


def test_without_a_key_equal_rows_stay_together(sessions):
    rows = rows_of(table_folder(), None, sessions)
    splits = {row["unit"]: {other["split"] for other in rows if other["unit"] == row["unit"]} for row in rows}
    assert len(splits) > 100 and all(len(found) == 1 for found in splits.values())
    assert {row["split"] for row in rows} == {"train", "eval", "test"}


def test_split_of_events_by_snapshot_and_key(tmp_path):
    for suffix in PLAN.table_suffixes:
        rows = "SELECT 'user' || i AS user_pseudo_id FROM range(200) r(i) UNION ALL SELECT NULL"
        duckdb.execute(f"COPY ({rows}) TO '{tmp_path}/events_{suffix}.parquet' (FORMAT parquet)")
    folder = events_folder()
    rows = [row for row in rows_of(folder, PLAN, tmp_path) if row["user_pseudo_id"]]
    assert len(rows) == 400
    for row in rows:
        is_test = row["snapshot_date"] == PLAN.test_dates[0]
        place = bucket(row["user_pseudo_id"])
        assert row["split"] == ("test" if is_test else "eval" if place < 12 else "train")
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path, folder.dataset.source) as warehouse:
        assert count_events(warehouse, folder, inner_query(folder, PLAN)) == EventCounts(events=402, without_key=2)


@pytest.mark.parametrize("key", ["who", None])
def test_a_sample_is_a_share_of_the_users_with_all_their_rows_and_every_split(sessions, key):
    folder = table_folder({"key": key} if key else {})
    rows, sample = rows_of(folder, None, sessions), rows_of(folder, None, sessions, sample_percent=40)
    units = {row["unit"] for row in sample}
    assert 0.25 < len(units) / len({row["unit"] for row in rows}) < 0.55
    assert sorted(map(str, sample)) == sorted(str(row) for row in rows if row["unit"] in units)
    assert {row["split"] for row in sample} == {"train", "eval", "test"}
    if key:
        assert {row["who"] for row in sample} == {row["who"] for row in rows if bucket(row["who"], "sample:") < 40}


def test_all_users_need_no_condition():
    assert query_for(table_folder(), None, sample_percent=100) == query_for(table_folder(), None)


def test_names_may_be_reserved_words(sessions):
    features = FeatureSet(features=[{"name": "order", "kind": "numeric"}, {"name": "browser", "kind": "categorical"}])
    query = "SELECT s.who AS `group`, s.visits AS `order`, s.browser, s.visits > 5 AS bought FROM `sessions` AS s"
    folder = dataclasses.replace(table_folder({"key": "group"}, query=query), features=features)
    assert list(rows_of(folder, None, sessions)[0]) == ["group", "bought", "order", "browser", "unit", "split"]


def test_a_volatile_query_is_refused():
    with pytest.raises(WarehouseError, match=r"mine/query.sql: CURRENT_DATE returns another result each time"):
        query_for(table_folder(query="SELECT CURRENT_DATE() AS day FROM sessions"), None)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("SELECT t.*, IF(t.bought = 'yes', 1, 0) AS bought FROM sessions AS t", "bought"),
        ("SELECT t.*, t.visits * 2 AS visits FROM sessions AS t", "visits"),
        ("SELECT t.*, t.visits * 2 AS Visits FROM sessions AS t", "visits"),
        ("SELECT a.*, b.* FROM sessions AS a JOIN sessions AS b ON a.who = b.who", "who"),
        ("SELECT * FROM sessions AS a JOIN sessions AS b ON a.who = b.who", "who"),
        ("SELECT * FROM (SELECT t.*, 1 AS bought FROM sessions AS t)", "bought"),
        ("WITH a AS (SELECT t.*, 1 AS bought FROM sessions AS t) SELECT a.* FROM a", "bought"),
        ("SELECT q.who, q.bought FROM (SELECT t.*, 1 AS bought FROM sessions AS t) AS q", "bought"),
        ("SELECT q.x AS visits FROM (SELECT t.visits AS x, t.browser AS X FROM sessions AS t) AS q", "X"),
    ],
)
def test_a_column_that_is_returned_twice_is_refused(tmp_path, query, name):
    path = tmp_path / "sessions.parquet"
    duckdb.execute(
        f"COPY (SELECT 'a' AS who, 1 AS visits, 'b' AS browser, 'yes' AS bought) TO '{path}' (FORMAT parquet)"
    )
    with pytest.raises(WarehouseError, match=f"the column '{name}' is returned twice"):
        rows_of(table_folder(query=query), None, path)


def test_stars_that_return_each_column_once_work(sessions):
    query = """
    WITH a AS (SELECT s.* EXCEPT (visits), s.visits * 2 AS visits FROM sessions AS s),
    b AS (SELECT a.*, a.visits > 9 AS bought FROM a)
    SELECT * FROM b
    """
    assert len(rows_of(table_folder(query=query), None, sessions)) == 1000


def test_an_empty_text_is_a_missing_category(sessions):
    query = "SELECT s.visits, IF(s.visits > 5, '', s.browser) AS browser, s.visits > 5 AS bought FROM sessions AS s"
    rows = rows_of(table_folder(query=query), None, sessions)
    assert {row["browser"] for row in rows} == {"b", None}


def test_the_advice_for_bytes_keeps_the_text(tmp_path):
    path = tmp_path / "sessions.parquet"
    rows = "SELECT i AS visits, ('grün ' || i)::BLOB AS browser, i > 5 AS bought FROM range(10) r(i)"
    duckdb.execute(f"COPY ({rows.replace('::BLOB', '.encode()')}) TO '{path}' (FORMAT parquet)")
    folder = table_folder(query="SELECT s.visits, s.browser, s.bought FROM sessions AS s")
    with pytest.raises(WarehouseError) as error:
        rows_of(folder, None, path)
    advice = "SAFE_CONVERT_BYTES_TO_STRING(browser) AS browser"
    assert f"the categorical feature 'browser' is BYTES, not STRING; write {advice}" in str(error.value)
    mended = dataclasses.replace(folder, query=f"SELECT s.visits, {advice}, s.bought FROM sessions AS s")
    assert {row["browser"] for row in rows_of(mended, None, path)} == {f"grün {i}" for i in range(10)}


@pytest.mark.parametrize(
    ("key", "nobody"),
    [("COALESCE(e.user_id, e.user_pseudo_id)", 1), ("NULLIF(e.user_pseudo_id, 'a')", 3), ("e.user_pseudo_id", 2)],
)
@pytest.mark.parametrize("name", ["user_key", "user_id", "user_pseudo_id"])
def test_events_without_a_key_are_those_for_which_the_query_has_none(tmp_path, key, nobody, name):
    for suffix in PLAN.table_suffixes:
        rows = "SELECT * FROM (VALUES ('u', NULL), (NULL, 'a'), (NULL, 'b'), (NULL, NULL)) v(user_id, user_pseudo_id)"
        duckdb.execute(f"COPY ({rows}) TO '{tmp_path}/events_{suffix}.parquet' (FORMAT parquet)")
    inner = EVENTS_SQL.replace("e.user_pseudo_id", f"{key} AS {name}", 1)
    query = f"WITH a AS ({inner}), b AS (SELECT a.* FROM a WHERE a.{name} IS NOT NULL) SELECT b.* FROM b"
    dataset = Dataset(source={"kind": "ga4"}, columns={"label": "bought", "key": name, "date": "snapshot_date"})
    folder = dataclasses.replace(events_folder(query), dataset=dataset)
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path, folder.dataset.source) as warehouse:
        assert count_events(warehouse, folder, inner_query(folder, PLAN)).without_key == 2 * nobody


def test_a_key_that_is_no_expression_over_an_event_is_not_counted(tmp_path):
    for suffix in PLAN.table_suffixes:
        rows = "SELECT 'u' AS user_pseudo_id"
        duckdb.execute(f"COPY ({rows}) TO '{tmp_path}/events_{suffix}.parquet' (FORMAT parquet)")
    folder = events_folder("SELECT MAX(e.user_pseudo_id) AS user_pseudo_id FROM `events_*` AS e")
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path, folder.dataset.source) as warehouse:
        assert count_events(warehouse, folder, inner_query(folder, PLAN)).without_key is None


def columns_of(**types):
    return [Column(name, kind) for name, kind in types.items()]


def test_columns_that_fit():
    folder = table_folder({"key": "who", "date": "day"}, {"test_percent": 20})
    returned = columns_of(who="INT64", day="DATE", bought="BOOL", visits="FLOAT64", browser="STRING", extra="STRUCT")
    assert check_columns(folder, returned) == ["query.sql returns 'extra', which is not a feature"]


def test_all_problems_of_the_columns_are_named_at_once():
    folder = table_folder({"key": "who", "date": "day"}, {"test_percent": 20})
    returned = columns_of(
        who="FLOAT64", day="TIMESTAMP", bought="STRING", vists="INT64", browser="INT64", unit="STRING"
    )
    with pytest.raises(WarehouseError) as error:
        check_columns(folder, returned)
    message = str(error.value)
    for expected in (
        "returns 'unit', a name that is reserved",
        "does not return the feature 'visits'; did you mean 'vists'?",
        "it returns: who, day, bought, vists, browser, unit",
        "the key 'who' is FLOAT64, not STRING or INT64; write CAST(who AS STRING) AS who",
        "the date 'day' is TIMESTAMP, not DATE; write CAST(day AS DATE) AS day",
        "the label 'bought' is STRING, not INT64 or BOOL",
        "the categorical feature 'browser' is INT64, not STRING; write CAST(browser AS STRING) AS browser",
    ):
        assert expected in message


@pytest.mark.parametrize(
    ("kind", "cast"),
    [
        ("DATE", "UNIX_DATE(visits)"),
        ("DATETIME", "UNIX_SECONDS(TIMESTAMP(visits))"),
        ("TIMESTAMP", "UNIX_SECONDS(visits)"),
        ("NUMERIC", "CAST(visits AS FLOAT64)"),
        ("BIGNUMERIC", "CAST(visits AS FLOAT64)"),
        ("STRUCT", "visits.<field>"),
        ("ARRAY", "ARRAY_LENGTH(visits)"),
        ("BYTES", "CAST(SAFE_CONVERT_BYTES_TO_STRING(visits) AS FLOAT64)"),
        ("STRING", "CAST(visits AS FLOAT64)"),
    ],
)
def test_a_type_that_does_not_fit_is_named_with_its_cast(kind, cast):
    with pytest.raises(WarehouseError) as error:
        check_columns(table_folder(), columns_of(bought="INT64", browser="STRING", visits=kind))
    assert f"the numeric feature 'visits' is {kind}, not INT64 or FLOAT64 or BOOL; write {cast} AS" in str(error.value)


def test_a_name_in_another_case_is_refused():
    returned = [Column("bought", "INT64"), Column("Visits", "INT64"), Column("browser", "STRING")]
    with pytest.raises(WarehouseError, match="it returns 'Visits' for the feature 'visits'; use one spelling in both"):
        check_columns(table_folder(), returned)


def test_the_advice_for_a_label_of_text():
    with pytest.raises(
        WarehouseError, match=r"the label 'bought' is STRING.*write IF\(bought = '<value>', 1, 0\) AS bought"
    ):
        check_columns(table_folder(), columns_of(bought="STRING", visits="INT64", browser="STRING"))


def test_fingerprint_follows_data_query_and_parameters():
    def digest(query=EVENTS_SQL, plan=PLAN, tables=None):
        given = {"20240107": "1", "20240121": "1", "20240122": "1", **(tables or {})}
        return fingerprint(query_for(events_folder(query), plan), given, plan)

    assert digest() == digest() == digest(tables={"20240122": "changed, but not read"})
    later = SnapshotPlan(PLAN.as_of, PLAN.train_dates, (datetime.date(2024, 1, 23),), PLAN.table_suffixes)
    assert len({digest(), digest(query=EVENTS_SQL + " "), digest(plan=later), digest(tables={"20240121": "2"})}) == 3
    assert digest(query=EVENTS_SQL.replace("'x'", "'y'")) != digest()


def test_table_name_is_an_identifier():
    assert table_name("my-own.täble", "ab12" * 16) == "features_my_own_t_ble_ab12ab12ab12ab12"
