import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.speed import storage_server
from pipeline.settings.dataset import TableSource
from pipeline.settings.run import BigQuerySettings
from pipeline.warehouse.bigquery.engine import BigQueryWarehouse

SETTINGS = BigQuerySettings(
    engine="bigquery", project="my-project", location="US", source="my-project.shop", features_dataset="features"
)


@pytest.fixture
def read_client(tmp_path, monkeypatch):
    """A client of a server that serves `table`."""
    import grpc
    from google.cloud import bigquery_storage
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    pq.write_table(TABLE, tmp_path / "table.parquet", row_group_size=4_000)
    server, port = storage_server.serve(tmp_path / "table.parquet")
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    yield bigquery_storage.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
    server.stop(None)


TABLE = pa.table({"a": range(10_000), "b": [f"v{i % 7}" for i in range(10_000)], "c": [0.5] * 10_000})


def test_our_bigquery_engine_reads_the_whole_table_from_it(read_client):
    with BigQueryWarehouse(SETTINGS, TableSource(kind="table", table="t"), read_client=read_client) as warehouse:
        read = pa.Table.from_batches(list(warehouse.read("features_t", ["b", "a"])))
    assert read.sort_by("a").equals(TABLE.select(["b", "a"]))
