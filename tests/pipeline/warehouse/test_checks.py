import json

import duckdb
import pytest

from models.features import FeatureSet
from pipeline.settings.dataset import Columns, TableSource
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse import value_checks
from pipeline.warehouse.checks import check_table
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import Query, WarehouseError

FEATURES = FeatureSet(
    features=[
        {"name": "visits", "kind": "numeric"},
        {"name": "spent", "kind": "numeric"},
        {"name": "must", "kind": "numeric", "missing": "refuse"},
        {"name": "browser", "kind": "categorical", "vocabulary": 3},
        {"name": "brand", "kind": "categorical", "vocabulary": 3, "missing": "refuse"},
    ]
)
COLUMNS = Columns(label="bought", key="who", date="day")
GOOD = {
    "who": "'user' || (i // 4)",
    "day": "DATE '2024-01-01' + 7 * (i % 4)::INT",
    "bought": "(i // 4) % 10 = 0",
    "visits": "i",
    "spent": "i / 2",
    "must": "TRUE",
    "browser": "'b' || (i % 3)",
    "brand": "'x'",
    "split": "CASE WHEN i % 4 = 3 THEN 'test' WHEN (i // 4) % 7 = 0 THEN 'eval' ELSE 'train' END",
}


def report_of(tmp_path, columns=COLUMNS, where="TRUE", **changed):
    select = ", ".join(f"{value} AS {name}" for name, value in {**GOOD, **changed}.items())
    path = tmp_path / "rows.parquet"
    duckdb.execute(f"COPY (SELECT {select} FROM range(4000) r(i) WHERE {where}) TO '{path}' (FORMAT parquet)")
    source = TableSource(kind="table", table="rows")
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb", threads=2), path, source) as warehouse:
        label = "IF(r.bought, 1, 0)" if "bought" not in changed else "r.bought"
        query = Query(f"SELECT r.* REPLACE ({label} AS bought) FROM `rows` AS r")
        warehouse.create_table("features_x", query, partition_by=None, order_by=["who", "day"])
        return check_table(warehouse, "features_x", columns, FEATURES, window="2024-01-01 and 2024-01-31")


def test_report(tmp_path):
    report = report_of(tmp_path)
    assert (report.rows, report.positives) == (4000, 400)
    assert [(count.split, count.rows, count.positives) for count in report.splits] == [
        ("train", 2571, 255),
        ("eval", 429, 45),
        ("test", 1000, 100),
    ]
    assert [(count.split, count.date, count.rows) for count in report.dates][-1] == ("test", "2024-01-22", 1000)
    assert report.missing == {"visits": 0, "spent": 0, "must": 0, "browser": 0, "brand": 0}
    assert report.distinct == {"browser": 3, "brand": 1}
    assert report.warnings == ()
    assert json.loads(json.dumps(report.to_json()))["splits"][0]["split"] == "train"


def test_without_date_and_key(tmp_path):
    report = report_of(tmp_path, Columns(label="bought"))
    assert report.dates == () and report.rows == 4000


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"where": "FALSE"}, "is empty: no user had an event between 2024-01-01 and 2024-01-31"),
        ({"split": "'train'"}, "split 'test' is empty"),
        ({"bought": "IF(i % 4 = 3, 0, i % 2)"}, "split 'test': all 1000 labels are 0"),
        ({"bought": "IF(i < 40, NULL, i % 2)"}, "label 'bought' is NULL in 40 rows"),
        ({"bought": "i % 3"}, "label 'bought' is neither 0 nor 1 in 1333 rows"),
        ({"who": "'user' || (i // 8)"}, r"2000 values of the key \('who', 'day'\) occur in more than one row"),
        ({"who": "IF(i = 7, NULL, 'user' || (i // 4))"}, "key 'who' is NULL in 1 rows"),
        ({"day": "IF(i = 7, NULL, DATE '2024-01-01')"}, "date 'day' is NULL in 1 rows"),
        ({"spent": "IF(i < 5, '-inf'::DOUBLE, i)"}, "feature 'spent' is infinite in 5 rows"),
        ({"spent": "IF(i < 5, 1e39, i)"}, "feature 'spent' is infinite in 5 rows"),
        ({"spent": "IF(i < 5, -3.4028235677973366e38, i)"}, "feature 'spent' is infinite in 5 rows"),
        ({"brand": "IF(i < 8, '', 'b')"}, "feature 'brand' is missing in 8 rows, and its policy is 'refuse'"),
        ({"brand": "IF(i < 8, NULL, 'b')"}, "feature 'brand' is missing in 8 rows, and its policy is 'refuse'"),
        ({"must": "IF(i < 6, NULL, i)"}, "feature 'must' is missing in 6 rows, and its policy is 'refuse'"),
        ({"must": "IF(i < 6, 'nan'::DOUBLE, i)"}, "feature 'must' is missing in 6 rows"),
    ],
)
def test_what_stops_the_run(tmp_path, changed, problem):
    with pytest.raises(WarehouseError, match=problem) as error:
        report_of(tmp_path, **changed)
    assert "user1" not in str(error.value)


def test_all_problems_are_named_at_once(tmp_path):
    with pytest.raises(WarehouseError) as error:
        report_of(tmp_path, spent="'inf'::DOUBLE", must="NULL", bought="7", who="'user'")
    assert len(str(error.value).splitlines()) >= 4


def test_what_is_only_warned_of(tmp_path):
    report = report_of(
        tmp_path,
        spent="IF(i < 9, 'nan'::DOUBLE, i / 2)",
        browser="'b' || (i % 50)",
        bought="IF(i % 4 = 1, (i // 4) % 3 = 0, (i // 4) % 10 = 0)::INT",
    )
    assert report.missing["spent"] == 9
    assert "feature 'spent' is NaN in 9 rows" in report.warnings[0]
    assert "'browser' has 50 distinct values in train; the 3 most frequent" in report.warnings[1]
    assert report.warnings[2].startswith("the base rate of 2024-01-01 is 10.00% against 15.85% of all rows")
    assert any(warning.startswith("the base rate of 2024-01-08 is 33.40%") for warning in report.warnings)


def test_the_largest_float32_is_finite(tmp_path):
    assert report_of(tmp_path, spent="3.4028234663852886e38::DOUBLE").warnings == ()


def test_missing_values_are_counted_alike_and_empty_features_named(tmp_path):
    report = report_of(
        tmp_path,
        visits="NULL::BIGINT",
        spent="IF(i % 4 = 3, 1.5, NULL)",
        browser="CASE i % 4 WHEN 0 THEN '' WHEN 1 THEN NULL ELSE 'b' END",
    )
    assert report.missing["browser"] == 2000 and report.missing_share["browser"] == 0.5
    assert report.missing_train["spent"] == 2571 and report.missing["spent"] == 3000
    assert report.empty_features == ("visits", "spent")
    assert report.warnings[:2] == tuple(
        f"feature '{name}' has no value in the train split; to go on without it, add to dataset.yaml: features: "
        f"{{leave_out: [{name}]}}"
        for name in ("visits", "spent")
    )
    document = report.to_json()
    assert document["empty_features"] == ["visits", "spent"] and document["missing_share"]["visits"] == 1.0


def test_a_nearly_empty_feature_is_warned_of(tmp_path):
    report = report_of(tmp_path, spent="IF(i < 12, i, NULL)")
    assert report.warnings == ("feature 'spent' has a value in only 6 of 2,571 rows of the train split",)
    assert report.empty_features == ()


def test_many_features_are_counted_in_parts(tmp_path, monkeypatch):
    whole = report_of(tmp_path, spent="IF(i < 9, 'nan'::DOUBLE, i / 2)")
    monkeypatch.setattr(value_checks, "FEATURES_AT_ONCE", 2)
    assert report_of(tmp_path, spent="IF(i < 9, 'nan'::DOUBLE, i / 2)") == whole
