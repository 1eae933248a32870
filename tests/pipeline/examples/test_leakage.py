import numpy as np
import pyarrow as pa
import pytest

from models.features import FeatureSet
from pipeline.examples.leakage import LeakageProbe, leakage_warnings, ranking_auc

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


def single_feature_auc(*batches):
    probe = LeakageProbe(FEATURES, "y")
    assert sum(b.num_rows for b in probe.watch(iter(batches))) == sum(b.num_rows for b in batches)
    return probe.single_feature_auc()


def test_each_feature_is_measured_alone_in_its_better_direction():
    data = batch()
    label, honest = (np.array(data.column(data.schema.get_field_index(name))) for name in ("y", "honest"))
    found = single_feature_auc(data)
    assert list(found) == list(FEATURES.names)
    assert found["honest"] == ranking_auc(honest, label)
    assert found["leak"] == 1
    assert found["constant"] == pytest.approx(0.5, abs=0.03)
    backwards = pa.RecordBatch.from_pydict({**data.to_pydict(), "honest": -honest})
    assert single_feature_auc(backwards)["honest"] == pytest.approx(found["honest"])


def test_too_few_positives_are_not_measured():
    assert single_feature_auc(batch(rows=100)) == {}


def test_only_features_that_know_the_label_are_told():
    told = leakage_warnings(single_feature_auc(batch()))
    assert len(told) == 2
    assert "'leak' alone predicts the label" in told[0]
    assert "'outcome' alone predicts the label" in told[1]


def test_only_training_rows_are_looked_at():
    assert single_feature_auc(batch(split="test")) == {}


def test_ranking_auc_equals_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 500)
    scores = np.round(label * 0.4 + rng.random(500), 1)  # with ties
    assert ranking_auc(scores, label) == pytest.approx(metrics.roc_auc_score(label, scores), abs=1e-12)
