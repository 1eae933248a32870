"""Removes what the runs and the schedule of one pipeline have created, and nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings
from pipeline.warehouse.features_table import table_name
from runners.vertex.clients import Clients, call_options
from runners.vertex.runs import cancel
from runners.vertex.schedules import find_all, remove
from runners.vertex.settings import VertexSettings
from runners.vertex.status import ENDED_STATES, runs, state_of

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Removal:
    """Something to remove.

    Attributes:
        what: one line that says what will be done.
        remove: does it. Raises GoogleAPICallError.
    """

    what: str
    remove: Callable[[], object]


def plan_teardown(
    clients: Clients, folder: DatasetFolder, settings: VertexSettings, *, records: bool, artifacts: bool
) -> list[Removal]:
    """Lists what can be removed, in order: the schedule comes first, so that it starts no further run.

    Args:
        clients: clients for the project and region.
        folder: the data set.
        settings: the settings of Vertex AI.
        records: whether to delete the records of ended runs.
        artifacts: whether to delete the artifacts. Pushed models stay.

    Raises:
        GoogleAPICallError: a service refused to list.
    """
    found = [*_schedules(clients, folder), *_runs(clients, folder, settings, records)]
    found += _tables(clients, folder, settings)
    return [*found, *(_artifacts(clients, folder, settings) if artifacts else ())]


def _schedules(clients: Clients, folder: DatasetFolder) -> Iterator[Removal]:
    for schedule in find_all(clients, folder.pipeline_name):
        yield Removal(f"delete the schedule {schedule.name}", lambda name=schedule.name: remove(clients, name))


def _runs(clients: Clients, folder: DatasetFolder, settings: VertexSettings, records: bool) -> Iterator[Removal]:
    for run in runs(clients, folder.pipeline_name):
        if state_of(run) not in ENDED_STATES:
            jobs = " and its Dataflow jobs" if settings.dataflow else ""
            yield Removal(f"cancel the run {run.name}{jobs}", lambda name=run.name: _cancel(clients, name))
        elif records:
            yield Removal(f"delete the record of the run {run.name}", lambda name=run.name: _delete_run(clients, name))


def _cancel(clients: Clients, name: str) -> None:
    failures = cancel(clients, name.rpartition("/")[2], show=lambda line: None)
    if failures:
        raise failures[0]


def _delete_run(clients: Clients, name: str) -> None:
    clients.finish(clients.pipelines.delete_pipeline_job(name=name, **call_options()))


def _tables(clients: Clients, folder: DatasetFolder, settings: VertexSettings) -> Iterator[Removal]:
    """The features tables of this data set: `features_<data set>_<16 hexadecimal digits>`."""
    warehouse = settings.warehouse
    if not isinstance(warehouse, BigQuerySettings):
        return
    prefix = table_name(folder.name, "")
    for item in _there(clients.bigquery.list_tables(f"{warehouse.project}.{warehouse.features_dataset}")):
        if re.fullmatch(re.escape(prefix) + "[0-9a-f]{16}", item.table_id):
            name = f"{item.project}.{item.dataset_id}.{item.table_id}"
            yield Removal(
                f"delete the table {name}",
                lambda name=name: clients.bigquery.delete_table(name, not_found_ok=True),
            )


def _artifacts(clients: Clients, folder: DatasetFolder, settings: VertexSettings) -> Iterator[Removal]:
    """The objects below the data set's pipeline root, except pushed models."""
    bucket, _, root = settings.root_of(folder.name).removeprefix("gs://").partition("/")
    serving_bucket, _, serving = settings.serving_of(folder.name).removeprefix("gs://").partition("/")
    pushed = (f"{serving.rpartition('/')[0]}/", f"{serving}/")  # of every data set; of this one
    doomed = [
        blob
        for blob in _there(clients.storage.list_blobs(bucket, prefix=f"{root}/"))
        if not (serving_bucket == bucket and blob.name.startswith(pushed))
    ]
    if doomed:
        size = sum(blob.size or 0 for blob in doomed) / 2**20
        yield Removal(
            f"delete {len(doomed):,} objects ({size:,.1f} MiB) below {settings.root_of(folder.name)}/",
            lambda: [blob.delete() for blob in doomed],
        )


def _there(listed: Iterable[T]) -> Iterator[T]:
    """The listed items; none if the data set or the bucket no longer exists."""
    from google.api_core.exceptions import NotFound

    with contextlib.suppress(NotFound):
        yield from listed
