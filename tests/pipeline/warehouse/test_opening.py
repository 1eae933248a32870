import sys

import pytest

from models.config import SettingsError
from pipeline.settings.dataset import Dataset
from pipeline.settings.run import RunSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.opening import open_warehouse

DATASET = Dataset(source={"kind": "table", "table": "rows"}, columns={"label": "bought"}, split={"test_percent": 20})


def test_duckdb(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,bought\n1,0\n")
    with open_warehouse(RunSettings(warehouse={"engine": "duckdb"}, data=path), DATASET) as warehouse:
        assert isinstance(warehouse, DuckDBWarehouse)
        assert list(warehouse.source_tables("rows")) == [""]


def test_duckdb_needs_data():
    with pytest.raises(SettingsError, match="'data' is required"):
        open_warehouse(RunSettings(warehouse={"engine": "duckdb"}), DATASET)


def test_bigquery_connects_to_nothing_yet():
    warehouse = {
        "engine": "bigquery",
        "project": "my-project",
        "location": "EU",
        "source": "my-project.data",
        "features_dataset": "features",
    }
    with open_warehouse(RunSettings(warehouse=warehouse), DATASET) as opened:
        assert type(opened).__name__ == "BigQueryWarehouse"
    assert "google.cloud.bigquery" in sys.modules
