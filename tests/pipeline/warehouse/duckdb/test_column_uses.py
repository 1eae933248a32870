"""What a query says about the columns that it reads."""

import pytest
import sqlglot

from pipeline.warehouse.duckdb.column_uses import column_uses

COLUMNS = ["id", "x", "y", "day", "Cat", "device.category"]
ROLES = {"id": "key", "x": "numeric", "y": "label", "day": "date", "cat": "categorical"}
ALL = {"id": {"written"}, "x": {"number"}, "y": {"label"}, "day": {"date"}, "cat": {"text"}}


def uses_in(sql):
    found = column_uses(sqlglot.parse_one(sql, read="bigquery"), "t", COLUMNS, ROLES)
    return {name: {use.value for use in uses} for name, uses in found.items() if uses}


@pytest.mark.parametrize(
    ("sql", "uses"),
    [
        ("SELECT * FROM t", ALL),
        ("SELECT a.* FROM t AS a", ALL),
        ("SELECT a.* EXCEPT (id, y) FROM t AS a", {name: ALL[name] for name in ("x", "day", "cat")}),
        ("SELECT * REPLACE (x * 2 AS x) FROM t", {name: use for name, use in ALL.items() if name != "x"}),
        (
            "WITH a AS (SELECT x AS cat, id FROM t), b AS (SELECT * EXCEPT (id) FROM a) SELECT cat FROM b",
            {"x": {"text"}},
        ),
        ("SELECT q.v AS cat FROM (SELECT u.x AS v FROM t AS u) AS q", {"x": {"text"}}),
        ("SELECT x AS cat FROM t UNION ALL SELECT y FROM t", {"x": {"text"}, "y": {"text"}}),
        ("SELECT (SELECT MAX(b.x) FROM t AS b WHERE b.id = a.id) AS cat FROM t AS a", {"x": {"text"}}),
        ("SELECT FIRST_VALUE(x) OVER (PARTITION BY id ORDER BY day) AS cat FROM t", {"x": {"text"}}),
        ("SELECT COALESCE(x, y) AS cat, MAX(day) AS day FROM t", {"x": {"text"}, "y": {"text"}, "day": {"date"}}),
        ("SELECT IF(x > 3, id, NULL) AS cat FROM t", {"id": {"text"}}),
        ("SELECT CASE x WHEN 1 THEN y ELSE id END AS cat FROM t", {"y": {"text"}, "id": {"text"}}),
        (
            "SELECT CAST(id AS STRING) AS id, CAST(x AS FLOAT64) AS x, SAFE_CAST(y AS INT64) AS y FROM t",
            {"id": {"written"}},
        ),
        ("SELECT IF(cat = '1.10', 1, 0) AS x, COALESCE(y, 'no') AS z FROM t", {"cat": {"compared"}, "y": {"compared"}}),
        ("SELECT 1 AS z FROM t WHERE x IN ('1', '2') AND id > 3", {"x": {"compared"}}),
        ("SELECT CASE day WHEN '3' THEN 1 END AS z FROM t", {"day": {"compared"}}),
        (
            "SELECT UPPER(x) AS z, CONCAT('a', y) AS w, PARSE_DATE('%d', day) AS day FROM t",
            {n: {"text"} for n in ("x", "y", "day")},
        ),
        ("SELECT t.`device.category` AS cat FROM t", {"device.category": {"text"}}),
        ("SELECT device.category AS cat FROM t", {"device.category": {"text"}}),
        ("SELECT x * 2 AS x, SUM(y) AS y, ABS(id) AS z FROM t", {}),
        ("SELECT a.x AS cat FROM other AS a JOIN t ON a.id = t.id", {}),
    ],
)
def test_uses(sql, uses):
    assert uses_in(sql) == uses
