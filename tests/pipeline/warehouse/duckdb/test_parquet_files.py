"""Types of Parquet columns: as BigQuery has them, or refused by one line."""

import datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.settings.run import DuckDBSettings
from pipeline.settings.source import TableSource
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.interface import Query

SETTINGS = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)
MOMENT = datetime.datetime(2024, 1, 2, 3, 4, 5)


@pytest.fixture
def opened(tmp_path):
    """Opens a Parquet file with the column `v`: a SELECT of DuckDB, or an Arrow array."""
    warehouses = []

    def open_values(values, **options):
        path = tmp_path / "rows.parquet"
        if isinstance(values, str):
            duckdb.execute(f"COPY (SELECT {values} AS v) TO '{path}' (FORMAT parquet)")
        else:
            pq.write_table(pa.table({"v": values}), path, **options)
        warehouses.append(DuckDBWarehouse(SETTINGS, path, TableSource(kind="table", table="rows")))
        return warehouses[-1]

    yield open_values
    for warehouse in warehouses:
        warehouse.close()


def value_of(warehouse, sql="t.v"):
    """BigQuery's type, and the first value."""
    query = Query(f"SELECT {sql} AS x FROM `rows` AS t")
    return warehouse.columns(query)[0].type, warehouse.select(query)[0]["x"]


@pytest.mark.parametrize("kind", [pa.uint8(), pa.uint16(), pa.uint32(), pa.int8(), pa.int16(), pa.int32()], ids=str)
def test_every_integer_is_of_64_bits_and_signed(opened, kind):
    most = 2 ** (kind.bit_width - (0 if str(kind).startswith("u") else 1)) - 1
    warehouse = opened(pa.array([most], kind))
    assert value_of(warehouse) == ("INT64", most)
    assert value_of(warehouse, "t.v + t.v") == ("INT64", 2 * most)
    assert value_of(warehouse, "t.v - t.v - 1") == ("INT64", -1)
    assert value_of(warehouse, "t.v * 1000000 * 1000") == ("INT64", most * 10**9)


def test_an_unsigned_integer_of_64_bits_is_numeric(opened):
    warehouse = opened(pa.array([2**64 - 1], pa.uint64()))
    assert value_of(warehouse) == ("NUMERIC", Decimal(2**64 - 1))
    assert value_of(warehouse, "CAST(t.v AS STRING)") == ("STRING", str(2**64 - 1))
    assert value_of(warehouse, "CAST(t.v AS FLOAT64)") == ("FLOAT64", float(2**64))
    small = opened(pa.array([3], pa.uint64()))
    assert value_of(small, "t.v - 5") == ("NUMERIC", Decimal(-2))
    assert value_of(small, "CAST(t.v AS INT64)") == ("INT64", 3)


@pytest.mark.parametrize(
    ("values", "kind", "value"),
    [
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), "NUMERIC", Decimal("1.50")),
        (pa.array([Decimal("-1.0000000001")], pa.decimal128(38, 10)), "NUMERIC", Decimal("-1.0000000001")),
        (pa.array([Decimal(10) ** 60], pa.decimal256(76, 5)), "FLOAT64", 1e60),
        (pa.array(["b", "a"]).dictionary_encode(), "STRING", "b"),
        (pa.array([7, 8]).dictionary_encode(), "INT64", 7),
        (pa.array([MOMENT], pa.timestamp("s")), "DATETIME", MOMENT),
        (pa.array([MOMENT], pa.timestamp("ms")), "DATETIME", MOMENT),
        (pa.array([MOMENT], pa.timestamp("ns")), "DATETIME", MOMENT),
        (pa.array([MOMENT.date()], pa.date64()), "DATE", MOMENT.date()),
        (pa.array([datetime.time(1, 2, 3)], pa.time64("us")), "TIME", datetime.time(1, 2, 3)),
        (pa.array([datetime.time(1, 2, 3)], pa.time32("ms")), "TIME", datetime.time(1, 2, 3)),
        (pa.array([b"ab"], pa.binary(2)), "BYTES", b"ab"),
        (pa.array(["ab"], pa.large_string()), "STRING", "ab"),
        (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), "ARRAY", [1, 2]),
        (pa.nulls(1), "INT64", None),
        ("'a'::ENUM('a', 'b')", "STRING", "a"),
        ("'{}'::JSON", "JSON", "{}"),
        ("INTERVAL 3 DAY", "INTERVAL", datetime.timedelta(days=3)),
    ],
    ids=str,
)
def test_types_and_values(opened, values, kind, value):
    options = {"version": "2.6"} if pa.types.is_temporal(getattr(values, "type", pa.int64())) else {}
    assert value_of(opened(values, **options)) == (kind, value)


@pytest.mark.parametrize(
    ("values", "sql", "kind", "value"),
    [
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), "CAST(t.v AS FLOAT64)", "FLOAT64", 1.5),
        (pa.array([Decimal("1.50")], pa.decimal128(5, 2)), "CAST(t.v AS STRING)", "STRING", "1.5"),
        (pa.array([datetime.time(1, 2, 3)], pa.time64("us")), "CAST(t.v AS STRING)", "STRING", "01:02:03"),
        (pa.array([datetime.time(1, 2, 3)], pa.time64("us")), "EXTRACT(HOUR FROM t.v)", "INT64", 1),
        (pa.array([1704164645123456789], pa.timestamp("ns")), "UNIX_MICROS(TIMESTAMP(t.v))", "INT64", 1704164645123456),
        ("INTERVAL 3 DAY", "EXTRACT(DAY FROM t.v)", "INT64", 3),
        ("[{'a': 1, 'b': 'x'}]", "(SELECT e.b FROM UNNEST(t.v) AS e WHERE e.a = 1)", "STRING", "x"),
        ("[1, 2]", "ARRAY_LENGTH(t.v)", "INT64", 2),
        ("[1, 2]", "t.v[SAFE_OFFSET(1)]", "INT64", 2),
        ("['x', 'y']", "ARRAY_TO_STRING(t.v, '+')", "STRING", "x+y"),
        ("MAP {'k': 1, 'm': 2}", "ARRAY_LENGTH(t.v)", "INT64", 2),
        ("MAP {'k': 1, 'm': 2}", "(SELECT e.value FROM UNNEST(t.v) AS e WHERE e.key = 'm')", "INT64", 2),
        ("NULL::MAP(VARCHAR, INT)", "ARRAY_LENGTH(t.v)", "INT64", None),
        ("{'category': 'mobile', 'os': {'version': 7}}", "t.v.category", "STRING", "mobile"),
        ("{'category': 'mobile', 'os': {'version': 7}}", "t.v.os.version + 1", "INT64", 8),
        ("{'with space': 'mobile'}", "t.v.`with space`", "STRING", "mobile"),
    ],
    ids=str,
)
def test_what_a_query_makes_of_them(opened, values, sql, kind, value):
    options = {} if isinstance(values, str) else {"version": "2.6"}
    assert value_of(opened(values, **options), sql) == (kind, value)


def test_timestamps_of_96_bits(opened):
    warehouse = opened(pa.array([MOMENT], pa.timestamp("us")), use_deprecated_int96_timestamps=True)
    assert value_of(warehouse) == ("DATETIME", MOMENT)
    assert value_of(warehouse, "DATE(t.v)") == ("DATE", MOMENT.date())


def test_a_uuid_is_text_in_the_features_table(opened):
    warehouse = opened("'9383bd41-2a33-410a-9ded-747b2d87cc62'::UUID")
    query = Query("SELECT t.v FROM rows AS t")
    assert [column.type for column in warehouse.columns(query)] == ["STRING"]
    warehouse.create_table("features_x", query, partition_by=None, order_by=["v"])
    (batch,) = warehouse.read("features_x", ["v"])
    assert batch.column(0).to_pylist() == ["9383bd41-2a33-410a-9ded-747b2d87cc62"]


def test_columns_of_unusual_types_stop_no_other_column(opened):
    row = "{'n': 1, 'm': MAP {'a': [1]}, 'l': [{'x': INTERVAL 1 DAY}], 't': TIME '01:02:03', 'u': 1::UTINYINT}"
    warehouse = opened(f"UNNEST([{row}])")
    query = Query("SELECT t.v.n, TO_HEX(MD5(TO_JSON_STRING(t))) AS unit FROM `rows` AS t")
    assert warehouse.select(query)[0]["n"] == 1
