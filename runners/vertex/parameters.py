"""The parameters of a run on Vertex AI, from data set, settings and command line."""

from __future__ import annotations

from collections.abc import Sequence

from models.config import SettingsError, validate_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.run_parameters import Parameters
from pipeline.warehouse.interface import Warehouse
from pipeline.warehouse.opening import open_warehouse
from runners.vertex.clients import Clients
from runners.vertex.kinds import TRAINING, PipelineKind
from runners.vertex.settings import VertexSettings


def run_parameters(
    folder: DatasetFolder, settings: VertexSettings, given: Sequence[str] = (), kind: PipelineKind = TRAINING
) -> Parameters:
    """The parameters of a run. `name=value` from the command line replaces the default.

    Raises:
        SettingsError: there is no such parameter, or its value is not allowed.
    """
    defaults = kind.default_parameters(folder, settings)
    names = defaults.values_at_run_time()
    values = defaults.values()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--parameter {text}: write <name>=<value>; the parameters are {', '.join(names)}")
        if name in defaults.COMPILED_IN:
            raise SettingsError(f"--parameter {name}: Vertex AI fills it in; the parameters are {', '.join(names)}")
        values[name] = value
    return validate_settings(values, kind.parameters, origin="--parameter")


def scheduled_parameters(folder: DatasetFolder, settings: VertexSettings, kind: PipelineKind = TRAINING) -> Parameters:
    """The parameters of scheduled runs. Each one finds the newest settled day when it starts."""
    return kind.default_parameters(folder, settings).model_copy(update={"as_of": "latest"})


def resolve_data(
    folder: DatasetFolder,
    settings: VertexSettings,
    parameters: Parameters,
    clients: Clients,
    kind: PipelineKind = TRAINING,
) -> Parameters:
    """Adds the newest settled day and the tables' fingerprint, for a run that uses the cache.

    Without them, Vertex AI would reuse a step of an earlier run although the tables of the query have changed.

    Raises:
        SettingsError: the snapshots are not possible.
        WarehouseError: a table is missing, or the query does not fit the tables.
    """
    with _open_warehouse(folder, settings, clients) as warehouse:
        extraction = kind.extraction(warehouse, folder, parameters)
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
