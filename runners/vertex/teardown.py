"""Removes what the runs and the schedule of one pipeline have created, and nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import BigQuerySettings
from pipeline.warehouse.features_table import table_name
from runners.vertex.clients import Clients, call_options
from runners.vertex.kinds import KINDS, SCORING, TRAINING, PipelineKind
from runners.vertex.runs import cancel
from runners.vertex.schedules import find_all, remove
from runners.vertex.settings import VertexSettings
from runners.vertex.status import ENDED_STATES, last_part, runs, state_of

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import PipelineJob

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
    clients: Clients,
    folder: DatasetFolder,
    settings: VertexSettings,
    *,
    records: bool,
    artifacts: bool,
    kind: PipelineKind = TRAINING,
) -> list[Removal]:
    """Lists what can be removed, in order: the schedule comes first, so that it starts no further run.

    Nothing of the other pipeline is removed. Features tables are of no pipeline, so they stay while a run of the other
    one is under way. Scores stay.

    Args:
        clients: clients for the project and region.
        folder: the data set.
        settings: the settings of Vertex AI.
        records: whether to delete the records of ended runs.
        artifacts: whether to delete the artifacts. Pushed models stay.
        kind: which pipeline.

    Raises:
        GoogleAPICallError: a service refused to list.
    """
    listed = {each.name: list(runs(clients, folder, each)) for each in KINDS.values()}
    found = [*_schedules(clients, kind.title(folder)), *_runs(clients, listed[kind.name], settings, records)]
    others = [run for name, of_kind in listed.items() if name != kind.name for run in of_kind]
    if all(_has_ended(run) for run in others):
        found += _tables(clients, folder, settings)
    if artifacts:
        scoring = {last_part(run.name) for run in listed[SCORING.name]}
        found += _artifacts(clients, folder, settings, kind, scoring)
    return found


def _schedules(clients: Clients, title: str) -> Iterator[Removal]:
    for schedule in find_all(clients, title):
        yield Removal(f"delete the schedule {schedule.name}", lambda name=schedule.name: remove(clients, name))


def _has_ended(run: PipelineJob) -> bool:
    return state_of(run) in ENDED_STATES


def _runs(clients: Clients, found: Iterable[PipelineJob], settings: VertexSettings, records: bool) -> Iterator[Removal]:
    for run in found:
        if not _has_ended(run):
            jobs = " and its Dataflow jobs" if settings.dataflow else ""
            yield Removal(f"cancel the run {run.name}{jobs}", lambda name=run.name: _cancel(clients, name))
        elif records:
            yield Removal(f"delete the record of the run {run.name}", lambda name=run.name: _delete_run(clients, name))


def _cancel(clients: Clients, name: str) -> None:
    failures = cancel(clients, last_part(name), show=lambda line: None)
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


def _artifacts(
    clients: Clients, folder: DatasetFolder, settings: VertexSettings, kind: PipelineKind, scoring: set[str]
) -> Iterator[Removal]:
    """The objects of one pipeline below the data set's pipeline root, except pushed models and scores.

    `scoring` has the ids of known scoring runs. Of a run whose record was deleted, the id's begin tells the pipeline.
    """
    bucket, _, root = settings.root_of(folder.name).removeprefix("gs://").partition("/")
    serving_bucket, _, serving = settings.serving_of(folder.name).removeprefix("gs://").partition("/")
    pushed = (f"{serving.rpartition('/')[0]}/", f"{serving}/")  # of every data set; of this one

    def is_doomed(name: str) -> bool:
        if serving_bucket == bucket and name.startswith(pushed):
            return False
        parts = name[len(root) + 1 :].split("/")[:2]  # <project number>/<run's id>/...
        of_scoring = any(part in scoring or part.startswith(f"{SCORING.title(folder)}-") for part in parts)
        return of_scoring == (kind is SCORING)

    doomed = [blob for blob in _there(clients.storage.list_blobs(bucket, prefix=f"{root}/")) if is_doomed(blob.name)]
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
