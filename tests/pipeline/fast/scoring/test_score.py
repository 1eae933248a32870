import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from tfx_bsl.coders import example_coder

from pipeline.examples import work_units
from pipeline.fast.scoring.model import ScoringError
from pipeline.fast.scoring.score import read_examples, score_split
from pipeline.fast.scoring.work import OnBeam
from tests.pipeline.small_models import (
    COUNTRIES,
    linear_score,
    raw_rows,
    save_altered_model,
    save_small_model,
    write_examples,
    write_parquet_examples,
)

each_format = pytest.mark.parametrize("write", [write_examples, write_parquet_examples])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("model") / "saved")


def expected(rows, weight=0.1):
    visits = np.array([row["visits"] or 0 for row in rows], np.float32)
    country = [COUNTRIES.index(row["country"]) if row["country"] in COUNTRIES else len(COUNTRIES) for row in rows]
    return 1 / (1 + np.exp(-(weight * visits + 0.5 * np.array(country) - 2)))


@each_format
def test_all_files_and_batches_are_scored_in_order(tmp_path, model, monkeypatch, write):
    monkeypatch.setattr(work_units, "_BATCH", 7)
    rows = raw_rows()
    other = save_small_model(tmp_path / "other", lambda transformed: linear_score(transformed, 0.3))
    scored = score_split(
        write(tmp_path / "examples", rows, files=3),
        "eval",
        {"keras": model, "xgboost": other},
        label="bought",
        columns=["country", "day"],
    )
    assert scored.label.dtype == np.int8 and scored.label.tolist() == [row["bought"] for row in rows]
    assert scored.unit.dtype == np.int32 and scored.unit.tolist() == [number // 2 for number in range(len(rows))]
    assert scored.columns["country"].texts().tolist() == [row["country"] or "(not set)" for row in rows]
    assert ((scored.columns["country"].codes == -1) == [row["country"] is None for row in rows]).all()
    assert set(scored.columns["day"].texts()) == {"2025-11-03"}
    assert scored.predictions["keras"].dtype == np.float64
    np.testing.assert_allclose(scored.predictions["keras"], expected(rows), atol=1e-6)
    np.testing.assert_allclose(scored.predictions["xgboost"], expected(rows, 0.3), atol=1e-6)
    assert scored.seen == {}


@pytest.mark.parametrize(
    ("write", "mode"),
    [(write_examples, "multi_threading"), (write_parquet_examples, "multi_processing")],
)
def test_several_workers_give_the_same(tmp_path, model, write, mode):
    rows = raw_rows(300)
    examples = write(tmp_path, rows, files=3)
    write(tmp_path, rows[:50], split="train")
    examples.split_names = '["train", "eval"]'
    options = PipelineOptions(
        runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner",
        direct_running_mode=mode,
        direct_num_workers=2,
    )
    on_beam = OnBeam(lambda: beam.Pipeline(options=options), str(tmp_path / "workers"))
    asked = {"label": "bought", "columns": ["country"], "seen_in": ["train"]}
    here = score_split(examples, "eval", {"keras": model}, **asked)
    there = score_split(examples, "eval", {"keras": model}, **asked, on_beam=on_beam)
    np.testing.assert_array_equal(there.label, here.label)
    np.testing.assert_array_equal(there.unit, here.unit)
    np.testing.assert_array_equal(there.columns["country"].texts(), here.columns["country"].texts())
    np.testing.assert_allclose(there.predictions["keras"], here.predictions["keras"], rtol=1e-6)
    expected_seen = [number < 50 for number in range(len(rows))]
    assert here.seen.keys() == there.seen.keys() == {"train"}
    assert here.seen["train"].tolist() == there.seen["train"].tolist() == expected_seen
    assert list((tmp_path / "workers").iterdir()) == [], "what workers wrote holds users' digests"


def test_parquet_and_tf_examples_give_the_same_serialised_rows(tmp_path):
    rows = raw_rows(20)
    written = read_examples(write_parquet_examples(tmp_path / "parquet", rows, files=2, row_group=3), "eval", 15)
    kept = read_examples(write_examples(tmp_path / "tf", rows), "eval", 15)
    assert len(written) == 15

    def features(serialised):
        example = tf.train.Example.FromString(serialised)
        return {name: feature for name, feature in example.features.feature.items() if feature.WhichOneof("kind")}

    assert [features(row) for row in written] == [features(row) for row in kept]


def test_a_column_that_parquet_lacks_counts_as_missing(tmp_path, model):
    rows = [{key: value for key, value in row.items() if key != "visits"} for row in raw_rows(5)]
    scored = score_split(write_parquet_examples(tmp_path, rows), "eval", {"keras": model}, label="bought")
    np.testing.assert_allclose(
        scored.predictions["keras"], expected([{**row, "visits": None} for row in rows]), atol=1e-6
    )
    with pytest.raises(KeyError, match="no column 'gone'"):
        score_split(write_parquet_examples(tmp_path / "2", rows), "eval", {}, label="gone")


def test_a_column_of_numbers_is_no_slice(tmp_path):
    with pytest.raises(TypeError, match="column 'visits' holds float, not text"):
        score_split(write_parquet_examples(tmp_path, raw_rows()), "eval", {}, label="bought", columns=["visits"])


def test_examples_of_our_own_encoder_are_read_too(tmp_path, model):
    """It writes a missing value otherwise than the stock executor: see encoding.to_feature_lists."""
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
    assert scored.columns["country"].texts().tolist() == ["(not set)", "de", "(not set)", "fr", "de"]
    assert set(scored.columns["absent"].texts()) == {"(not set)"}
    seen = [{**row, "country": name} for row, name in zip(rows, [None, "de", None, "fr", "de"], strict=True)]
    np.testing.assert_allclose(scored.predictions["keras"], expected(seen), atol=1e-6)


@each_format
def test_only_the_first_rows_are_read_where_that_is_asked_for(tmp_path, model, write):
    rows = raw_rows()
    examples = write(tmp_path, rows, files=2)
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
    with pytest.raises(FileNotFoundError, match="Split-eval: no files of examples"):
        score_split(examples, "eval", {"keras": model}, label="bought")
