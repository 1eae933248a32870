import numpy as np
import pyarrow as pa
import pytest

from models.features import FeatureSet
from pipeline.components.leakage import LeakageProbe, ranking_auc

FEATURES = FeatureSet.from_config(
    [
        {"name": "honest", "kind": "numeric"},
        {"name": "leak", "kind": "numeric"},
        {"name": "constant", "kind": "categorical"},
        {"name": "unique", "kind": "categorical"},
        {"name": "outcome", "kind": "categorical"},
    ]
)


def batch(rows=4000, split="train"):
    rng = np.random.default_rng(0)
    label = (rng.random(rows) < 0.2).astype(np.int64)
    return pa.RecordBatch.from_pydict(
        {
            "split": pa.array([split] * rows),
            "y": pa.array(label),
            "honest": pa.array(label + rng.normal(size=rows)),
            "leak": pa.array(np.where(label == 1, 5.0, rng.random(rows)), mask=label == 0),
            "constant": pa.array(["x"] * rows),
            "unique": pa.array([f"v{i}" for i in range(rows)]),
            "outcome": pa.array([("bought" if y else None) for y in label]),
        }
    )


def warnings(*batches):
    probe = LeakageProbe(FEATURES, "y")
    assert sum(b.num_rows for b in probe.watch(iter(batches))) == sum(b.num_rows for b in batches)
    return probe.warnings()


def test_only_features_that_know_the_label_are_told():
    told = warnings(batch())
    assert len(told) == 2
    assert "'leak' alone predicts the label" in told[0]
    assert "'outcome' alone predicts the label" in told[1]


def test_only_training_rows_are_looked_at():
    assert warnings(batch(split="test")) == []


def test_ranking_auc_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 500)
    scores = np.round(label * 0.4 + rng.random(500), 1)  # with ties
    assert ranking_auc(scores, label) == pytest.approx(metrics.roc_auc_score(label, scores), abs=1e-12)
