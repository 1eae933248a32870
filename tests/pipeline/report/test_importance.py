import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from models.features import FeatureSet
from pipeline.report import importance
from pipeline.report.importance import RawRows, permutation_importance, read_rows, rows_to_measure
from tests.pipeline.report.toy_model import save_toy_model

FEATURES = FeatureSet.from_config([{"name": "visits", "kind": "numeric"}, {"name": "country", "kind": "categorical"}])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_toy_model(str(tmp_path_factory.mktemp("model")))


def rows(count=2000):
    rng = np.random.default_rng(0)
    visits = rng.normal(size=count).astype(np.float32)
    label = (rng.random(count) < 1 / (1 + np.exp(-visits))).astype(np.int64)
    visits[::10] = np.nan
    return RawRows({"visits": visits, "country": rng.choice([b"DE", b""], count).astype(object)}, label)


def test_only_what_the_model_uses_is_important(model):
    found = permutation_importance(model, rows())
    assert found.rows == 2000
    assert found.rise["visits"] > 10 * found.standard_error["visits"] > 0
    assert (found.rise["country"], found.standard_error["country"]) == (0, 0)


def test_the_log_loss_is_that_of_the_rows_as_they_are(model):
    given = rows()
    logit = np.nan_to_num(given.tensors["visits"])
    expected = np.mean(np.log1p(np.exp(np.where(given.label == 1, -logit, logit))))
    assert permutation_importance(model, given).log_loss == pytest.approx(expected, abs=1e-6)


def test_the_order_of_rows_is_left_alone_and_two_calls_agree(model):
    given = rows()
    before = given.tensors["visits"].copy()
    assert permutation_importance(model, given) == permutation_importance(model, given)
    np.testing.assert_array_equal(given.tensors["visits"], before)


def test_turns_that_share_a_call_change_no_importance(model, monkeypatch):
    given = rows(500)
    together = permutation_importance(model, given)
    monkeypatch.setattr(importance, "MOST_ROWS", 1)  # one turn a call
    alone = permutation_importance(model, given)
    assert together.rise == pytest.approx(alone.rise, abs=1e-9)
    assert together.standard_error == pytest.approx(alone.standard_error, abs=1e-9)


def test_the_cells_of_all_calls_grow_with_the_features_alone():
    """Each feature has its turn, and a turn reads all features: fewer rows must make up for it."""

    def cells(features):
        return features * features * rows_to_measure(features)

    assert rows_to_measure(45) == rows_to_measure(100) == 2000
    for features in (200, 500, 1000, 2000):
        assert cells(features) == features * 200_000


def write_records(folder):
    with tf.io.TFRecordWriter(f"{folder}/data.gz", tf.io.TFRecordOptions("GZIP")) as writer:
        for i in range(10):
            example = tf.train.Example()
            example.features.feature["y"].int64_list.value.append(i % 2)
            if i % 4:
                example.features.feature["visits"].float_list.value.append(i)
                example.features.feature["country"].bytes_list.value.append(b"DE")
            else:
                example.features.feature["visits"].float_list.SetInParent()
            writer.write(example.SerializeToString())


def write_parquet(folder):
    table = pa.table(
        {
            "y": pa.array([[i % 2] for i in range(10)], pa.large_list(pa.int64())),
            "visits": pa.array([[i] if i % 4 else None for i in range(10)], pa.large_list(pa.float32())),
            "country": pa.array([[b"DE"] if i % 4 else None for i in range(10)], pa.large_list(pa.large_binary())),
        }
    )
    for part in range(2):  # every second row of the second file is at odd places of the split
        pq.write_table(table.slice(7 * part, 7), f"{folder}/data-{part}.parquet")


@pytest.mark.parametrize("write", [write_records, write_parquet])
def test_rows_are_spread_over_the_split_and_missing_values_are_told(tmp_path, write):
    folder = tmp_path / "Split-eval"
    folder.mkdir()
    write(folder)
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = str(tmp_path), '["eval"]'
    found = read_rows(examples, "eval", FEATURES, "y", rows=10, most=5)
    assert found.tensors["visits"].dtype == np.float32
    np.testing.assert_array_equal(found.tensors["visits"], np.float32([np.nan, 2, np.nan, 6, np.nan]))
    assert found.tensors["country"].tolist() == [b"", b"DE", b"", b"DE", b""]
    assert found.label.dtype == np.int64
    assert found.label.tolist() == [0] * 5
    assert len(read_rows(examples, "eval", FEATURES, "y", rows=10).label) == 10


def test_a_split_without_rows_is_named(tmp_path):
    (tmp_path / "Split-eval").mkdir()
    pq.write_table(
        pa.table({name: pa.array([], pa.large_list(pa.int64())) for name in ("y", "visits", "country")}),
        tmp_path / "Split-eval" / "data.parquet",
    )
    examples = standard_artifacts.Examples()
    examples.uri, examples.split_names = str(tmp_path), '["eval"]'
    with pytest.raises(ValueError, match="split 'eval' has no rows"):
        read_rows(examples, "eval", FEATURES, "y", rows=0)
