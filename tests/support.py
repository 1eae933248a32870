"""What several tests look at a run with."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 3000  # of table()


def states(home: Path) -> list[dict[str, str]]:
    """For each pipeline run in ML Metadata, oldest first: the last known state of each node."""
    from ml_metadata.metadata_store import metadata_store
    from ml_metadata.proto import metadata_store_pb2
    from tfx.orchestration import metadata

    if not (home / "metadata.sqlite").exists():
        return []
    store = metadata_store.MetadataStore(metadata.sqlite_metadata_connection_config(str(home / "metadata.sqlite")))
    found = []
    for run in sorted(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id):
        nodes = {}
        for execution in store.get_executions_by_context(run.id):
            [node] = [c.name for c in store.get_contexts_by_execution(execution.id) if c.type == "node"]
            state = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
            nodes[node.rpartition(".")[2]] = state
        found.append(nodes)
    return found


def folder_digest(folder: Path) -> str:
    """A digest of all names and bytes below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def table(**columns):
    """A table that the data set `small` can be trained on, but for the given columns."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "customer": [f"customer-{i}" for i in range(ROWS)],
            "visits": rng.poisson(3, ROWS),
            "spent": rng.exponential(10, ROWS),
            "country": rng.choice(["DE", "FR"], ROWS),
            "bought": rng.integers(0, 2, ROWS),
            **columns,
        }
    )
