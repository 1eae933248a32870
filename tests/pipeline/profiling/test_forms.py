"""Every form: which texts it reads, on DuckDB and by its pattern in Python, and what the SQL makes of them."""

import datetime

import duckdb
import pytest
import sqlglot

from pipeline.profiling.forms import SAME_VALUE, Form, Kind, kind_of, looks_like, reads_as, value_sql
from pipeline.warehouse.dialect import parse_select, to_duckdb
from pipeline.warehouse.interface import Query

DAY = datetime.date(2025, 1, 31)
THIRD = datetime.date(2025, 1, 3)
NONE = object()  # the text is none of the form

TEXTS = {
    Form.INTEGER: {
        **{"12": 12, "-3": -3, "+4": 4, " 5 ": 5, "0": 0, "9223372036854775807": 2**63 - 1},
        **dict.fromkeys(("9223372036854775808", "007", "1.0", "", "1e3", "0x1F", "1_000"), NONE),
    },
    Form.NUMBER: {
        **{"1.5": 1.5, ".5": 0.5, "5.": 5.0, "1e-3": 0.001, "1E5": 1e5, "-0.25": -0.25, " 2.5 ": 2.5, "12": 12.0},
        **dict.fromkeys(("007", "12345678901234567890", "1,5", "1.2.3", "nan", "inf", "-", "1e", "."), NONE),
    },
    Form.BOOLEAN: {"true": True, "FALSE": False, "True": True, "yes": NONE, "1": NONE, "t": NONE, " true": NONE},
    Form.DATE_ISO: {
        "2025-01-31": DAY,
        "2025-1-31": DAY,
        "2025-02-30": NONE,
        "2025-01-31 10:00": NONE,
        "25-01-31": NONE,
    },
    Form.TIMESTAMP_ISO: {
        **dict.fromkeys(("2025-01-31T10:00:00Z", "2025-01-31 10:00", "2025-01-31 23:59:59.123+02:00"), DAY),
        **dict.fromkeys(("2025-01-31", "2025-02-30 10:00:00", "2025-01-31 25:00", "2025-01-31 10:61"), NONE),
    },
    Form.DATE_COMPACT: {"20250131": DAY, "20250230": NONE, "2025131": NONE, "99999999": NONE, "2025-01-31": NONE},
    Form.DATE_DMY_DOTS: {"31.1.2025": DAY, "31.01.2025": DAY, "1.31.2025": NONE, "31.01.25": NONE, "30.02.2025": NONE},
    Form.DATE_DMY_SLASHES: {"31/1/2025": DAY, "1/31/2025": NONE, "31/01/25": NONE, "31-01-2025": NONE},
    Form.DATE_MDY_SLASHES: {"1/31/2025": DAY, "01/31/2025": DAY, "31/1/2025": NONE, "1/31/25": NONE},
    Form.DATE_DMY_DASHES: {"31-1-2025": DAY, "1-31-2025": NONE, "31-1-25": NONE},
    Form.DATE_MDY_DASHES: {"1-31-2025": DAY, "31-1-2025": NONE},
    Form.DATE_YMD_SLASHES: {"2025/01/31": DAY, "2025/1/31": DAY, "2025/31/1": NONE, "25/1/31": NONE},
    Form.DATE_MDY_DOTS: {"1.31.2025": DAY, "31.1.2025": NONE},
    Form.DATE_YMD_DOTS: {"2025.1.31": DAY, "2025.31.1": NONE},
    Form.DATE_DMY_NAMES: {
        **dict.fromkeys(("31 Jan 2025", "31-Jan-2025", "31-JAN-2025", "31 January 2025", "31 jan. 2025"), DAY),
        "3-Sept-2025": datetime.date(2025, 9, 3),
        **dict.fromkeys(("31 Feb 2025", "31 Foo 2025", "31 Jan 25", "Jan 31 2025"), NONE),
    },
    Form.DATE_MDY_NAMES: {
        **dict.fromkeys(("January 31, 2025", "Jan 31 2025", "Jan. 31st, 2025", "JAN 31, 2025"), DAY),
        **dict.fromkeys(("31 Jan 2025", "February 30, 2025", "Jan 31, 25"), NONE),
    },
    Form.DATE_DMY_DOTS_YY: {"31.1.25": DAY, "31.1.2025": NONE, "1.31.25": NONE, "1.1.69": datetime.date(1969, 1, 1)},
    Form.DATE_DMY_SLASHES_YY: {"31/1/25": DAY, "1/31/25": NONE, "1/1/68": datetime.date(2068, 1, 1)},
    Form.DATE_MDY_SLASHES_YY: {"1/31/25": DAY, "31/1/25": NONE},
    Form.DATE_DMY_DASHES_YY: {"31-1-25": DAY, "1-31-25": NONE},
    Form.DATE_MDY_DASHES_YY: {"1-31-25": DAY, "31-1-25": NONE},
    Form.DATE_YMD_SLASHES_YY: {"25/1/31": DAY, "31/1/25": datetime.date(2031, 1, 25), "25/31/1": NONE},
    Form.DATE_YMD_DASHES_YY: {"25-1-31": DAY, "2025-1-31": NONE},
    Form.DATE_YMD_DOTS_YY: {"25.1.31": DAY, "25.31.1": NONE},
    Form.DATE_DMY_NAMES_YY: {"31-Jan-25": DAY, "31 January 25": DAY, "31-Jan-2025": NONE, "31-Feb-25": NONE},
    Form.TIMESTAMP_DMY_DOTS: {"31.01.2025 23:59": DAY, "31.1.2025, 9:05:00": DAY, "31.01.2025": NONE},
    Form.TIMESTAMP_DMY_SLASHES: {"31/01/2025 23:59:59": DAY, "1/31/2025 10:00": NONE, "31/01/2025 24:00": NONE},
    Form.TIMESTAMP_MDY_SLASHES: {"1/31/2025 2:05 PM": DAY, "1/31/2025 14:05": DAY, "31/1/2025 10:00": NONE},
    Form.TIMESTAMP_DMY_DASHES: {"31-01-2025 10:00": DAY, "01-31-2025 10:00": NONE},
    Form.TIMESTAMP_MDY_DASHES: {"01-31-2025 10:00": DAY, "31-01-2025 10:00": NONE},
    Form.TIMESTAMP_YMD_SLASHES: {"2025/01/31 10:00": DAY, "2025/01/31T10:00": DAY, "2025/13/31 10:00": NONE},
    Form.MONTH_ISO: {"2025-01": datetime.date(2025, 1, 1), "2025-13": NONE, "2025-1": NONE},
    Form.MONTH_COMPACT: {"202501": datetime.date(2025, 1, 1), "202513": NONE, "20250": NONE},
    Form.TIME: {"10:30": "10:30", "9:05:00": "9:05:00", "10:30 pm": "10:30 pm", "25:00": NONE, "10:60": NONE},
    Form.THOUSANDS_COMMA: {
        **{"1,234": 1234.0, "-1,234.5": -1234.5, "1,234,567": 1234567.0, "999": 999.0, "0.5": 0.5},
        **dict.fromkeys(("12,5", "1,2345", "1234,567", "1.234,5", "0,123", "01,234"), NONE),
    },
    Form.DECIMAL_COMMA: {
        **{"12,5": 12.5, "-0,25": -0.25, "1234,5": 1234.5, "13": 13.0, "1,234": 1.234},
        **dict.fromkeys(("1.234,5", "1,2,3", "1.5", "007,5"), NONE),
    },
    Form.THOUSANDS_DOT: {
        **{"1.234,5": 1234.5, "1.234": 1234.0, "1.234.567": 1234567.0, "0,5": 0.5, "13": 13.0},
        **dict.fromkeys(("1.5", "1,234.5", "12.34,5"), NONE),
    },
    Form.THOUSANDS_SPACE: {
        **{"1 234,5": 1234.5, "1\u00a0234": 1234.0, "1\u202f234.5": 1234.5, "13": 13.0},
        **dict.fromkeys(("1 23", "12 34,5", "1  234"), NONE),
    },
    Form.THOUSANDS_APOSTROPHE: {"1'234.5": 1234.5, "1\u2019234": 1234.0, "13": 13.0, "1'23": NONE},
    Form.PERCENT: {"12 %": 12.0, "12.5%": 12.5, "-3%": -3.0, "12": NONE, "12,5%": NONE, "%": NONE},
    Form.PERCENT_COMMA: {"12,5 %": 12.5, "3%": 3.0, "12.5%": NONE},
    Form.CURRENCY: {
        **{"$12": 12.0, "$1,234.50": 1234.5, "-$5": -5.0, "12 \u20ac": 12.0, "USD 12": 12.0, "1,234 EUR": 1234.0},
        **{"\u20a91,000": 1000.0, "1,234\u20ac": 1234.0},
        **dict.fromkeys(("12", "ABC12", "$1.234,50", "$", "$1,23"), NONE),
    },
    Form.CURRENCY_COMMA: {
        **{"12,50 \u20ac": 12.5, "1.234,50 EUR": 1234.5, "\u20ac 5": 5.0},
        **dict.fromkeys(("12,50", "$1,234.50"), NONE),
    },
    Form.LEADING_ZEROS: {"007": "007", "12": "12", "7a": NONE, "0.7": NONE},
    Form.WIDE_INTEGER: {"12345678901234567890": "12345678901234567890", "12": "12", "007": NONE},
    Form.EMAIL: {"a.b@c.de": "a.b@c.de", "a@b": NONE, "a b@c.de": NONE},
    Form.UUID: {
        "123e4567-e89b-12d3-a456-426614174000": "123e4567-e89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-42661417400": NONE,
    },
    Form.IP_ADDRESS: {"10.0.0.1": "10.0.0.1", "10.0.0": NONE, "2001:db8:0:0:0:0:0:1": "2001:db8:0:0:0:0:0:1"},
    Form.URL: {"https://a.b/c?d=1": "https://a.b/c?d=1", "a.b/c": NONE},
}
CASES = [(form, text, value) for form, texts in TEXTS.items() for text, value in texts.items()]


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        yield opened


def on_duckdb(connection, sql, text):
    statement = to_duckdb(Query(f"SELECT {sql} AS x FROM (SELECT @text AS s) AS t", {"text": text}), lambda n: (n,))
    return connection.execute(statement.sql, dict(statement.parameters)).fetchall()[0][0]


def test_every_form_has_texts():
    assert set(TEXTS) == set(Form)


@pytest.mark.parametrize(("form", "text", "value"), CASES, ids=lambda item: getattr(item, "name", None))
def test_a_form_reads_its_texts_alone(connection, form, text, value):
    reads = on_duckdb(connection, reads_as(form, "t.s"), text)
    assert bool(reads) is (value is not NONE)
    if reads:
        assert looks_like(form, text)  # else the form would not be counted
        found = on_duckdb(connection, value_sql(form, "t.s"), text)
        assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("form", [form for form in Form if kind_of(form) in (Kind.DATE, Kind.BOOLEAN)])
def test_what_is_no_date_and_no_truth_value_fails(connection, form):
    for text in ("abc", "", "12.5"):
        with pytest.raises(duckdb.Error):
            on_duckdb(connection, value_sql(form, "t.s"), text)


@pytest.mark.parametrize("form", [form for form in Form if kind_of(form) is Kind.NUMBER])
def test_what_is_no_number_fails(connection, form):
    for text in ("abc", "1.2.3,4", "-", "1,2,3.4.5"):
        with pytest.raises(duckdb.Error):
            on_duckdb(connection, value_sql(form, "t.s"), text)


@pytest.mark.parametrize("form", list(Form))
def test_a_missing_value_stays_missing(connection, form):
    assert on_duckdb(connection, value_sql(form, "NULLIF(t.s, '?')"), "?") is None
    assert not on_duckdb(connection, reads_as(form, "NULLIF(t.s, '?')"), "?")


@pytest.mark.parametrize("form", list(Form))
def test_the_sql_is_one_expression_of_bigquery(form):
    sql = f"SELECT {value_sql(form, 't.s')} AS x FROM t WHERE {reads_as(form, 't.s')}"
    parse_select(sql)
    assert sqlglot.parse_one(sql, read="bigquery").find(sqlglot.exp.Anonymous) is None  # no function it does not know


def test_a_form_that_covers_another_gives_the_same_values(connection):
    for form, covered in SAME_VALUE.items():
        for text, value in TEXTS[form].items():
            for other in covered:
                if value is NONE or kind_of(other) is not Kind.NUMBER:
                    continue
                if on_duckdb(connection, reads_as(other, "t.s"), text):
                    assert on_duckdb(connection, value_sql(other, "t.s"), text) == pytest.approx(value)
