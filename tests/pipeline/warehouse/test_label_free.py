from pathlib import Path

import pytest

import schema
from pipeline.warehouse.label_free import without_label


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT t.a, IF(t.z = 'yes', 1, 0) AS y FROM t -- the end", "SELECT t.a FROM t"),
        ("SELECT t.a, t.Y FROM t", "SELECT t.a FROM t"),
        ("SELECT t.a, t.z AS y FROM t WHERE t.z IS NOT NULL", "SELECT t.a FROM t"),
        ("SELECT t.a, t.z AS y FROM t WHERE t.z IN (0, 1) AND t.a > 0", "SELECT t.a FROM t WHERE t.a > 0"),
        ("SELECT t.a, t.a > 1 AS y FROM t WHERE t.a > 0", "SELECT t.a FROM t WHERE t.a > 0"),
        ("SELECT t.a, t.z AS y FROM t WHERE RAND() < 2", "SELECT t.a FROM t WHERE RAND() < 2"),
        ("SELECT t.*, t.z > 1 AS y FROM t", "SELECT t.* FROM t"),
    ],
)
def test_the_label_and_the_conditions_on_it_alone_are_left_out(query, expected):
    assert without_label(query, "y") == expected


def test_a_query_that_does_not_make_the_label_itself_stays_as_it_is():
    for query in ("SELECT * FROM t  -- all", "SELECT a FROM t UNION ALL SELECT a FROM u"):
        assert without_label(query, "y") == query


def test_the_query_of_the_sessions():
    query = Path(schema.ROOT, "online_shoppers", "query.sql").read_text()
    assert "Revenue" in query and "Revenue" not in without_label(query, "purchased")
