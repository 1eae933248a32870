import datetime
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.settings.dataset import EventSource, TableSource
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import Column, Query, WarehouseError

SETTINGS = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)
TABLE = TableSource(kind="table", table="rows")
EVENTS = EventSource(kind="ga4")
SUFFIX_FILTER = "e._TABLE_SUFFIX IN UNNEST(@table_suffixes)"


def write_parquet(path, select):
    duckdb.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")


@pytest.fixture
def events(tmp_path):
    folder = tmp_path / "events"
    folder.mkdir()
    for suffix, rows in {"20240101": 2, "20240102": 3, "intraday_20240103": 5}.items():
        write_parquet(
            folder / f"events_{suffix}.parquet", f"SELECT i AS x, '{suffix[-8:]}' AS day FROM range({rows}) r(i)"
        )
    return folder


def open_table(path, **settings):
    return DuckDBWarehouse(SETTINGS.model_copy(update=settings), path, TABLE)


def test_events_are_exactly_the_tables_that_the_query_names(events):
    query = f"SELECT COUNT(*) AS n, MAX(e._TABLE_SUFFIX) AS last FROM `events_*` AS e WHERE {SUFFIX_FILTER}"
    with DuckDBWarehouse(SETTINGS, events, EVENTS) as warehouse:
        assert list(warehouse.source_tables("events_")) == ["20240101", "20240102", "intraday_20240103"]
        for suffixes, rows in ((["20240102", "intraday_20240103"], 8), (["20240101"], 2)):
            result = warehouse.select(Query(query, {"table_suffixes": suffixes}))
            assert result == [{"n": rows, "last": suffixes[-1]}]
        assert warehouse.select(Query("SELECT COUNT(*) AS n FROM `events_20240102` AS e")) == [{"n": 3}]
        with pytest.raises(WarehouseError, match=r"no such file: events_20240109.parquet"):
            warehouse.select(Query(query, {"table_suffixes": ["20240109"]}))
        with pytest.raises(WarehouseError, match=r"reads the table 'other'; the source's are named events_"):
            warehouse.select(Query("SELECT 1 AS x FROM other"))


def test_the_shards_of_a_day_are_that_day(events):
    for name, rows in {
        "20240102-000000000000.parquet": 10,  # beside events_20240102.parquet
        "20240105-000000000000.parquet": 20,
        "20240105-000000000001.parquet": 30,
        "20240106_part-00000.snappy.parquet": 40,
        "20240107000000000000.parquet": 50,
        "intraday_20240108-000000000000.parquet": 60,
    }.items():
        write_parquet(events / f"events_{name}", f"SELECT i AS x, 'd' AS day FROM range({rows}) r(i)")
    (events / "events_20240109.csv").write_text("x,day\n1,d\n")
    (events / "events_20240110-.parquet").write_text("")
    query = f"SELECT e._TABLE_SUFFIX AS s, COUNT(*) AS n FROM `events_*` AS e WHERE {SUFFIX_FILTER} GROUP BY s"
    rows = {"20240101": 2, "20240102": 13, "20240105": 50, "20240106": 40, "20240107": 50, "intraday_20240108": 60}
    with DuckDBWarehouse(SETTINGS, events, EVENTS) as warehouse:
        named = warehouse.source_tables("events_")
        assert named.keys() == {*rows, "intraday_20240103", "20240109.csv", "20240110-.parquet"}
        found = warehouse.select(Query(query, {"table_suffixes": list(rows)}))
        assert {row["s"]: row["n"] for row in found} == rows
        (events / "events_20240105-000000000001.parquet").unlink()
        assert warehouse.source_tables("events_")["20240105"] != named["20240105"]


def test_fingerprint_changes_with_the_file(events):
    with DuckDBWarehouse(SETTINGS, events, EVENTS) as warehouse:
        before = warehouse.source_tables("events_")
        write_parquet(events / "events_20240101.parquet", "SELECT 1 AS x, '20240101' AS day")
        after = warehouse.source_tables("events_")
    assert [name for name in before if before[name] != after[name]] == ["20240101"]


def test_absent_or_unfinished_events(tmp_path):
    with (
        DuckDBWarehouse(SETTINGS, tmp_path / "nothing", EVENTS) as warehouse,
        pytest.raises(WarehouseError, match=r"nothing: no such folder"),
    ):
        warehouse.source_tables("events_")
    with DuckDBWarehouse(SETTINGS, tmp_path, EVENTS) as warehouse:
        with pytest.raises(WarehouseError, match="no daily table in it"):
            warehouse.source_tables("events_")
        (tmp_path / "events_20240101.parquet").write_bytes(b"PAR1 and then the writer was interrupted")
        with pytest.raises(WarehouseError, match="still being written"):
            warehouse.columns(Query("SELECT * FROM `events_*` AS e"))


def test_types_by_bigquerys_names(tmp_path):
    path = tmp_path / "rows.parquet"
    values = {
        "a": ("1::TINYINT", "INT64"),
        "b": ("1::FLOAT", "FLOAT64"),
        "c": ("1.5::DECIMAL(5,2)", "NUMERIC"),
        "d": ("'x'", "STRING"),
        "e": ("DATE '2024-01-01'", "DATE"),
        "f": ("TIMESTAMP '2024-01-01'", "DATETIME"),
        "g": ("TIMESTAMPTZ '2024-01-01'", "TIMESTAMP"),
        "h": ("{'x': 1}", "STRUCT"),
        "i": ("[1]", "ARRAY"),
        "j": ("TRUE", "BOOL"),
        "k": ("'x'::BLOB", "BYTES"),
    }
    write_parquet(path, "SELECT " + ", ".join(f"{value} AS {name}" for name, (value, _) in values.items()))
    with open_table(path) as warehouse:
        columns = warehouse.columns(Query("SELECT *, SUM(a) OVER () AS s, COUNT(*) OVER () AS n, 0.5 AS z FROM rows"))
    expected = [(name, kind) for name, (_, kind) in values.items()]
    assert columns == [Column(*pair) for pair in (*expected, ("s", "INT64"), ("n", "INT64"), ("z", "FLOAT64"))]


def test_table_has_bigquerys_arrow_types_and_is_read_in_order(tmp_path):
    path = tmp_path / "rows.parquet"
    write_parquet(path, "SELECT i::INTEGER AS i, i::FLOAT AS f, 'c' || i AS c FROM range(100000) r(i) ORDER BY hash(i)")
    digests = set()
    for threads in (1, 2, 4):
        with open_table(path, threads=threads) as warehouse:
            query = Query("SELECT r.*, TO_HEX(MD5(r.c)) AS unit, SUM(r.i) OVER () AS total FROM `rows` AS r")
            warehouse.create_table("features_x", query, partition_by=None, order_by=["unit"])
            batches = list(warehouse.read("features_x", ["unit", "i", "f", "total"]))
            assert warehouse.select(Query("SELECT COUNT(*) AS n FROM features_x")) == [{"n": 100_000}]
        assert [str(field.type) for field in batches[0].schema] == ["string", "int64", "double", "int64"]
        assert len(batches) > 1
        units = [unit for batch in batches for unit in batch.column(0).to_pylist()]
        assert units == sorted(units)
        digests.add(hash(tuple(value for batch in batches for value in batch.column(1).to_pylist())))
    assert len(digests) == 1


def test_a_wide_table_is_sorted_too(tmp_path):
    path = tmp_path / "rows.parquet"
    columns = ", ".join(f"(i + {k}) AS c{k}" for k in range(500))
    write_parquet(path, f"SELECT i, {columns} FROM range(300) r(i) ORDER BY hash(i)")
    with open_table(path) as warehouse:
        warehouse.create_table("features_x", Query("SELECT * FROM rows"), partition_by=None, order_by=["i"])
        rows = [row for batch in warehouse.read("features_x", ["i", "c499"]) for row in batch.to_pylist()]
    assert rows == [{"i": i, "c499": i + 499} for i in range(300)]


def test_a_table_is_neither_replaced_nor_left(tmp_path):
    path = tmp_path / "rows.parquet"
    write_parquet(path, "SELECT 1 AS i")
    with open_table(path) as warehouse:
        for _ in range(2):
            warehouse.create_table("features_x", Query("SELECT i FROM rows"), partition_by=None, order_by=["i"])
            with pytest.raises(WarehouseError, match="already exists"):
                warehouse.create_table("features_x", Query("SELECT i FROM rows"), partition_by=None, order_by=["i"])
            warehouse.drop_table("features_x")
        warehouse.drop_table("features_x")
        folder = warehouse._folder.name
    assert not Path(folder).exists()


def test_reading_blocks_no_other_query(tmp_path):
    path = tmp_path / "rows.parquet"
    write_parquet(path, "SELECT i FROM range(50000) r(i)")
    with open_table(path) as warehouse:
        warehouse.create_table("features_x", Query("SELECT i FROM rows"), partition_by=None, order_by=["i"])
        reader = warehouse.read("features_x", ["i"])
        first = next(reader).num_rows
        assert warehouse.select(Query("SELECT COUNT(*) AS n FROM features_x")) == [{"n": 50_000}]
        assert first + sum(batch.num_rows for batch in reader) == 50_000


def test_csv_types_are_inferred_from_all_rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b,c,d\n" + "1,TRUE,,2024-01-01\n" * 30_000 + "1.5,FALSE,x,2024-01-02\n")
    with open_table(path) as warehouse:
        types = [column.type for column in warehouse.columns(Query("SELECT * FROM rows"))]
        (row,) = warehouse.select(Query("SELECT COUNT(*) AS n, COUNTIF(c IS NULL) AS missing, MAX(d) AS d FROM rows"))
    assert types == ["FLOAT64", "BOOL", "STRING", "DATE"]
    assert row == {"n": 30_001, "missing": 30_000, "d": datetime.date(2024, 1, 2)}


def test_ragged_csv_is_refused_by_row_number(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n" + "1,2\n" * 25_000 + "secret,2,3\n" + "1,2\n")
    with (
        open_table(path) as warehouse,
        pytest.raises(WarehouseError, match=r"rows.csv: row 25002 has 3 fields") as error,
    ):
        warehouse.columns(Query("SELECT * FROM rows"))
    assert "secret" not in str(error.value)


def test_a_folder_of_parquet_files_is_one_table(tmp_path):
    folder = tmp_path / "it's parts"
    folder.mkdir()
    (folder / "_SUCCESS").write_text("")
    write_parquet(str(folder / "part-0.parquet").replace("'", "''"), "SELECT 1 AS a, 'x' AS b")
    write_parquet(str(folder / "part-1.parquet").replace("'", "''"), "SELECT 'y' AS b, 2.5::DOUBLE AS a")
    with open_table(folder) as warehouse:
        before = warehouse.source_tables("rows")
        assert warehouse.select(Query("SELECT a, b FROM rows ORDER BY a")) == [
            {"a": 1.0, "b": "x"},
            {"a": 2.5, "b": "y"},
        ]
    write_parquet(str(folder / "part-2.parquet").replace("'", "''"), "SELECT 1 AS a")
    with open_table(folder) as warehouse:
        assert warehouse.source_tables("rows") != before
        with pytest.raises(WarehouseError, match=r"part-2.parquet: column 'b' is not in every file"):
            warehouse.columns(Query("SELECT * FROM rows"))
    (tmp_path / "empty").mkdir()
    with open_table(tmp_path / "empty") as warehouse, pytest.raises(WarehouseError, match=r"no \.parquet file"):
        warehouse.source_tables("rows")


def test_parquet_columns_that_differ_by_case_alone_are_refused(tmp_path):
    pq.write_table(pa.table([[1], [2]], names=["Age", "age"]), tmp_path / "rows.parquet")
    with (
        open_table(tmp_path / "rows.parquet") as warehouse,
        pytest.raises(WarehouseError, match=r"rows.parquet: columns 'Age' and 'age' differ at most by case"),
    ):
        warehouse.columns(Query("SELECT * FROM rows"))


def test_parquet_columns_with_dots_and_structs(tmp_path):
    path = tmp_path / "rows.parquet"
    write_parquet(
        path, "SELECT 'mobile' AS \"device.category\", {'city': 'Bonn', 'geo': {'x': 1}} AS place, [1] AS l, 7 AS n"
    )
    with open_table(path) as warehouse:
        query = Query("SELECT t.`device.category` AS a, device.category AS b, t.place.geo.x AS c, t.n FROM rows AS t")
        assert warehouse.select(query) == [{"a": "mobile", "b": "mobile", "c": 1, "n": 7}]
        assert [column.name for column in warehouse.columns(Query("SELECT * FROM rows"))] == [
            "device",
            "place",
            "l",
            "n",
        ]


def test_a_damaged_parquet_file_is_named(tmp_path):
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and then the writer was interrupted")
    with (
        open_table(tmp_path / "rows.parquet") as warehouse,
        pytest.raises(WarehouseError, match=r"rows.parquet: .*incomplete"),
    ):
        warehouse.columns(Query("SELECT * FROM rows"))


@pytest.mark.parametrize(("name", "problem"), [("none.csv", "no such file"), ("rows.xlsx", "a spreadsheet")])
def test_unusable_file(tmp_path, name, problem):
    (tmp_path / "rows.xlsx").write_bytes(b"x")
    with open_table(tmp_path / name) as warehouse, pytest.raises(WarehouseError, match=problem):
        warehouse.source_tables("rows")


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT nothing FROM rows", '"nothing"'),
        ("SELECT FOOBAR(s) FROM rows", "foobar"),
        ("SELECT * FROM absent", "'absent'"),
        ("SELECT CAST(s AS INT64) AS x FROM rows", "INT64 of column s"),
        ("SELECT 1 / n AS x FROM rows", "division by zero"),
    ],
)
def test_errors_name_the_culprit_and_no_value(tmp_path, sql, named):
    path = tmp_path / "rows.parquet"
    write_parquet(path, "SELECT 'secret user' AS s, 0 AS n")
    with open_table(path) as warehouse, pytest.raises(WarehouseError, match=named) as error:
        warehouse.select(Query(sql))
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


MEMORY_SCRIPT = """
    import json, resource, sys
    from pathlib import Path
    from pipeline.settings.run import DuckDBSettings
    from pipeline.settings.dataset import TableSource
    from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
    from pipeline.warehouse.interface import Query
    settings, source = DuckDBSettings(engine="duckdb", threads=2), TableSource(kind="table", table="rows")
    with DuckDBWarehouse(settings, Path(sys.argv[1]), source) as warehouse:
        query = Query("SELECT r.*, TO_HEX(MD5(CAST(r.id AS STRING))) AS unit FROM `rows` AS r WHERE r.id < @n",
                      {"n": int(sys.argv[2])})
        names = [column.name for column in warehouse.columns(query)]
        warehouse.create_table("features_x", query, partition_by=None, order_by=["unit"])
        rows = sum(batch.num_rows for batch in warehouse.read("features_x", names))
    print(json.dumps([rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def test_memory_does_not_grow_with_the_rows(tmp_path):
    path = tmp_path / "rows.parquet"
    numbers = ", ".join(f"random() AS f{i}" for i in range(30))
    words = ", ".join(f"'value ' || (hash(i + {k}) % 200) AS c{k}" for k in range(8))
    write_parquet(path, f"SELECT i AS id, {numbers}, {words} FROM range(1000000) r(i)")
    megabytes = []
    for wanted in (200_000, 1_000_000):
        command = [sys.executable, "-c", textwrap.dedent(MEMORY_SCRIPT), str(path), str(wanted)]
        rows, peak = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert rows == wanted
        megabytes.append(peak)
    assert megabytes[1] - megabytes[0] < 300, megabytes
