"""The parameters of a run on Vertex AI: of data set, settings and command line, and what they come to now."""

from __future__ import annotations

from collections.abc import Sequence

from models.config import SettingsError, validate_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.run_parameters import RunParameters
from pipeline.warehouse.interface import Warehouse
from pipeline.warehouse.opening import open_warehouse
from runners.vertex.clients import Clients
from runners.vertex.settings import VertexSettings


def default_parameters(folder: DatasetFolder, settings: VertexSettings) -> RunParameters:
    """A run's parameters where the user gives no others."""
    return RunParameters(as_of=folder.dataset.snapshots.as_of, sample_percent=settings.sample_percent)


def run_parameters(folder: DatasetFolder, settings: VertexSettings, given: Sequence[str] = ()) -> RunParameters:
    """The parameters, where `name=value` of the command line goes first.

    Raises:
        SettingsError: no such parameter, or a value that it cannot have.
    """
    values = default_parameters(folder, settings).values()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--parameter {text}: give <name>=<value>; there are: {', '.join(values)}")
        values[name] = value
    return validate_settings(values, RunParameters, origin="--parameter")


def scheduled_parameters(folder: DatasetFolder, settings: VertexSettings) -> RunParameters:
    """The parameters of each scheduled run, which finds the newest settled day when it begins."""
    return default_parameters(folder, settings).model_copy(update={"as_of": "latest"})


def resolve_data(
    folder: DatasetFolder, settings: VertexSettings, parameters: RunParameters, clients: Clients
) -> RunParameters:
    """The parameters with the newest settled day and the fingerprint of the tables, for a run that uses the cache.

    Without them a step would be taken from an earlier run though the tables behind the same query have changed.

    Raises:
        SettingsError: snapshots that cannot be.
        WarehouseError: tables missing, or a query that does not fit them.
    """
    from pipeline.warehouse.extraction import resolve

    with _open_warehouse(folder, settings, clients) as warehouse:
        extraction = resolve(warehouse, folder.up_to(parameters.as_of), parameters.sample_percent)
    return parameters.model_copy(
        update={
            "as_of": extraction.plan.as_of if extraction.plan else "latest",
            "data_fingerprint": extraction.fingerprint,
        }
    )


def _open_warehouse(folder: DatasetFolder, settings: VertexSettings, clients: Clients) -> Warehouse:
    if not isinstance(settings.warehouse, BigQuerySettings):
        return open_warehouse(settings, folder.dataset)
    from pipeline.warehouse.bigquery.engine import BigQueryWarehouse

    return BigQueryWarehouse(settings.warehouse, folder.dataset.source, client=clients.bigquery)
