"""An export on the BigQuery emulator has the profile that its files have; `make emulator` makes it ready."""

import dataclasses
import datetime

import pytest
from google.cloud import bigquery

import schema
from pipeline.profiling.export_days import export_days
from pipeline.profiling.export_profiler import ExportProfiler
from pipeline.proposal.export_kind import kind_of_source
from pipeline.sample.events import SampleParameters, write_sample
from pipeline.sample.schema import load_schema_fields
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from tests.emulator import server
from tests.pipeline.warehouse.bigquery.test_emulator import PROJECT, emulator, load, opened  # noqa: F401  (fixtures)

pytestmark = pytest.mark.skipif(
    not server.available(), reason="`make emulator` makes the environment of the BigQuery emulator, and it is not there"
)


def profile_of(warehouse, max_gib):
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    names = list(warehouse.source_tables("events_"))
    today = datetime.date(2026, 1, 1)
    days = export_days(names, folder.dataset.source, today, "shop")
    return ExportProfiler(warehouse, folder, "shop", max_gib).profile(names, days, today)


def test_bigquery_gives_the_profile_that_duckdb_gives(emulator, opened, tmp_path):  # noqa: F811
    write_sample(tmp_path / "sample", SampleParameters(users=300, train_snapshots=1, test_snapshots=1))
    source = DatasetFolder.load(schema.ROOT / "ga4").dataset.source
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), tmp_path / "sample", source) as warehouse:
        expected = profile_of(warehouse, None)
    fields = [bigquery.SchemaField.from_api_repr(field) for field in load_schema_fields()]
    load(emulator.client(PROJECT), "shop", sorted((tmp_path / "sample").glob("events_*.parquet")), fields)
    with opened(source, "shop") as warehouse:
        assert kind_of_source(warehouse, None, f"{PROJECT}.shop") == "ga4"
        found = profile_of(warehouse, 100.0)
    assert found.bytes_read is not None and expected.bytes_read is None
    assert dataclasses.replace(found, bytes_read=None) == expected
    assert expected.event("purchase").outcomes[7].positives > 0 and len(expected.parameters) > 5
