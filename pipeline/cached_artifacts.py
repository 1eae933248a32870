"""Checks that artifacts still hold the files that their component wrote, so TFX's cache never returns lost files.

TFX's cache only checks that an artifact's folder exists. So when a component has ended, each of its artifacts gets a
custom property: a digest of the names and sizes of its files. Before a component runs, its earlier artifacts are
compared with their digests. An artifact that lost files, or whose files were cut, gets the state DELETED. TFX's cache
then ignores it, and the component makes it again.

A file that was replaced by another one of the same size goes unnoticed, because reading all content would cost too
much. Only artifacts on this machine are checked, and only those that their node wrote, not those that it imported.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.fast.compat import evaluator_constants as constants

CONTENTS = "contents"  # the custom property

_NODE = "node"  # the type of TFX's context of all executions of a node


def record_contents(store: metadata_store.MetadataStore, pipeline_name: str, node: str) -> int | None:
    """Records which files the newest execution of a node wrote, unless its artifacts came from the cache.

    Args:
        store: the open metadata store.
        pipeline_name: the pipeline's name.
        node: the node's id. Call this before a later node begins: TFX's cache keys cover the properties of inputs.

    Returns:
        The state of the newest execution, such as Execution.CACHED; None if there is none.
    """
    newest = max(_executions(store, pipeline_name, node), key=lambda execution: execution.id, default=None)
    if newest is None or newest.last_known_state != metadata_store_pb2.Execution.COMPLETE:
        return newest and newest.last_known_state
    artifacts = [artifact for artifact in _outputs(store, [newest.id]) if f"/{node}/" in artifact.uri]
    for artifact in artifacts:
        artifact.custom_properties[CONTENTS].string_value = contents(artifact.uri)
    store.put_artifacts(artifacts)
    return newest.last_known_state


def withdraw_broken(
    store: metadata_store.MetadataStore, pipeline_name: str, node: str
) -> list[metadata_store_pb2.Artifact]:
    """Withdraws a node's artifacts from the cache if files of theirs are gone or were cut.

    A blessed model keeps its state: the resolver must find the champion even if its files are gone.

    Args:
        store: the open metadata store.
        pipeline_name: the pipeline's name.
        node: the node's id.

    Returns:
        The artifacts that are withdrawn, now in the state DELETED.
    """
    executions = [
        execution.id
        for execution in _executions(store, pipeline_name, node)
        if execution.last_known_state == metadata_store_pb2.Execution.COMPLETE
    ]
    broken = [artifact for artifact in _outputs(store, executions) if is_broken(artifact)]
    if broken:
        blessed = set(_blessed(store))
        broken = [artifact for artifact in broken if artifact.id not in blessed]
    for artifact in broken:
        artifact.state = metadata_store_pb2.Artifact.DELETED
    store.put_artifacts(broken)
    return broken


def is_broken(artifact: metadata_store_pb2.Artifact) -> bool:
    """Whether a live artifact differs from its recorded digest; False without one."""
    recorded = artifact.custom_properties[CONTENTS].string_value if CONTENTS in artifact.custom_properties else ""
    live = artifact.state == metadata_store_pb2.Artifact.LIVE
    return bool(live and recorded and recorded != contents(artifact.uri))


def contents(uri: str) -> str:
    """Digest of the names and sizes of the files below a folder: 16 hexadecimal digits; of no files if it is gone."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(uri) for name in names]
    files = sorted(f"{os.path.relpath(path, uri)}\0{os.path.getsize(path)}" for path in paths)
    return hashlib.sha256("\n".join(files).encode()).hexdigest()[:16]


def _executions(
    store: metadata_store.MetadataStore, pipeline_name: str, node: str
) -> list[metadata_store_pb2.Execution]:
    context = store.get_context_by_type_and_name(_NODE, f"{pipeline_name}.{node}")
    return store.get_executions_by_context(context.id) if context else []


def _outputs(store: metadata_store.MetadataStore, executions: list[int]) -> list[metadata_store_pb2.Artifact]:
    events: Iterable[metadata_store_pb2.Event] = store.get_events_by_execution_ids(executions) if executions else ()
    ids = [event.artifact_id for event in events if event.type == metadata_store_pb2.Event.OUTPUT]
    return store.get_artifacts_by_id(ids) if ids else []


def _blessed(store: metadata_store.MetadataStore) -> Iterator[int]:
    """Ids of the models that have been champions."""
    for blessing in store.get_artifacts_by_type("ModelBlessing"):
        properties = blessing.custom_properties
        if properties[constants.ARTIFACT_PROPERTY_BLESSED_KEY].int_value == constants.BLESSED_VALUE:
            yield properties[constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY].int_value
