"""The translation of each construct in use, run on DuckDB against what BigQuery documents."""

import datetime
import math

import duckdb
import pytest
import sqlglot

from pipeline.warehouse.dialect import check_identifier, one_statement, parameter_type, to_bigquery, to_duckdb
from pipeline.warehouse.interface import Query, WarehouseError

SALTED = "MOD(CAST(CONCAT('0x', SUBSTR(TO_HEX(MD5(CONCAT('v1:', 'u1'))), 1, 15)) AS INT64), 100)"


def as_is(name):
    return (name,)


def in_project(name):
    return ("my-project", "my_data", name)


def duckdb_value(sql, **parameters):
    statement = to_duckdb(Query(sql, parameters), as_is)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(statement.sql, dict(statement.parameters)).fetchall()[0][0]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 7 / 2", 3.5),
        ("SELECT DIV(-7, 2)", -3),
        ("SELECT MOD(-7, 3)", -1),
        ("SELECT SAFE_DIVIDE(1, 0)", None),
        ("SELECT 86400 * 1000000 * 30", 2_592_000_000_000),
        ("SELECT 0.1 + 0.2", 0.1 + 0.2),
        ("SELECT IF(NULL, 1, 2)", 2),
        ("SELECT COUNTIF(x > 1) FROM UNNEST([CAST(NULL AS INT64)]) AS x", 0),
        ("SELECT COUNTIF(x > 1) FROM (SELECT 1 AS x) AS t WHERE FALSE", 0),
        ("SELECT MAX_BY(x, y) FROM (SELECT 'a' AS x, 1 AS y UNION ALL SELECT NULL, 2) AS t", None),
        ("SELECT GREATEST(1, NULL)", None),
        ("SELECT CONCAT('a', NULL)", None),
        ("SELECT DATE_SUB(DATE '2024-03-10', INTERVAL 10 DAY)", datetime.date(2024, 2, 29)),
        ("SELECT DATE_ADD(DATE '2024-02-28', INTERVAL 2 DAY)", datetime.date(2024, 3, 1)),
        ("SELECT DATE_TRUNC(DATE '2024-03-13', MONTH)", datetime.date(2024, 3, 1)),
        ("SELECT DATE_TRUNC(DATE '2024-03-13', WEEK)", datetime.date(2024, 3, 10)),
        ("SELECT DATE_TRUNC(DATE '2024-03-13', WEEK(MONDAY))", datetime.date(2024, 3, 11)),
        ("SELECT DATE_FROM_UNIX_DATE(19792)", datetime.date(2024, 3, 10)),
        ("SELECT DATE_DIFF(DATE '2024-03-10', DATE '2024-03-01', DAY)", 9),
        ("SELECT UNIX_DATE(PARSE_DATE('%Y%m%d', '20240310'))", 19792),
        ("SELECT FORMAT_DATE('%Y%m%d', DATE '2024-03-10')", "20240310"),
        ("SELECT MOD(UNIX_DATE(DATE '2024-03-10') + 4, 7)", 0),
        ("SELECT EXTRACT(ISOWEEK FROM DATE '2024-01-07')", 1),
        ("SELECT UNIX_MICROS(TIMESTAMP_MICROS(1710028800123456))", 1710028800123456),
        ("SELECT EXTRACT(HOUR FROM TIMESTAMP_MICROS(1710028800000000) AT TIME ZONE 'America/New_York')", 19),
        ("SELECT EXTRACT(HOUR FROM DATETIME(TIMESTAMP_MICROS(1710028800000000), 'America/New_York'))", 19),
        ("SELECT DATE(TIMESTAMP_MICROS(1710028800000000), 'America/New_York')", datetime.date(2024, 3, 9)),
        ("SELECT TO_HEX(MD5('abc'))", "900150983cd24fb0d6963f7d28e17f72"),
        ("SELECT x FROM UNNEST([1, NULL, 2]) AS x ORDER BY x LIMIT 1", None),
        ("SELECT x FROM UNNEST([1, 3, 2]) AS x WHERE TRUE QUALIFY ROW_NUMBER() OVER (ORDER BY x DESC) = 1", 3),
        ("SELECT SUBSTR(MAX(CONCAT(CAST(y AS STRING), x)), 2) FROM (SELECT 'a' AS x, 1 AS y) AS t", "a"),
    ],
)
def test_duckdb_gives_what_bigquery_documents(sql, expected):
    assert duckdb_value(sql) == expected


# The expected values are those of ZetaSQL, the reference implementation of BigQuery's SQL.
@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        (0, 2, "he"),
        (0, None, "hello"),
        (1, 2, "he"),
        (-1, 2, "o"),
        (-5, 2, "he"),
        (-6, 2, "he"),
        (-9, 1, "h"),
        (6, 2, ""),
        (2, 0, ""),
        (None, 2, None),
    ],
)
def test_substr_from_the_start_the_end_and_beyond(start, length, expected):
    start_, length_ = ("NULL" if value is None else value for value in (start, length))
    more = "" if length is None else f", {length_}"
    assert duckdb_value(f"SELECT SUBSTR('hello', {start_}{more})") == expected
    row = f"(SELECT 'hello' AS s, CAST({start_} AS INT64) AS p, CAST({length_} AS INT64) AS n)"
    assert duckdb_value(f"SELECT SUBSTR(t.s, t.p{', t.n' if more else ''}) FROM {row} AS t") == expected


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("BOOL", {"true": True, "FALSE": False, "True": True, "yes": None, "1": None, "t": None, " true": None}),
        (
            "INT64",
            {
                **{"12": 12, " 12 ": 12, "+12": 12, "-12": -12, "00012": 12, "0x1F": 31, "9223372036854775808": None},
                **dict.fromkeys(("1.5", "1.", "1e3", "1_000", "1,000", "12abc", "", "nan", "true", "0b11"), None),
            },
        ),
        (
            "FLOAT64",
            {
                **{"1.5": 1.5, " .5": 0.5, "1.": 1.0, "1e3": 1000.0, "1E+3": 1000.0, "-inf": -math.inf},
                **{"Infinity": math.inf, "1e400": math.inf},
                **dict.fromkeys(("1_000", "1,000", "1.5.2", "1d", "1e", "", "true", "--1", "+ 1"), None),
            },
        ),
        (
            "DATE",
            {
                **{"2024-01-31": datetime.date(2024, 1, 31), "2024-1-5": datetime.date(2024, 1, 5)},
                **dict.fromkeys(("20240131", "2024/01/31", "2024-02-30", " 2024-01-31", "24-01-31"), None),
                **dict.fromkeys(("2024-01-31 10:00:00", "31.01.2024", "infinity", "epoch", "2024-01", ""), None),
            },
        ),
        (
            "DATETIME",
            {
                **{text: datetime.datetime(2024, 1, 31, 10) for text in ("2024-01-31 10:00:00", "2024-1-31T10:0:0")},
                "2024-01-31": datetime.datetime(2024, 1, 31),
                **dict.fromkeys(("2024-01-31 10:00", "2024-01-31 24:00:00", "2024-01-31 10:00:00+02", "epoch"), None),
            },
        ),
    ],
)
def test_casts_accept_the_texts_that_bigquery_accepts(kind, texts):
    for text, expected in texts.items():
        for operand in (f"'{text}'", f"t.s FROM (SELECT '{text}' AS s) AS t"):
            of, _, from_ = operand.partition(" FROM ")
            found = duckdb_value(f"SELECT SAFE_CAST({of} AS {kind})" + (f" FROM {from_}" if from_ else ""))
            assert (found, type(found)) == (expected, type(expected)), (text, operand)
        if expected is None and text != "9223372036854775808":
            with pytest.raises(duckdb.Error, match=f"CAST AS {kind}|out of range"):
                duckdb_value(f"SELECT CAST(t.s AS {kind}) FROM (SELECT '{text}' AS s) AS t")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT CAST(t.x AS INT64) FROM (SELECT 2.5 AS x) AS t", 3),
        ("SELECT CAST(-2.5 AS INT64)", -3),
        ("SELECT SAFE_CAST(CAST('nan' AS FLOAT64) AS INT64)", None),
        ("SELECT CAST(t.n AS INT64) FROM (SELECT 9007199254740993 AS n) AS t", 9007199254740993),
        ("SELECT CAST(5.0 AS STRING)", "5"),
        ("SELECT CAST(t.x AS STRING) FROM (SELECT 5.0 AS x) AS t", "5"),
        ("SELECT CAST(t.x AS STRING) FROM (SELECT 0.1 AS x) AS t", "0.1"),
        ("SELECT CAST(t.x AS STRING) FROM (SELECT 1e15 AS x) AS t", "1e+15"),
        ("SELECT CAST(1 / 3 AS STRING)", "0.33333333333333331"),
        ("SELECT CAST(t.n AS STRING) FROM (SELECT 5 AS n) AS t", "5"),
        ("SELECT CAST(TRUE AS STRING)", "true"),
        ("SELECT CAST(DATE '2024-01-05' AS STRING)", "2024-01-05"),
        ("SELECT CAST(TIMESTAMP_SECONDS(0) AS STRING)", "1970-01-01 00:00:00+00"),
        ("SELECT CAST(TIMESTAMP_MICROS(0) AS STRING)", "1970-01-01 00:00:00+00"),
        ("SELECT CAST(NUMERIC '1.50' AS STRING)", "1.5"),
        ("SELECT CAST(NUMERIC '0.1234' AS STRING)", "0.1234"),
        ("SELECT CAST(b'\\xc3\\xa9' AS STRING)", "é"),
        ("SELECT CAST(CAST(NULL AS STRING) AS INT64)", None),
        ("SELECT SPLIT('a,b,c', ',')[SAFE_OFFSET(n)] FROM UNNEST([1]) AS n", "b"),
        ("SELECT SPLIT('a,b,c', ',')[SAFE_OFFSET(-1)]", None),
        ("SELECT SPLIT('a,b,c', ',')[SAFE_ORDINAL(-1)]", None),
        ("SELECT SPLIT('a,b,c', ',')[SAFE_ORDINAL(n)] FROM UNNEST([3]) AS n", "c"),
        ("SELECT SPLIT('a,b,c', ',')[OFFSET(n)] FROM UNNEST([2]) AS n", "c"),
        ("SELECT INSTR('banana', 'an', 3)", 4),
        ("SELECT 'a_b' LIKE 'a\\\\_%'", True),
        ("SELECT 'axb' LIKE 'a\\\\_%'", False),
        ("SELECT BIT_COUNT(-1)", 64),
        ("SELECT EXTRACT(HOUR FROM TIMESTAMP_MICROS(7200000000))", 2),
        ("SELECT EXTRACT(HOUR FROM TIMESTAMP '2024-01-05 03:04:05+02')", 1),
        ("SELECT EXTRACT(MILLISECOND FROM DATETIME '2024-01-05 03:04:05.678901')", 678),
        ("SELECT DATE_TRUNC(DATE '2024-01-05', ISOWEEK)", datetime.date(2024, 1, 1)),
        ("SELECT DATE_TRUNC(DATE '2021-01-03', ISOYEAR)", datetime.date(2019, 12, 30)),
        ("SELECT FORMAT_DATE('%d.%m.%y %a %j %%', DATE '2024-01-05')", "05.01.24 Fri 005 %"),
        ("SELECT FORMAT_DATETIME('%F %T', DATETIME '2024-01-05 03:04:05')", "2024-01-05 03:04:05"),
        ("SELECT PARSE_DATE('%d/%m/%Y', '5/1/2024')", datetime.date(2024, 1, 5)),
        ("SELECT PARSE_DATE('%d/%m', '5/2')", datetime.date(1970, 2, 5)),
        ("SELECT PARSE_DATE('%d %b', REGEXP_REPLACE('5-Jan-', r'-', ' '))", datetime.date(1970, 1, 5)),
        ("SELECT PARSE_DATE('%d %b %Y', REGEXP_REPLACE('5-Jan-2024', r'-', ' '))", datetime.date(2024, 1, 5)),
        ("SELECT SAFE.PARSE_DATE('%d %b %Y', REGEXP_REPLACE('5-Jan-2024', r'-', ' '))", datetime.date(2024, 1, 5)),
        ("SELECT SAFE.PARSE_DATE('%d.%m.%Y', '30.02.2024')", None),
        ("SELECT SAFE.PARSE_DATE('%d.%m.%y', 'x')", None),
        ("SELECT SAFE.PARSE_DATE('%d.%m', '05.02.')", None),
    ],
)
def test_values_are_those_of_bigquery(sql, expected):
    found = duckdb_value(sql)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SUBSTR('hello', 2, -1)",
        "SELECT LEFT('hello', -1)",
        "SELECT RIGHT('hello', n) FROM UNNEST([-1]) AS n",
        "SELECT REPEAT('a', -1)",
        "SELECT LPAD('abc', -1, 'x')",
        "SELECT SPLIT('a,b,c', ',')[OFFSET(9)]",
        "SELECT SPLIT('a,b,c', ',')[ORDINAL(0)]",
        "SELECT MOD(5, n) FROM UNNEST([0]) AS n",
        "SELECT DIV(5, 0)",
        "SELECT CAST('5.0' AS INT64)",
        "SELECT CAST('yes' AS BOOL)",
    ],
)
def test_what_is_an_error_on_bigquery_is_one_on_duckdb(sql):
    with pytest.raises(duckdb.Error):
        duckdb_value(sql)


def test_split_bucket_is_that_of_hashlib():
    import hashlib

    assert duckdb_value(f"SELECT {SALTED}") == int(hashlib.md5(b"v1:u1").hexdigest()[:15], 16) % 100


def test_parameters_keep_their_type():
    assert duckdb_value("SELECT @n * 86400 * 1000000", n=30) == 2_592_000_000_000
    assert duckdb_value("SELECT COUNT(*) FROM UNNEST(@days) AS day", days=[]) == 0
    assert duckdb_value("SELECT 'b' IN UNNEST(@names)", names=["a", "b"]) is True
    day = datetime.date(2024, 3, 10)
    assert duckdb_value("SELECT DATE_SUB(@day, INTERVAL @n DAY)", day=day, n=10) == datetime.date(2024, 2, 29)
    zone = "America/New_York"
    hour = "EXTRACT(HOUR FROM DATETIME(TIMESTAMP_MICROS(@t), @zone))"
    assert duckdb_value(f"SELECT {hour}", t=1710028800000000, zone=zone) == 19


def test_only_used_parameters_are_passed_and_all_must_be_given():
    assert dict(to_duckdb(Query("SELECT @a", {"a": 1, "b": 2}), as_is).parameters) == {"a": 1}
    with pytest.raises(WarehouseError, match="@c, which has no value; parameters here: @a"):
        to_bigquery(Query("SELECT @c", {"a": 1}), as_is)


def test_parameter_types():
    day = datetime.date(2024, 1, 1)
    values = {"BOOL": True, "INT64": 1, "FLOAT64": 0.5, "STRING": "x", "DATE": day, "ARRAY<DATE>": [day]}
    assert [parameter_type("p", value) for value in values.values()] == list(values)
    assert parameter_type("p", []) == parameter_type("p", ("x",)) == "ARRAY<STRING>"
    for unfit in ([1], [day, "x"], None, datetime.datetime(2024, 1, 1)):
        with pytest.raises(WarehouseError, match="@p"):
            parameter_type("p", unfit)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("DELETE FROM t WHERE TRUE", "found DELETE"),
        ("DROP TABLE t", "found DROP"),
        ("CREATE TABLE x AS SELECT 1", "found CREATE"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("DECLARE x INT64; SELECT 1", "2 statements"),
        ("", "0 statements"),
        ("SELEC 1", "line 1"),
        ("SELECT ?", "named parameters"),
        ("SELECT @@error.message", "named parameters"),
        ("SELECT * FROM other.t", "'other.t'; write its last part only"),
        ("SELECT * FROM `project.other.t`", "write its last part only"),
        ("SELECT * FROM read_csv('/etc/passwd')", "table function"),
        ("SELECT * FROM `a b`", "not an identifier"),
    ],
)
def test_refused_on_both(sql, problem):
    for translate in (to_bigquery, to_duckdb):
        with pytest.raises(WarehouseError, match=problem):
            translate(Query(sql), as_is)


@pytest.mark.parametrize(
    ("sql", "construct"),
    [
        ("SELECT EXTRACT(DAYOFWEEK FROM d) FROM t", r"MOD\(UNIX_DATE\(d\) \+ 4, 7\)"),
        ("SELECT EXTRACT(WEEK FROM d) FROM t", "ISOWEEK"),
        ("SELECT TIMESTAMP_DIFF(a, b, HOUR) FROM t", "UNIX_MICROS"),
        ("SELECT o FROM UNNEST([1]) AS x WITH OFFSET AS o", "WITH OFFSET"),
        ("SELECT FORMAT_DATE('%e', d) FROM t", "FORMAT_DATE with the element %e"),
        ("SELECT FORMAT_DATE('%H:%M', d) FROM t", "FORMAT_DATE with the element %H, %M"),
        ("SELECT FORMAT_DATE(f, d) FROM t", "format that is not a literal"),
        ("SELECT FORMAT_TIMESTAMP('%z', x) FROM t", "FORMAT_TIMESTAMP with the element %z"),
        ("SELECT FORMAT_DATETIME('%E3S', x) FROM t", "FORMAT_DATETIME with the element %E3S"),
        ("SELECT PARSE_DATE('%s', x) FROM t", "PARSE_DATE with the element %s"),
        ("SELECT PARSE_DATETIME('%z', x) FROM t", "PARSE_DATETIME with the element %z"),
        ("SELECT PARSE_TIMESTAMP('%F', x, 'UTC') FROM t", "PARSE_TIMESTAMP with a time zone"),
        ("SELECT FORMAT('%d', x) FROM t", "FORMAT; write CONCAT"),
        ("SELECT INSTR(s, x, -1) FROM t", "INSTR"),
        ("SELECT INSTR(s, x, n) FROM t", "INSTR"),
        ("SELECT INSTR(s, x, 1, 2) FROM t", "INSTR"),
        ("SELECT TIMESTAMP_TRUNC(x, HOUR, 'Asia/Kolkata') FROM t", "DATETIME_TRUNC"),
        ("SELECT EXTRACT(WEEK(MONDAY) FROM d) FROM t", r"EXTRACT\(WEEK\(MONDAY\)"),
        ("SELECT FORMAT_TIMESTAMP('%H', x, 'UTC') FROM t", "FORMAT_TIMESTAMP"),
        ("SELECT DATETIME(d, x) FROM t", "DATETIME"),
        ("SELECT MOD(x, 2) AS x, COUNT(*) AS n FROM t GROUP BY x", "GROUP BY 'x'"),
        ("SELECT ARRAY_AGG(x ORDER BY y LIMIT 1) FROM t", "LIMIT inside ARRAY_AGG"),
        ("SELECT APPROX_TOP_COUNT(x, 1) FROM t", "DuckDB does not have"),
    ],
)
def test_what_duckdb_would_understand_differently_is_refused_there(sql, construct):
    with pytest.raises(WarehouseError, match=construct):
        to_duckdb(Query(sql), as_is)
    assert to_bigquery(Query(sql), as_is).sql == sql.replace("FROM t", "FROM `t`")


def test_division_by_zero_is_an_error_as_on_bigquery():
    with pytest.raises(duckdb.Error, match="division by zero"):
        duckdb_value("SELECT 1 / x FROM (SELECT 0 AS x) AS t")


def test_tables_are_named_in_full_and_common_tables_are_not():
    sql = """
        WITH sessions AS (SELECT * FROM sessions), later AS (SELECT * FROM sessions)
        SELECT l.x FROM later AS l JOIN (WITH inner_one AS (SELECT 1 AS x) SELECT x FROM inner_one) AS i USING (x)
        WHERE EXISTS (SELECT 1 FROM sessions) AND l.x IN (SELECT x FROM inner_one)
    """
    translated = to_bigquery(Query(sql), in_project).sql
    assert translated.count("`my-project.my_data.") == 2
    assert "AS (SELECT * FROM `my-project.my_data.sessions`), later" in translated
    assert "(SELECT x FROM `my-project.my_data.inner_one`)" in translated


def test_bigquery_gets_the_query_unchanged_but_for_tables():
    sql = (
        "SELECT e.x, -- of `events_*`\n  EXTRACT(HOUR FROM TIMESTAMP_MICROS(e.t) AT TIME ZONE @zone) AS hour\n"
        "FROM `events_*` AS e, UNNEST(e.items) AS i CROSS JOIN e.event_params AS p\n"
        "WHERE e._TABLE_SUFFIX IN UNNEST(@table_suffixes) AND e.d >= DATE_SUB(@day, INTERVAL @n DAY);"
    )
    given = {"zone": "UTC", "table_suffixes": ["20240101"], "day": datetime.date(2024, 1, 1), "n": 1}
    statement = to_bigquery(Query(sql, given), in_project)
    assert statement.sql == sql.replace("FROM `events_*` AS", "FROM `my-project.my_data.events_*` AS").replace(";", "")
    named = sql.replace("FROM `events_*` AS", "FROM `my-project.my_data.events_*` AS")
    assert sqlglot.parse_one(statement.sql, read="bigquery").sql() == sqlglot.parse(named, read="bigquery")[0].sql()


def test_event_parameters_are_looked_up_without_a_join():
    for lookup in (
        "(SELECT ep.value.int_value FROM UNNEST(e.params) AS ep WHERE ep.key = 'b')",
        "(SELECT value.int_value FROM UNNEST(params) WHERE key = @name LIMIT 1)",
        "(SELECT COALESCE(ep.value.int_value, 9) FROM UNNEST(params) AS ep WHERE ep.key = e.wanted)",
    ):
        sql = (
            f"SELECT {lookup} AS x FROM (SELECT 'b' AS wanted, [STRUCT('a' AS key, STRUCT(1 AS int_value) AS value), "
            "STRUCT('b' AS key, STRUCT(2 AS int_value) AS value)] AS params) AS e"
        )
        assert "LIST_FILTER" in to_duckdb(Query(sql, {"name": "b"}), as_is).sql
        assert duckdb_value(sql, name="b") == 2
        assert (
            duckdb_value(sql.replace("'b'", "'c'").replace("STRUCT('c' AS key", "STRUCT('d' AS key"), name="c") is None
        )


def test_other_subqueries_are_left_alone():
    lookup = "(SELECT MAX(p.v) FROM UNNEST(e.l) AS p WHERE p.k = 1)"
    sql = f"SELECT {lookup} AS x FROM (SELECT [STRUCT(1 AS k, 5 AS v)] AS l) AS e"
    assert "LIST_FILTER" not in to_duckdb(Query(sql), as_is).sql
    assert duckdb_value(sql) == 5


def test_one_statement_loses_its_semicolon_only():
    assert one_statement("SELECT ';' AS x ; -- done;\n") == "SELECT ';' AS x  -- done;"


@pytest.mark.parametrize("name", ["a b", "1a", "a;b", 'a"b', "a`b", "", "é"])
def test_identifiers_are_checked(name):
    with pytest.raises(WarehouseError, match="not an identifier"):
        check_identifier(name)


def test_a_table_that_is_read_often_is_looked_up_once():
    asked = []
    sql = " UNION ALL ".join(["SELECT x FROM t"] * 5)
    to_duckdb(Query(sql), lambda name: asked.append(name) or (name,))
    assert asked == ["t"]
