"""What is asked of BigQuery, by fakes of its two clients. The real protocol: test_bigquery_emulator."""

import datetime
import logging
import types

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import bigquery

from pipeline.settings.dataset import EventSource, TableSource
from pipeline.settings.run import BigQuerySettings
from pipeline.warehouse.bigquery.engine import BigQueryWarehouse
from pipeline.warehouse.interface import Column, Query, WarehouseError

SETTINGS = BigQuerySettings(
    engine="bigquery",
    project="my-project",
    location="EU",
    source="their-project.analytics_1",
    features_dataset="features",
    expiry_hours=48,
    max_gib=2,
    labels={"team": "growth"},
)
EVENTS = EventSource(kind="ga4")
DAYS = [datetime.date(2024, 1, 8), datetime.date(2024, 1, 15)]
QUERY = Query(
    "SELECT snapshot_date AS day, e.x FROM `events_*` AS e CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date "
    "WHERE e.n > @n",
    {"snapshot_dates": DAYS, "n": 3, "unused": "x"},
)
TRANSLATED = QUERY.sql.replace("`events_*`", "`their-project.analytics_1.events_*`")


class FakeJob:
    def __init__(self, rows=(), gib=1.0, schema=()):
        self.rows, self.total_bytes_processed, self.schema = rows, int(gib * 2**30), schema

    def result(self):
        return self.rows


class FakeClient:
    """Answers each query with the next of `answers`: a FakeJob, or an error to raise."""

    def __init__(self, *answers):
        self.answers, self.asked, self.deleted = list(answers), [], []

    def query(self, sql, *, job_config, location):
        self.asked.append((sql, job_config, location))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def delete_table(self, name, *, not_found_ok):
        self.deleted.append((name, not_found_ok))


class FakeReadClient:
    def __init__(self, *streams):
        self.streams, self.asked = streams, None

    def create_read_session(self, *, parent, read_session, max_stream_count):
        self.asked = (parent, read_session, max_stream_count)
        return types.SimpleNamespace(streams=[types.SimpleNamespace(name=str(i)) for i in range(len(self.streams))])

    def read_rows(self, name):
        pages = [types.SimpleNamespace(to_arrow=lambda batch=batch: batch) for batch in self.streams[int(name)]]
        return types.SimpleNamespace(rows=lambda session: types.SimpleNamespace(pages=pages))


def opened(*answers, source=EVENTS, read_client=None):
    client = FakeClient(*answers)
    return client, BigQueryWarehouse(SETTINGS, source, client=client, read_client=read_client)


def parameters(config):
    return [parameter.to_api_repr() for parameter in config.query_parameters]


def test_dry_run_first_then_the_table(caplog):
    client, warehouse = opened(FakeJob(gib=1.5), FakeJob())
    with caplog.at_level(logging.INFO, logger="propensity.progress"):
        warehouse.create_table("features_x", QUERY, partition_by="day", order_by=["unit"])
    assert "BigQuery will read 1.50 GiB" in caplog.text
    (dry_sql, dry, _), (sql, real, location) = client.asked
    assert dry_sql == TRANSLATED and dry.dry_run and not dry.use_query_cache
    assert sql.splitlines() == [
        "CREATE TABLE `my-project.features.features_x`",
        "PARTITION BY `day`",
        "OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 48 HOUR), "
        "description = 'One row per example of a training run; made by the propensity pipeline.', "
        "labels = [('team', 'growth')], partition_expiration_days = 36500)",
        "AS",
        TRANSLATED,
    ]
    assert location == "EU" and real.labels == {"team": "growth"} and real.maximum_bytes_billed == 2 * 2**30
    assert parameters(real) == parameters(dry)
    assert parameters(real) == [
        {"name": "n", "parameterType": {"type": "INT64"}, "parameterValue": {"value": "3"}},
        {
            "name": "snapshot_dates",
            "parameterType": {"type": "ARRAY", "arrayType": {"type": "DATE"}},
            "parameterValue": {"arrayValues": [{"value": "2024-01-08"}, {"value": "2024-01-15"}]},
        },
    ]


def test_a_query_above_the_limit_never_runs():
    client, warehouse = opened(FakeJob(gib=2.5))
    with pytest.raises(WarehouseError, match=r"would read 2.50 GiB, and warehouse.max_gib is 2; raise it"):
        warehouse.create_table("features_x", QUERY, partition_by=None, order_by=[])
    assert len(client.asked) == 1


def test_columns_by_their_standard_names():
    fields = [("a", "INTEGER", "NULLABLE"), ("b", "FLOAT", "REQUIRED"), ("c", "BOOLEAN", "NULLABLE")]
    fields += [("d", "STRING", "REPEATED"), ("e", "RECORD", "NULLABLE"), ("f", "DATE", "NULLABLE")]
    schema = [bigquery.SchemaField(name, kind, mode) for name, kind, mode in fields]
    _, warehouse = opened(FakeJob(schema=schema), FakeJob(gib=3))
    kinds = zip("abcdef", ["INT64", "FLOAT64", "BOOL", "ARRAY", "STRUCT", "DATE"], strict=True)
    assert warehouse.columns(QUERY) == [Column(*pair) for pair in kinds]
    assert warehouse.estimate(QUERY) == 3 * 2**30


def test_source_tables_come_from_one_query_of_the_metadata():
    rows = [
        {"table_id": f"events_{suffix}", "last_modified_time": 17, "row_count": 5, "size_bytes": 9}
        for suffix in ("20240102", "20240101")
    ]
    client, warehouse = opened(FakeJob(rows))
    tables = warehouse.source_tables("events_")
    assert tables == {"20240101": "17-5-9", "20240102": "17-5-9"} and list(tables) == sorted(tables)
    assert "FROM `their-project.analytics_1.__TABLES__` WHERE STARTS_WITH(table_id, @prefix)" in client.asked[0][0]


def test_tables_made_here_are_named_in_the_features_dataset():
    client, warehouse = opened(FakeJob(), FakeJob(), FakeJob([bigquery.Row((5,), {"n": 0})]))
    warehouse.create_table("events_features", QUERY, partition_by=None, order_by=[])
    assert warehouse.select(Query("SELECT COUNT(*) AS n FROM `events_features` AS t")) == [{"n": 5}]
    assert client.asked[-1][0] == "SELECT COUNT(*) AS n FROM `my-project.features.events_features` AS t"
    warehouse.drop_table("events_features")
    assert client.deleted == [("my-project.features.events_features", True)]


@pytest.mark.parametrize("source", [EVENTS, TableSource(kind="table", table="sessions")])
def test_other_tables_are_refused(source):
    _, warehouse = opened(source=source)
    with pytest.raises(WarehouseError, match="reads the table 'sessions_other'"):
        warehouse.select(Query("SELECT 1 AS x FROM sessions_other"))


def test_arrow_batches_in_the_asked_order_of_columns():
    batches = [
        pa.RecordBatch.from_arrays([pa.array(["u"] * n), pa.array(range(n))], names=["unit", "x"]) for n in (2, 3)
    ]
    read_client = FakeReadClient([batches[0]], [batches[1]])
    _, warehouse = opened(read_client=read_client)
    read = list(warehouse.read("features_x", ["x", "unit"]))
    assert [batch.schema.names for batch in read] == [["x", "unit"]] * 2
    assert sorted(batch.num_rows for batch in read) == [2, 3]
    parent, session, streams = read_client.asked
    assert streams > 1
    assert parent == "projects/my-project"
    assert session.table == "projects/my-project/datasets/features/tables/features_x"
    assert list(session.read_options.selected_fields) == ["x", "unit"] and session.data_format.name == "ARROW"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            exceptions.NotFound("404 POST https://x/y: Not found: Dataset a:b was not found in location US"),
            "location, see",
        ),
        (exceptions.Forbidden("Access Denied: User lacks bigquery.jobs.create permission"), "jobs.create.*grant"),
        (
            exceptions.PermissionDenied("Access Denied: lacks bigquery.readsessions.create"),
            "readsessions.create.*grant",
        ),
        (exceptions.BadRequest("POST https://x/y?z=1: Syntax error at [1:8]"), "^BigQuery: Syntax error at"),
        (
            exceptions.BadRequest("Syntax error; reason: invalidQuery, message: Syntax error"),
            "^BigQuery: Syntax error$",
        ),
        (exceptions.Forbidden("Quota exceeded"), "raise the project's quota"),
        (exceptions.BadRequest("Query exceeded limit for bytes billed: 5"), "raise warehouse.max_gib"),
        (exceptions.BadRequest("Unrecognized name: visitz at [1:8]\nmore"), "visitz at"),
        (exceptions.BadRequest("Bad int64 value: secret"), "Bad int64 value"),
        (exceptions.Conflict("Already Exists: Table a:b.c"), "another run uses it"),
        (DefaultCredentialsError("no default"), "no usable credentials"),
    ],
)
def test_errors_say_in_one_line_what_to_do(error, advice):
    _, warehouse = opened(error)
    with pytest.raises(WarehouseError, match=advice if advice[0] == "^" else f"BigQuery: .*{advice}") as raised:
        warehouse.columns(QUERY)
    assert "\n" not in str(raised.value) and "secret" not in str(raised.value) and "https:" not in str(raised.value)


def test_an_error_of_a_stream():
    """Errors of the Storage Read API come while the rows are read, in the thread that reads them."""

    class Failing(FakeReadClient):
        def read_rows(self, name):
            raise exceptions.PermissionDenied("Access Denied: lacks bigquery.readsessions.getData")

    _, warehouse = opened(read_client=Failing([], []))
    with pytest.raises(WarehouseError, match=r"BigQuery: .*readsessions\.getData; grant") as raised:
        list(warehouse.read("features_x", ["x"]))
    assert "\n" not in str(raised.value)


def test_an_error_while_the_job_runs():
    failing = FakeJob()
    failing.result = lambda: (_ for _ in ()).throw(exceptions.BadRequest("Division by zero: 1 / 0"))
    _, warehouse = opened(FakeJob(), failing)
    with pytest.raises(WarehouseError, match="Division by zero"):
        warehouse.create_table("features_x", QUERY, partition_by=None, order_by=[])
