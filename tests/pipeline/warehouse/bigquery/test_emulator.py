"""The BigQuery engine over Google's own clients and protocols, against an emulator; `make emulator` makes it ready.

The emulator stands on DuckDB and sqlglot, as our embedded engine does. That both give the same rows shows that our use
of BigQuery is right: the jobs, parameters and tables asked for, the streams read, the errors met. It does not show that
the SQL means the same on BigQuery; the golden rows and the plain Python reference of tests/schema are for that.

What the emulator lacks, and what is done here instead: it has no `__TABLES__` (an ordinary table of that name stands
for it), counts the parameters that comments name (the query goes in without comments), reads the time zone of EXTRACT
as a time of day (a property in UTC needs none), and forgets all labels and a table's expiry (test_bigquery_engine looks
at the statement and the job). It reads 0 bytes in every dry run, so that `max_gib` is test_bigquery_engine's too, and
it knows no permissions.
"""

import dataclasses
import datetime
import functools
import re
import threading
import uuid

import pyarrow as pa
import pytest
from google.cloud import bigquery

import schema
from models.features import FeatureSet
from pipeline.sample.events import parameters_for, write_sample
from pipeline.sample.schema import load_schema_fields
from pipeline.settings.dataset import Dataset, TableSource
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings, DuckDBSettings
from pipeline.warehouse.bigquery.engine import BigQueryWarehouse
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.interface import Query, WarehouseError
from tests.emulator import server
from tests.support import table

pytestmark = pytest.mark.skipif(
    not server.available(), reason="`make emulator` makes the environment of the BigQuery emulator, and it is not there"
)
PROJECT = "my-project"
TABLES_VIEW = {"table_id": "STRING", "last_modified_time": "INT64", "row_count": "INT64", "size_bytes": "INT64"}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, server.running(tmp_path_factory.mktemp("emulator")) as running:
        patch.setenv("no_proxy", "127.0.0.1")
        running.client(PROJECT).create_dataset("features")
        yield running


@pytest.fixture
def opened(emulator):
    """Opens the engine over a data set of the emulator."""
    client, read_client = emulator.client(PROJECT), emulator.read_client()

    def open_over(source, dataset, **settings):
        chosen = BigQuerySettings(
            engine="bigquery",
            project=PROJECT,
            location="US",
            source=f"{PROJECT}.{dataset}",
            **{"features_dataset": "features", "labels": {"team": "growth"}, **settings},
        )
        return BigQueryWarehouse(chosen, source, client=client, read_client=read_client)

    yield open_over
    client.close()


def load(client, dataset, paths, fields):
    """Loads Parquet files as tables named like them, and lists them in `__TABLES__`."""
    client.create_dataset(dataset)
    for path in paths:
        name = f"{PROJECT}.{dataset}.{path.stem}"
        client.create_table(bigquery.Table(name, schema=fields))
        config = bigquery.LoadJobConfig(source_format="PARQUET")
        with path.open("rb") as file:
            client.load_table_from_file(file, name, job_config=config).result()
    columns = [bigquery.SchemaField(*column) for column in TABLES_VIEW.items()]
    client.create_table(bigquery.Table(f"{PROJECT}.{dataset}.__TABLES__", schema=columns))
    rows = ", ".join(f"('{path.stem}', 17, 1, {path.stat().st_size})" for path in paths)
    client.query(f"INSERT INTO `{PROJECT}.{dataset}.__TABLES__` ({', '.join(TABLES_VIEW)}) VALUES {rows}").result()


def rows_of(warehouse, extraction):
    """All rows as a sorted DataFrame, and the Arrow types."""
    read = pa.Table.from_batches(list(warehouse.read(extraction.table, extraction.example_columns)))
    frame = read.to_pandas()
    keys = [name for name in ("unit", extraction.folder.dataset.columns.date) if name]
    return frame.sort_values(keys, ignore_index=True), read.schema.types


def both(bigquery_warehouse, duckdb_warehouse, folder):
    """Makes the features table on both engines, and holds all that comes of it against each other."""
    with bigquery_warehouse, duckdb_warehouse:
        ours, theirs = resolve(bigquery_warehouse, folder), resolve(duckdb_warehouse, folder)
        assert ours.plan == theirs.plan and ours.query == theirs.query
        assert make_features_table(bigquery_warehouse, ours) == make_features_table(duckdb_warehouse, theirs)
        found, types = rows_of(bigquery_warehouse, ours)
        expected, expected_types = rows_of(duckdb_warehouse, theirs)
        assert types == expected_types
        assert len(found) > 100 and found.equals(expected)
        return ours


def test_ga4_gives_the_rows_that_duckdb_gives(emulator, opened, tmp_path):
    shorter = {"source.time_zone": "UTC", "snapshots.train": 2, "snapshots.test": 1}
    folder = DatasetFolder.load(schema.ROOT / "ga4", shorter)
    query = re.sub(r"--.*| AT TIME ZONE @time_zone", "", folder.query)
    folder = dataclasses.replace(folder, query=query)
    write_sample(tmp_path / "sample", parameters_for(folder.dataset, users=2000))
    client = emulator.client(PROJECT)
    fields = [bigquery.SchemaField.from_api_repr(field) for field in load_schema_fields()]
    load(client, "analytics", sorted((tmp_path / "sample").glob("events_*.parquet")), fields)
    made = both(
        opened(folder.dataset.source, "analytics"),
        DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path / "sample", folder.dataset.source),
        folder,
    )
    found = client.get_table(f"{PROJECT}.features.{made.table}")
    assert found.time_partitioning.field == "snapshot_date"
    assert "One row per example" in found.description


ROWS = 60_000
OWN = DatasetFolder(
    name="own",
    dataset=Dataset(
        source={"kind": "table", "table": "customers"},
        columns={"key": "customer", "label": "bought"},
        split={"test_percent": 20},
    ),
    features=FeatureSet.from_config(
        [
            {"name": "visits", "kind": "numeric"},
            {"name": "spent", "kind": "numeric"},
            {"name": "country", "kind": "categorical"},
        ]
    ),
    query="SELECT c.customer, c.visits, c.spent, c.country, c.bought FROM customers AS c WHERE c.visits >= 1",
)


@pytest.fixture(scope="module")
def customers(emulator, tmp_path_factory):
    """A table of one's own, large enough that the service returns it in several streams; also as a Parquet file."""
    path = tmp_path_factory.mktemp("own") / "customers.parquet"
    some = table()
    repeated = [some.assign(customer=some["customer"] + f"-{copy}") for copy in range(ROWS // len(some))]
    pa.parquet.write_table(pa.concat_tables([pa.Table.from_pandas(frame) for frame in repeated]), path)
    types = {"customer": "STRING", "visits": "INT64", "spent": "FLOAT64", "country": "STRING", "bought": "INT64"}
    load(emulator.client(PROJECT), "own", [path], [bigquery.SchemaField(*column) for column in types.items()])
    return path


def test_a_table_of_ones_own_gives_the_rows_that_duckdb_gives(opened, customers):
    duckdb_warehouse = DuckDBWarehouse(DuckDBSettings(engine="duckdb"), customers, OWN.dataset.source)
    both(opened(OWN.dataset.source, "own"), duckdb_warehouse, OWN)


@pytest.fixture
def stored(opened, customers):
    """The warehouse, and a features table of all customers in it."""
    with opened(OWN.dataset.source, "own") as warehouse:
        name = f"features_{uuid.uuid4().hex[:8]}"
        warehouse.create_table(name, Query("SELECT c.* FROM customers AS c"), partition_by=None, order_by=[])
        yield warehouse, name
        warehouse.drop_table(name)


def test_streams_are_read_in_parallel(stored):
    """The first batch of each stream is held back until all streams have one."""
    warehouse, name = stored
    client, sessions, threads = warehouse._read_client(), [], set()
    create_read_session, read_rows = client.create_read_session, client.read_rows

    @functools.wraps(create_read_session)
    def counted(**request):
        sessions.append(create_read_session(**request))
        together.append(threading.Barrier(len(sessions[0].streams), timeout=30))
        return sessions[0]

    def met(stream):
        threads.add(threading.current_thread().name)
        together[0].wait()
        return read_rows(stream)

    together = []
    client.create_read_session, client.read_rows = counted, met
    read = pa.Table.from_batches(list(warehouse.read(name, ["spent", "customer"])))
    assert 1 < len(sessions[0].streams) == len(threads)
    assert read.schema.names == ["spent", "customer"]
    assert read.num_rows == ROWS == len(read.column("customer").unique())


def test_a_reader_that_stops_early_leaves_no_thread(stored):
    warehouse, name = stored
    before = set(threading.enumerate())
    batches = warehouse.read(name, ["customer"])
    assert next(batches).num_rows > 0
    batches.close()
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("stream")]
    assert not left


def test_parameters_of_every_type(opened, customers):
    dates = [datetime.date(2024, 1, 8), datetime.date(2024, 1, 15)]
    query = Query(
        "SELECT day, @text AS text, @n + 1 AS n, @x / 2 AS x, @yes AS yes, @one AS one, "
        "'b' IN UNNEST(@texts) AS is_in, ARRAY_LENGTH(@nothing) AS nothing FROM UNNEST(@days) AS day ORDER BY day",
        {
            "text": "it's 50 %",
            "n": 2**40,
            "x": 0.5,
            "yes": True,
            "one": dates[0],
            "texts": ["a", "b"],
            "nothing": [],
            "days": dates,
        },
    )
    duckdb_warehouse = DuckDBWarehouse(DuckDBSettings(engine="duckdb"), customers, OWN.dataset.source)
    with opened(OWN.dataset.source, "own") as warehouse, duckdb_warehouse:
        found = warehouse.select(query)
        assert found == duckdb_warehouse.select(query)
    values = {"text": "it's 50 %", "n": 2**40 + 1, "x": 0.25, "yes": True, "one": dates[0], "is_in": True, "nothing": 0}
    assert found == [{"day": day, **values} for day in dates]


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT c.vizits FROM customers AS c", "vizits|value"),
        ("SELECT c.* FROM customers_gone AS c", "the query reads the table 'customers_gone'"),
        ("SELECT NO_SUCH_FUNCTION(c.visits) AS x FROM customers AS c", "(?i)function"),
    ],
)
def test_a_query_that_cannot_run_is_one_line(opened, customers, sql, says):
    with opened(OWN.dataset.source, "own") as warehouse, pytest.raises(WarehouseError, match=says) as raised:
        warehouse.create_table("features_none", Query(sql), partition_by=None, order_by=[])
    assert_one_line(raised.value)


def assert_one_line(error):
    text = str(error)
    assert "\n" not in text and "http" not in text and "reason:" not in text
    assert len(text) < 400


def test_a_source_that_is_not_there(opened):
    source = TableSource(kind="table", table="nothing")
    with (
        opened(source, "nowhere") as warehouse,
        pytest.raises(WarehouseError, match=r"(?i)not found: .*nowhere") as raised,
    ):
        warehouse.columns(Query("SELECT n.* FROM nothing AS n"))
    assert "see warehouse.project, source, features_dataset" in str(raised.value)
    assert_one_line(raised.value)


def test_a_features_dataset_that_is_not_there(opened, customers):
    with opened(OWN.dataset.source, "own", features_dataset="gone") as warehouse:
        with pytest.raises(WarehouseError, match="gone") as raised:
            warehouse.create_table("x", Query("SELECT c.* FROM customers AS c"), partition_by=None, order_by=[])
        assert_one_line(raised.value)


def test_a_table_that_another_run_made(stored):
    warehouse, name = stored
    with pytest.raises(WarehouseError, match=f"(?i)already exists.*{name}.*another run") as raised:
        warehouse.create_table(name, Query("SELECT c.* FROM customers AS c"), partition_by=None, order_by=[])
    assert_one_line(raised.value)


def test_a_table_that_was_dropped(opened):
    with opened(OWN.dataset.source, "own") as warehouse:
        warehouse.drop_table("features_gone")
        with pytest.raises(WarehouseError, match=r"(?i)BigQuery: .*features_gone") as raised:
            list(warehouse.read("features_gone", ["x"]))
        assert_one_line(raised.value)
