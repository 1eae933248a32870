"""Whether artifacts still hold what their component wrote, so that TFX's cache never serves what is gone.

TFX's cache looks only at whether an artifact's folder exists. So each artifact is given a custom property when its
component has ended: a digest of the names and sizes of its files. Before a component runs, its earlier artifacts are
held against theirs. One that lost files, or whose files were cut, gets the state DELETED, and TFX's cache leaves it
out: the component makes it again.

Files that were replaced by others of the same size are not noticed: reading all content would cost too much. Only
artifacts on this machine are looked at, and only those that their node wrote, not those that it imported.
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
    """Records what the newest execution of a node left in its artifacts, unless they came from the cache.

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
    """Takes a node's artifacts whose files are gone or cut out of the cache.

    A blessed model stays as it is: the resolver has to find the champion, whatever became of its files.

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
    """Whether a live artifact no longer holds what was recorded; False where nothing was."""
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
