"""A proposal over BigQuery (an emulator) is that over the same rows in a file; `make emulator` makes it ready."""

import contextlib
import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery

from pipeline.proposal import rendering
from pipeline.proposal.propose import propose
from pipeline.proposal.wishes import Wishes
from pipeline.settings.run import BigQuerySettings, DuckDBSettings
from pipeline.warehouse.bigquery.engine import BigQueryWarehouse
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from tests.emulator import server
from tests.pipeline.warehouse.bigquery.test_emulator import PROJECT, emulator  # noqa: F401  (a fixture)

pytestmark = pytest.mark.skipif(
    not server.available(), reason="`make emulator` makes the environment of the BigQuery emulator, and it is not there"
)
ROWS = 2400


def leads():
    rng = np.random.default_rng(9)
    score = rng.exponential(10, ROWS).round(2)
    won = rng.random(ROWS) < 1 / (1 + np.exp(-(score - 10) / 6))
    start = datetime.date(2025, 1, 1)
    return pa.table(
        {
            "lead_id": pa.array(rng.permutation(ROWS) + 1_000_000),
            "created": pa.array([start + datetime.timedelta(days=n // 10) for n in range(ROWS)]),
            "score": pa.array(score),
            "amount": pa.array([f"{value:.1f}".replace(".", ",") for value in score * 3]),
            "channel": pa.array(rng.choice(["web", "store", "call"], ROWS)),
            "last_call": pa.array([start + datetime.timedelta(days=n // 10 - n % 7) for n in range(ROWS)]),
            "outcome": pa.array(np.where(won, "won", "lost")),
            "paid": pa.array(np.where(won, 10.0, None)),
        }
    )


def test_the_proposal_is_that_over_a_file(emulator, tmp_path):  # noqa: F811
    path = tmp_path / "leads.parquet"
    pq.write_table(leads(), path)
    client, read_client = emulator.client(PROJECT), emulator.read_client()
    client.create_dataset("crm")
    fields = ("INT64", "DATE", "FLOAT64", "STRING", "STRING", "DATE", "STRING", "FLOAT64")
    schema = [bigquery.SchemaField(name, kind) for name, kind in zip(leads().column_names, fields, strict=True)]
    client.create_table(bigquery.Table(f"{PROJECT}.crm.leads", schema=schema))
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    with path.open("rb") as file:
        client.load_table_from_file(file, f"{PROJECT}.crm.leads", job_config=config).result()
    settings = BigQuerySettings(
        engine="bigquery", project=PROJECT, location="US", source=f"{PROJECT}.crm", features_dataset="features"
    )

    @contextlib.contextmanager
    def in_bigquery(source):
        yield BigQueryWarehouse(settings, source, client=client, read_client=read_client)

    def in_file(source):
        return DuckDBWarehouse(DuckDBSettings(engine="duckdb"), path, source)

    found, expected = (propose("crm", "leads", "leads", False, opened, Wishes()) for opened in (in_bigquery, in_file))
    assert rendering.query_sql(found) == rendering.query_sql(expected)
    assert rendering.features_yaml(found) == rendering.features_yaml(expected)
    assert rendering.dataset_yaml(found) == rendering.dataset_yaml(expected)
    assert {choice.column.name: choice.use.value for choice in found.choices if not choice.is_feature} == {
        "lead_id": "key",
        "created": "date",
        "outcome": "label",
    }
    assert [choice.column.name for choice in found.features if choice.is_left_out] == ["paid"]
    client.close()
