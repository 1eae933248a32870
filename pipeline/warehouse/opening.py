"""Opens the warehouse that the settings name."""

from __future__ import annotations

from models.config import SettingsError
from pipeline.settings.dataset import Dataset, EventSource, TableSource
from pipeline.settings.run import DuckDBSettings, RunSettings
from pipeline.warehouse.interface import Warehouse


def open_warehouse(run_settings: RunSettings, dataset: Dataset) -> Warehouse:
    """Opens a warehouse over the data set's source, a context manager. Imports the engine's library.

    Raises:
        SettingsError: DuckDB without `data`.
    """
    return open_source(run_settings, dataset.source)


def open_source(run_settings: RunSettings, source: EventSource | TableSource) -> Warehouse:
    """Opens a warehouse over a source that may have no data set yet. Like open_warehouse otherwise."""
    settings = run_settings.warehouse
    if isinstance(settings, DuckDBSettings):
        if run_settings.data is None:
            raise SettingsError(
                "key 'data' is required with engine duckdb: name the folder of daily tables, or the file of the table"
            )
        from pipeline.warehouse.duckdb.engine import DuckDBWarehouse

        return DuckDBWarehouse(settings, run_settings.data, source)
    from pipeline.warehouse.bigquery.engine import BigQueryWarehouse

    return BigQueryWarehouse(settings, source)
