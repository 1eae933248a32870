"""What several tests look at a run with."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from pipeline.settings.dataset_folder import DatasetFolder

ROWS = 3000  # of table()
NUMBERS_AND_CATEGORIES = (
    {"name": "count", "kind": "numeric", "missing": "zero"},
    {"name": "ratio", "kind": "numeric"},
    {"name": "country", "kind": "categorical", "slice": True},
    {"name": "city", "kind": "categorical"},
)


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


def tf_examples(folder: str | Path) -> list:
    """The tf.Examples in the folder of a split, in either format."""
    import tensorflow as tf

    from pipeline.examples import files

    batches = files.serialised(files.matching(f"{folder}/*"))
    return [tf.train.Example.FromString(record) for batch in batches for record in batch]


def folder_digest(folder: Path) -> str:
    """A digest of all names and bytes below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def folder_of(features) -> DatasetFolder:
    """A data set whose rows have a user, a day, the label `y` and these features."""
    return DatasetFolder.from_config(
        {
            "name": "small",
            "query": "SELECT 1",
            "dataset": {
                "source": {"kind": "table", "table": "t"},
                "columns": {"label": "y", "key": "user", "date": "day"},
                "split": {"test_percent": 20},
            },
            "features": list(features),
        }
    )


def write_small_data_set(root: Path) -> Path:
    """Writes the data set `small`, of table(), below a schema folder; returns its folder."""
    folder = root / "small"
    folder.mkdir(parents=True)
    (folder / "dataset.yaml").write_text(
        yaml.safe_dump(
            {
                "source": {"kind": "table", "table": "customers"},
                "columns": {"label": "bought", "key": "customer"},
                "split": {"test_percent": 20},
                "training": {"families": ["xgboost"]},
                "infra_check": {"p99_ms": 10_000},  # of a machine that runs other tests too
            }
        )
    )
    (folder / "features.yaml").write_text(
        yaml.safe_dump(
            {
                "features": [
                    {"name": "visits", "kind": "numeric"},
                    {"name": "spent", "kind": "numeric"},
                    {"name": "country", "kind": "categorical", "vocabulary": 10, "slice": True},
                ]
            }
        )
    )
    (folder / "query.sql").write_text("SELECT customer, visits, spent, country, bought FROM `customers` AS c")
    return folder


def table(rows=ROWS, **columns):
    """A table that a model of the data set `small` learns something from, but for the given columns.

    With another number of rows it begins with the same ones; a test split of 20 % has about 40 % positives.
    """
    rng = np.random.default_rng(0)
    visits, spent = rng.poisson(3, 4 * ROWS), rng.exponential(10, 4 * ROWS)
    country, chance = rng.choice(["DE", "FR"], 4 * ROWS), rng.random(4 * ROWS)
    log_odds = 0.6 * (visits - 3) + 0.08 * (spent - 10) + np.where(country == "DE", 0.5, -0.5) - 0.5
    frame = pd.DataFrame(
        {
            "customer": [f"customer-{i}" for i in range(4 * ROWS)],
            "visits": visits,
            "spent": spent,
            "country": country,
            "bought": (chance < 1 / (1 + np.exp(-log_odds))).astype(int),
        }
    )
    return frame.head(rows).assign(**columns)
