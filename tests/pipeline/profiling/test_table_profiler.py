"""The profile of small tables, through DuckDB: each fact against a value by hand."""

import dataclasses
import datetime
import decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.examples.leakage import ranking_auc
from pipeline.profiling import association, source, texts
from pipeline.profiling.forms import Form
from pipeline.profiling.profile import QUANTILES, Association, Dates, Day, Frequency, Lengths
from pipeline.profiling.table_profiler import TableProfiler
from pipeline.settings.dataset import TableSource
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.dialect import to_bigquery
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import Query

SETTINGS = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)


@pytest.fixture
def profiler(tmp_path):
    """Opens a profiler over a file of this text."""
    opened = []

    def open_text(text, name="rows.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        opened.append(DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows")))
        return TableProfiler(opened[-1], str(path), "rows", is_text=True)

    yield open_text
    for warehouse in opened:
        warehouse.close()


def column(profiler, *cells):
    """The profile of a column of these cells."""
    lines = [f'{number},"{cell}"' for number, cell in enumerate(cells)]
    return profiler("\n".join(["n,x", *lines, ""])).profile().column("x")


def test_counts_and_lengths(profiler):
    found = column(profiler, "a", "bb", "bb", "", "NULL", "dddd")
    assert (found.type, found.filled, found.distinct) == ("STRING", 4, 3)
    assert found.lengths == Lengths(shortest=1, mean=2.25, longest=4)
    assert found.forms == {} and found.form is None


def test_values_are_the_most_frequent_first(profiler):
    found = column(profiler, "b", "a", "c", "c", "a", "c", "b", "b", "b")
    assert found.values == (Frequency("b", 4), Frequency("c", 3), Frequency("a", 2))


def test_two_readings_of_a_date_are_both_seen(profiler):
    found = column(profiler, "1/2/2025", "3/4/2025", "5/6/2025", "5/6/2025")
    assert found.form is Form.DATE_DMY_SLASHES
    assert found.forms == {Form.DATE_DMY_SLASHES: 4, Form.DATE_MDY_SLASHES: 4}
    assert found.dates == Dates(datetime.date(2025, 2, 1), datetime.date(2025, 6, 5), 3)


def test_days(profiler):
    text = "d,y\n2025-01-02,yes\n2025-01-01,no\n2025-01-02,no\n,yes\n"
    day = datetime.date(2025, 1, 1)
    assert profiler(text).days("CAST(t.d AS DATE)", "t.y = 'yes'") == [
        Day(day, 1, 0),
        Day(day + datetime.timedelta(1), 2, 1),
    ]


def table_of(profiler, columns):
    """The profiler of a CSV file with these columns of cells, None being missing."""
    lines = [",".join(columns)]
    for row in zip(*columns.values(), strict=True):
        lines.append(",".join("" if cell is None else f'"{cell}"' for cell in row))
    return profiler("\n".join([*lines, ""]))


def test_numbers_against_numpy(profiler):
    values = np.random.default_rng(1).normal(size=4000).round(2) * 10
    values[:50] = 0
    texts = [f"{value:.1f}".replace(".", ",") for value in values]
    found = table_of(profiler, {"n": range(4000), "x": texts}).profile().column("x")
    assert found.form is Form.DECIMAL_COMMA
    numbers = found.numbers
    assert (numbers.quantiles[0], numbers.quantiles[-1]) == (values.min(), values.max())
    assert np.allclose(numbers.quantiles, np.quantile(values, QUANTILES), atol=0.3)
    assert numbers.mean == pytest.approx(values.mean(), abs=1e-9)
    assert numbers.negative == (values < 0).sum()
    assert numbers.zero == (values == 0).sum()
    assert numbers.whole == (values == np.trunc(values)).sum()


@pytest.mark.parametrize(
    ("cells", "form", "forms"),
    [
        (
            ["1,234", "5,678"],
            Form.THOUSANDS_COMMA,
            {Form.THOUSANDS_COMMA, Form.DECIMAL_COMMA, Form.THOUSANDS_DOT, Form.THOUSANDS_SPACE},
        ),
        (["1,234", "5,678.5"], Form.THOUSANDS_COMMA, {Form.THOUSANDS_COMMA}),
        (["1.234", "5.678"], Form.NUMBER, {Form.NUMBER, Form.THOUSANDS_DOT}),
        (["12", "13"], Form.INTEGER, {Form.INTEGER}),
        (["007", "12"], Form.LEADING_ZEROS, {Form.LEADING_ZEROS}),
        (["12345678901234567890", "12"], Form.WIDE_INTEGER, {Form.WIDE_INTEGER}),
        (["20250131", "20250201"], Form.INTEGER, {Form.INTEGER, Form.DATE_COMPACT}),
        (["31.01.2025", "01.02.2025"], Form.DATE_DMY_DOTS, {Form.DATE_DMY_DOTS}),
        (["01.02.25", "02.03.25"], Form.DATE_DMY_DOTS_YY, {Form.DATE_DMY_DOTS_YY, Form.DATE_YMD_DOTS_YY}),
        (["1e5", "abc"], None, set()),
        (["True", "FALSE"], Form.BOOLEAN, {Form.BOOLEAN}),
    ],
)
def test_every_reading_of_a_column_is_seen(profiler, cells, form, forms):
    found = column(profiler, *cells)
    assert found.form is form
    assert {f for f, rows in found.forms.items() if rows == len(cells)} == forms


def test_texts_that_stand_for_missing_are_no_reading(profiler):
    found = column(profiler, "12,5", "-", "?", "-", "Unknown", "3,25", " ")
    assert found.missing_like == {"-": 2, "?": 1, "Unknown": 1, " ": 1}
    assert (found.filled, found.form, found.forms[Form.DECIMAL_COMMA]) == (7, Form.DECIMAL_COMMA, 2)
    assert found.numbers.quantiles[0], found.numbers.quantiles[-1] == (3.25, 12.5)


def test_missing_texts_are_found_among_many_values(profiler):
    cells = [f"{number}.5" for number in range(300)] + ["n/a"]
    found = column(profiler, *cells)
    assert found.missing_like == {"n/a": 1}
    assert (found.form, found.numbers.mean) == (Form.NUMBER, pytest.approx(150))


def test_the_first_odd_row_is_named(profiler):
    cells = [f"{number}" for number in range(100)]
    cells[70] = "seven"
    cells[30] = "-"
    found = column(profiler, *cells)
    assert (found.form, found.odd_row, found.forms[Form.INTEGER]) == (None, 72, 98)
    assert column(profiler, "a", "1", "b", "2").odd_row is None  # no form has most of the rows


def test_values_of_identifiers_are_not_listed(profiler):
    found = table_of(
        profiler,
        {
            "number": [f"{number + 10_000}" for number in range(60)],
            "mail": [f"u{number % 25}@example.org" for number in range(60)],
            "user_id": [f"u{number % 25}" for number in range(60)],
            "city": [f"c{number % 25}" for number in range(60)],
            "email_type": ["home", "work", "other"] * 20,
            "two": ["a", "b"] * 30,
        },
    ).profile()
    assert {c.name: (c.is_private, bool(c.values)) for c in found.columns} == {
        "number": (True, False),
        "mail": (True, False),
        "user_id": (True, False),
        "city": (False, True),
        "email_type": (False, True),
        "two": (False, True),
    }


def test_times_since_1970_are_seen(profiler):
    found = table_of(
        profiler,
        {
            "s": ["1700000000", "1700000001"],
            "ms": ["1700000000000", "1700000000001"],
            "small": ["17", "18"],
            "real": ["1700000000.5", "1700000001"],
        },
    ).profile()
    assert [c.epoch for c in found.columns] == ["seconds", "milliseconds", None, None]


AWKWARD = [
    "이름",
    "a b",
    'quo"te',
    "back`tick",
    "back\\slash",
    "k",
    "v",
    "e",
    "t",
    "s",
    "c0",
    "select",
    "it's",
    "x.y",
    "p",
]


def test_awkward_names(profiler):
    lines = [",".join('"' + name.replace('"', '""') + '"' for name in AWKWARD)]
    lines += [",".join(f"{(row + place) % 5}" for place in range(len(AWKWARD))) for row in range(100)]
    opened = profiler("\n".join([*lines, ""]))
    found = opened.profile()
    assert [c.name for c in found.columns] == AWKWARD
    for known in found.columns:
        assert (known.filled, known.distinct, known.form) == (100, 5, Form.INTEGER)
        assert known.values[0].rows == 20
    associations = opened.associations("t.k = '1'", AWKWARD)
    assert associations["k"].roc_auc == 1.0
    assert set(opened.renamings(found)) == set(AWKWARD[1:]) - set(opened.copies(found))
    assert opened.distinct(AWKWARD) == 5


def test_tables_with_little_in_them(profiler):
    empty = column(profiler, "", "", "NA")
    assert (empty.filled, empty.distinct, empty.values, empty.lengths, empty.form) == (0, 0, (), None, None)
    one = profiler("x\n5\n").profile()
    assert (one.rows, one.columns[0].filled, one.columns[0].form) == (1, 1, Form.INTEGER)
    nothing = profiler("x,y,z\n,,1\n,,2\n")
    assert nothing.profile().columns[0].filled == 0
    assert nothing.associations("t.y = 'a'", ["x"]) == {"x": Association(None, 0.0, 0.0)}
    assert nothing.copies(nothing.profile()) == {}


def test_distinct_counts_combinations_and_missing_ones(profiler):
    opened = table_of(profiler, {"a": ["1", "1", "2", None], "b": ["x", "x", "x", "x"]})
    assert (opened.distinct(["a"]), opened.distinct(["a", "b"]), opened.distinct(["b"])) == (3, 3, 1)
    assert opened.frequent(["a", "b"], 2) == {"a": 1, "b": 1}
    assert opened.counts(["t.a = '1'", "t.a IS NULL"]) == [2, 1]


def test_copies_and_codes_with_their_names(profiler):
    rng = np.random.default_rng(2)
    plan = rng.integers(0, 4, 400)
    amount = rng.integers(0, 90, 400)
    days = [datetime.date(2025, 1, 1) + datetime.timedelta(int(n)) for n in amount]
    opened = table_of(
        profiler,
        {
            "plan": [["free", "pro", "team", "trial"][p] for p in plan],
            "amount": [f"{a}" for a in amount],
            "plan_code": [f"{p + 7}" for p in plan],
            "plan_again": [["free", "pro", "team", "trial"][p] for p in plan],
            "amount_text": [f"{a}.0" for a in amount],
            "day": [f"{d}" for d in days],
            "day_text": [f"{d:%d.%m.%Y}" for d in days],
            "nearly": [["free", "pro", "team", "trial"][p] for p in plan[:-1]] + ["free" if plan[-1] else "pro"],
            "constant": ["c"] * 400,
            "constant_too": ["c"] * 400,
        },
    )
    found = opened.profile()
    assert opened.copies(found) == {"plan_again": "plan", "amount_text": "amount", "day_text": "day"}
    assert opened.renamings(found) == {"plan_code": "plan", "day": "amount"}


def _labelled(rows=6000):
    rng = np.random.default_rng(3)
    label = rng.random(rows) < 0.2
    return {
        "y": ["yes" if y else "no" for y in label],
        "better": [f"{x:.3f}" for x in rng.normal(size=rows) + label],
        "worse": [f"{x:.3f}" for x in rng.normal(size=rows) - 2 * label],
        "noise": [f"{x:.3f}" for x in rng.normal(size=rows)],
        "code": [f"{c}" for c in np.where(label, 2, rng.choice([1, 3], rows))],
        "only_then": ["x" if y else None for y in label],
        "name": [f"n{number}" for number in rng.integers(0, 5000, rows)],
    }


def test_associations_against_ranks(profiler):
    data = _labelled()
    found = table_of(profiler, data).associations("t.y = 'yes'", list(data))
    label = np.array(data["y"]) == "yes"
    for name in ("better", "worse", "noise"):
        auc = ranking_auc(np.array([float(x) for x in data[name]]), label)
        assert found[name].roc_auc == pytest.approx(max(auc, 1 - auc), abs=1e-9)
    assert found["code"].roc_auc == found["only_then"].roc_auc == found["y"].roc_auc == 1.0
    assert found["only_then"] == Association(1.0, 1.0, 0.0)
    assert found["name"].roc_auc < 0.53  # names that are nearly unique know nothing


def test_associations_on_a_sample_of_rows(profiler, monkeypatch):
    data = _labelled()
    full = table_of(profiler, data).associations("t.y = 'yes'", ["better", "only_then"])
    monkeypatch.setattr(association, "SAMPLED_ROWS", 600)
    sampled = table_of(profiler, data).associations("t.y = 'yes'", ["better", "only_then"])
    assert sampled != full
    assert sampled["better"].roc_auc == pytest.approx(full["better"].roc_auc, abs=0.04)
    assert sampled["only_then"] == Association(1.0, 1.0, 0.0)


def test_rows_without_a_label_do_not_count(profiler):
    opened = table_of(profiler, {"y": ["1", "0", "?", "1"], "x": ["a", None, "a", None]})
    found = opened.associations("CASE t.y WHEN '1' THEN TRUE WHEN '0' THEN FALSE END", ["x"])
    assert (found["x"].filled_positives, found["x"].filled_negatives) == (0.5, 0.0)


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    days = [datetime.date(2025, 1, 31), datetime.date(2025, 2, 1), None, datetime.date(2025, 2, 1)]
    times = [datetime.datetime(2025, 1, 31, 23, 30), None, None, datetime.datetime(2025, 2, 1, 1)]
    pq.write_table(
        pa.table(
            {
                "n": pa.array([1, 2, 2, None], pa.int64()),
                "x": pa.array([0.5, float("nan"), -1.0, 0.0]),
                "money": pa.array([decimal.Decimal(m) if m else None for m in ("1.50", "2.00", "", "3.25")]),
                "flag": pa.array([True, False, True, None]),
                "day": pa.array(days, pa.date32()),
                "time": pa.array(times, pa.timestamp("us", "UTC")),
                "local": pa.array(times, pa.timestamp("us")),
                "compact": pa.array([20250131, 20250201, None, 20250201], pa.int64()),
                "text": pa.array(["3,5", "", None, "4"]),
                "blob": pa.array([b"ab", None, b"abcd", b"ab"]),
                "tags": pa.array([["a"], [], None, ["b", "c"]]),
                "device": pa.array([{"kind": "a", "size": {"w": 1}}] * 3 + [None]),
            }
        ),
        path,
    )
    with DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows")) as warehouse:
        yield warehouse


def test_types_of_parquet(parquet):
    found = TableProfiler(parquet, "rows.parquet", "rows", is_text=False).profile()
    types = {c.name: (c.type, c.filled, c.distinct) for c in found.columns}
    assert types == {
        "n": ("INT64", 3, 2),
        "x": ("FLOAT64", 3, 3),
        "money": ("NUMERIC", 3, 3),
        "flag": ("BOOL", 3, 2),
        "day": ("DATE", 3, 2),
        "time": ("TIMESTAMP", 2, 2),
        "local": ("DATETIME", 2, 2),
        "compact": ("INT64", 3, 2),
        "text": ("STRING", 2, 2),
        "blob": ("BYTES", 3, 2),
        "tags": ("ARRAY", 2, 0),
        "device.kind": ("STRING", 3, 1),
        "device.size.w": ("INT64", 3, 1),
    }
    assert found.column("x").numbers.quantiles[::8] == (-1.0, 0.5)
    assert (found.column("x").numbers.negative, found.column("x").numbers.zero) == (1, 1)
    assert found.column("flag").values == (Frequency("true", 2), Frequency("false", 1))
    assert found.column("money").numbers.mean == pytest.approx(2.25)
    february = Dates(datetime.date(2025, 1, 31), datetime.date(2025, 2, 1), 2)
    for name in ("day", "time", "local", "compact"):
        assert found.column(name).dates == february
    assert found.column("compact").forms == {Form.DATE_COMPACT: 3}
    assert found.column("text").form is Form.DECIMAL_COMMA
    assert found.column("blob").lengths == Lengths(2, pytest.approx(8 / 3), 4)


def test_associations_of_parquet(parquet):
    opened = TableProfiler(parquet, "rows.parquet", "rows", is_text=False)
    names = [c.name for c in opened.profile().columns]
    found = opened.associations("t.n = 1", names)
    assert set(found) == set(names)
    assert found["tags"].filled_positives == 1.0


class Billed:
    """A warehouse that can tell the bytes of a query, as BigQuery can, and remembers what it ran."""

    def __init__(self, warehouse):
        self._warehouse = warehouse
        self.ran = []

    def estimate(self, query):
        return 0 if "COUNT(*) AS n FROM `rows` AS t" in query.sql else 10

    def columns(self, query):
        return self._warehouse.columns(query)

    def select(self, query):
        self.ran.append(query.sql)
        return self._warehouse.select(query)


def test_an_engine_that_bills_bytes_gives_the_same_facts_and_counts_them(parquet):
    warehouse = Billed(parquet)
    billed = TableProfiler(warehouse, "rows", "rows", is_text=False)
    plain = TableProfiler(parquet, "rows", "rows", is_text=False)
    found, expected = billed.profile(), plain.profile()
    assert found.bytes_read == 10 * len(warehouse.ran) > 0
    assert dataclasses.replace(found, bytes_read=None) == dataclasses.replace(expected)
    names = [c.name for c in found.columns]
    assert billed.associations("t.n = 1", names) == plain.associations("t.n = 1", names)
    assert any("UNNEST" in sql for sql in warehouse.ran)
    assert billed.bytes_read > found.bytes_read
    for sql in warehouse.ran:
        translated = to_bigquery(Query(sql), lambda name: ("project", "data", name))
        assert "`project.data.rows`" in translated.sql


def test_many_columns_are_read_a_part_at_a_time(profiler):
    names = [f"c{place}" for place in range(120)]
    rows = [",".join(f"{(row * place) % 7}" for place in range(120)) for row in range(40)]
    found = profiler("\n".join([",".join(names), *rows, ""])).profile()
    assert [c.name for c in found.columns] == names
    assert found.column("c1").distinct == 7 and found.column("c119").distinct == 1


def test_a_parquet_file_without_rows(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"n": pa.array([], pa.int64()), "s": pa.array([], pa.string())}), path)
    with DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows")) as warehouse:
        opened = TableProfiler(warehouse, "rows.parquet", "rows", is_text=False)
        found = opened.profile()
        assert (found.rows, [c.filled for c in found.columns]) == (0, [0, 0])
        assert opened.associations("t.s = 'a'", ["n"]) == {"n": Association(None, 0.0, 0.0)}
        assert opened.copies(found) == opened.renamings(found) == {}
        assert opened.distinct(["n", "s"]) == 0


def test_long_values_are_not_listed(profiler):
    found = column(profiler, "a" * 300, "a" * 300, "b")
    assert (found.distinct, found.values, found.lengths.longest) == (2, (Frequency("b", 1),), 300)


def test_a_key_is_told_exactly_where_fractions_are_not_counted(profiler):
    rows = 6000
    lines = [f"{number + 10_000},{number / 7:.6f},a{number % 3}" for number in range(rows)]
    found = profiler("\n".join(["key,share,kind", *lines, ""])).profile()
    assert (found.column("key").distinct, found.column("kind").distinct) == (rows, 3)
    share = found.column("share")
    assert 0.75 * rows < share.distinct <= rows
    assert (share.is_private, share.values, share.form, share.filled) == (True, (), Form.NUMBER, rows)


def test_values_that_occur_often_are_converted_once_with_the_same_result(profiler, monkeypatch):
    numbers = [f"{value},5" for value in range(-3, 7)] + ["-", "n/a", ""]
    days = ["2025-01-31", "2025-02-28", "2024-12-01"]
    odd = ["1", "2", "x", "3.5", " - "]
    lines = [f'{row},"{numbers[row % 13]}",{days[row % 3]},{odd[row % 5]},{row % 4}' for row in range(600)]
    opened = profiler("\n".join(["n,amount,day,odd,code", *lines, ""]))
    one_by_one = opened.profile()
    monkeypatch.setattr(source, "GROUPED_ROWS", 100)
    statements = []
    select = opened.source.select
    monkeypatch.setattr(opened.source, "select", lambda sql: statements.append(sql) or select(sql))
    by_value = opened.profile()
    assert sum(source.ROWS_OF_VALUE in sql for sql in statements) >= 6
    assert [c.name for c in by_value.columns if c.numbers] == ["n", "amount", "code"]
    for one, other in zip(one_by_one.columns, by_value.columns, strict=True):
        if one.numbers is not None:
            assert other.numbers.mean == pytest.approx(one.numbers.mean)
            assert other.numbers.quantiles == pytest.approx(one.numbers.quantiles, abs=1)
            numbers = dataclasses.replace(one.numbers, mean=other.numbers.mean, quantiles=other.numbers.quantiles)
            assert other.numbers == numbers
            other = dataclasses.replace(other, numbers=one.numbers)
        assert one == other
    amounts = sorted(value + 0.5 if value >= 0 else value - 0.5 for value in range(-3, 7))
    amounts = sorted(amounts[row % 13] for row in range(600) if row % 13 < 10)
    expected = [amounts[max(0, int(np.ceil(share * len(amounts))) - 1)] for share in QUANTILES]
    assert list(by_value.column("amount").numbers.quantiles) == expected


@pytest.mark.parametrize("text", ["-", " n/a ", "x" * 40, " " * 40 + "-", "-" + " " * 40, "", "Keine Angabe"])
def test_long_text_around_a_missing_value_is_seen(profiler, text):
    opened = profiler(f'n,x\n1,"{text}"\n2,yes\n')
    (row,) = opened.source.select(
        f"SELECT COUNTIF({texts.is_missing_like('s.x')}) AS n {opened.source.from_.replace(' AS t', ' AS s')}"
    )
    assert row["n"] == (text.strip().lower() in texts.MISSING_TEXTS and text != "")
