"""The parameters of a run on Vertex AI, from data set, settings and command line."""

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
    """The parameters of a run if the user sets none."""
    return RunParameters(as_of=folder.dataset.snapshots.as_of, sample_percent=settings.sample_percent)


def run_parameters(folder: DatasetFolder, settings: VertexSettings, given: Sequence[str] = ()) -> RunParameters:
    """The parameters of a run. `name=value` from the command line replaces the default.

    Raises:
        SettingsError: there is no such parameter, or its value is not allowed.
    """
    values = default_parameters(folder, settings).values()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--parameter {text}: write <name>=<value>; the parameters are {', '.join(values)}")
        values[name] = value
    return validate_settings(values, RunParameters, origin="--parameter")


def scheduled_parameters(folder: DatasetFolder, settings: VertexSettings) -> RunParameters:
    """The parameters of scheduled runs. Each one finds the newest settled day when it starts."""
    return default_parameters(folder, settings).model_copy(update={"as_of": "latest"})


def resolve_data(
    folder: DatasetFolder, settings: VertexSettings, parameters: RunParameters, clients: Clients
) -> RunParameters:
    """Adds the newest settled day and the tables' fingerprint, for a run that uses the cache.

    Without them, Vertex AI would reuse a step of an earlier run although the tables of the query have changed.

    Raises:
        SettingsError: the snapshots are not possible.
        WarehouseError: a table is missing, or the query does not fit the tables.
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
