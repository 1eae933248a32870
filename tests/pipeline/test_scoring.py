import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx_bsl.coders import example_coder

from pipeline import scoring
from pipeline.scoring import ScoringError, read_examples, read_units, score_split
from tests.pipeline.small_models import (
    COUNTRIES,
    linear_score,
    raw_rows,
    save_altered_model,
    save_small_model,
    write_examples,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("model") / "saved")


def expected(rows, weight=0.1):
    visits = np.array([row["visits"] or 0 for row in rows], np.float32)
    country = [COUNTRIES.index(row["country"]) if row["country"] in COUNTRIES else len(COUNTRIES) for row in rows]
    return 1 / (1 + np.exp(-(weight * visits + 0.5 * np.array(country) - 2)))


def test_all_files_and_batches_are_scored_in_order(tmp_path, model, monkeypatch):
    monkeypatch.setattr(scoring, "_BATCH", 7)
    rows = raw_rows()
    other = save_small_model(tmp_path / "other", lambda transformed: linear_score(transformed, 0.3))
    scored = score_split(
        write_examples(tmp_path / "examples", rows, files=3),
        "eval",
        {"keras": model, "xgboost": other},
        label="bought",
        columns=["country", "day"],
    )
    assert scored.label.dtype == np.int8 and scored.label.tolist() == [row["bought"] for row in rows]
    assert scored.unit.dtype == "S32" and scored.unit.tolist() == [row["unit"].encode() for row in rows]
    assert scored.columns["country"].tolist() == [row["country"] or "(not set)" for row in rows]
    assert set(scored.columns["day"]) == {"2025-11-03"}
    assert scored.predictions["keras"].dtype == np.float64
    np.testing.assert_allclose(scored.predictions["keras"], expected(rows), atol=1e-6)
    np.testing.assert_allclose(scored.predictions["xgboost"], expected(rows, 0.3), atol=1e-6)


def test_examples_of_our_own_encoder_are_read_too(tmp_path, model):
    """It writes a missing value otherwise than the stock executor: see example_batches.to_feature_lists."""
    rows = raw_rows(5)
    batch = pa.RecordBatch.from_pydict(
        {
            "visits": pa.array([[row["visits"]] if row["visits"] else None for row in rows], pa.list_(pa.float32())),
            "country": pa.array([None, [b"de"], None, [b"fr"], [b"de"]], pa.list_(pa.binary())),
            "bought": pa.array([[row["bought"]] for row in rows], pa.list_(pa.int64())),
            "unit": pa.array([[row["unit"].encode()] for row in rows], pa.list_(pa.binary())),
        }
    )
    examples = write_examples(tmp_path, [])
    [path] = tmp_path.glob("Split-eval/*.gz")
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for example in example_coder.RecordBatchToExamplesEncoder().encode(batch):
            writer.write(example)
    scored = score_split(examples, "eval", {"keras": model}, label="bought", columns=["country", "absent"])
    assert scored.columns["country"].tolist() == ["(not set)", "de", "(not set)", "fr", "de"]
    assert set(scored.columns["absent"]) == {"(not set)"}
    seen = [{**row, "country": name} for row, name in zip(rows, [None, "de", None, "fr", "de"], strict=True)]
    np.testing.assert_allclose(scored.predictions["keras"], expected(seen), atol=1e-6)


def test_only_the_first_rows_are_read_where_that_is_asked_for(tmp_path, model):
    rows = raw_rows()
    examples = write_examples(tmp_path, rows, files=2)
    assert score_split(examples, "eval", {"keras": model}, label="bought", rows=3).label.tolist() == [
        row["bought"] for row in rows[:3]
    ]
    assert len(read_examples(examples, "eval", 25)) == 25


def test_nan_is_left_to_the_caller(tmp_path, model):
    nan = save_altered_model(model, tmp_path / "nan", serving_default=lambda values: values * np.nan)
    scored = score_split(write_examples(tmp_path / "e", raw_rows(3)), "eval", {"keras": nan}, label="bought")
    assert np.isnan(scored.predictions["keras"]).all()


def test_a_model_that_cannot_be_loaded_or_called_is_named(tmp_path, model):
    examples = write_examples(tmp_path / "examples", raw_rows())
    with pytest.raises(ScoringError, match="model 'champion' cannot be loaded") as error:
        score_split(examples, "eval", {"keras": model, "champion": str(tmp_path / "gone")}, label="bought")
    assert error.value.model == "champion"
    unlike = save_altered_model(model, tmp_path / "unlike", serving_default=None)
    with pytest.raises(ScoringError, match=r"model 'xgboost' cannot be loaded.*serving_default"):
        score_split(examples, "eval", {"xgboost": unlike}, label="bought")
    strict = save_small_model(tmp_path / "strict", required=("visits",))
    with pytest.raises(ScoringError, match=r"model 'keras' cannot be called.*visits"):
        score_split(examples, "eval", {"keras": strict}, label="bought")
    summed = save_altered_model(model, tmp_path / "summed", serving_default=tf.reduce_sum)
    with pytest.raises(ScoringError, match=r"model 'keras' returns \(\) for 40 rows"):
        score_split(examples, "eval", {"keras": summed}, label="bought")


def test_a_split_without_files_is_named(tmp_path, model):
    examples = write_examples(tmp_path, raw_rows())
    [path] = tmp_path.glob("Split-eval/*.gz")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no files of the split 'eval'"):
        score_split(examples, "eval", {"keras": model}, label="bought")


def test_units_are_distinct(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_BATCH", 7)
    examples = write_examples(tmp_path, raw_rows(30), split="train", files=2)
    units = read_units(examples, "train")
    assert units.tolist() == [f"{i:032x}".encode() for i in range(15)]
