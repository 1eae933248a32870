import json
import types

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils
from tfx.components.tuner import executor
from tfx.dsl.components.base import base_executor
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts
from tfx.utils import json_utils, proto_utils
from tfx_bsl.tfxio import tf_example_record

import preprocessing
from models.families import FAMILIES
from models.families.contract import hyperparameters_class, load_tuning_module
from models.features import FeatureSet
from pipeline.examples.files import LostExamplesError
from pipeline.examples.raw import read_raw_training_data
from pipeline.examples.transformed import read_training_data
from pipeline.training import arguments

FEATURES = FeatureSet.from_config(
    [
        {"name": "visits", "kind": "numeric"},
        {"name": "country", "kind": "categorical"},
        {"name": "seconds", "kind": "numeric"},
    ]
)
SPEC = {
    "visits": tf.io.VarLenFeature(tf.float32),
    "seconds": tf.io.VarLenFeature(tf.float32),
    "country": tf.io.VarLenFeature(tf.string),
    "bought": tf.io.FixedLenFeature([], tf.int64),
}
ROWS = {"train": 900, "eval": 200}
QUICK = 20  # steps of a trial


def raw_rows(split):
    """Three rows a user; who visits often buys."""
    random = np.random.default_rng(len(split))
    for row in range(ROWS[split]):
        visits = float(random.integers(0, 20))
        yield {
            "visits": [] if row % 9 == 0 else [visits],
            "seconds": [random.lognormal()],
            "country": [[b"de"], [b"fr"], []][row % 3],
            "bought": int(random.random() < visits / 20),
            "unit": b"%032x" % (row // 3 * 2**100),
        }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Raw and transformed examples of two splits, and the transform graph, as TFX leaves them."""
    folder = tmp_path_factory.mktemp("tuner")
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    unit = {"unit": tf.io.FixedLenFeature([], tf.string)}
    raw = {split: list(raw_rows(split)) for split in ROWS}
    config = {"features": FEATURES.to_config(), "label": "bought", "quantiles": 50}
    with tft_beam.Context(temp_dir=str(folder / "beam")):
        transform_fn = (without_unit(raw["train"]), metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "graph"))
        for split, rows in raw.items():
            transformed, described = ((without_unit(rows), metadata), transform_fn) | tft_beam.TransformDataset()
            write_examples(folder / "transformed", split, transformed, described.schema)
            write_examples(folder / "raw", split, rows, schema_utils.schema_from_feature_spec({**SPEC, **unit}))
            write_parquet(folder / "parquet", split, rows)
    metadata_io.write_metadata(metadata, str(folder / "graph" / "metadata"))
    return folder


def without_unit(rows):
    return [{name: value for name, value in row.items() if name != "unit"} for row in rows]


def write_examples(folder, split, rows, schema):
    """Two gzipped files."""
    coder = tft.coders.ExampleProtoCoder(schema)
    path = folder / f"Split-{split}"
    path.mkdir(parents=True)
    for shard in range(2):
        with tf.io.TFRecordWriter(str(path / f"examples-0000{shard}-of-00002.gz"), "GZIP") as writer:
            for row in rows[shard::2]:
                writer.write(coder.encode(row))


def write_parquet(folder, split, rows):
    """Two Parquet files of the same rows, missing values as null lists."""
    types = {"visits": pa.float32(), "seconds": pa.float32(), "country": pa.large_binary(), "bought": pa.int64()}
    path = folder / f"Split-{split}"
    path.mkdir(parents=True)
    for shard in range(2):
        columns = {
            name: pa.array([_as_list(row[name]) for row in rows[shard::2]], pa.large_list(kind))
            for name, kind in {**types, "unit": pa.large_binary()}.items()
        }
        pq.write_table(pa.table(columns), path / f"examples-0000{shard}-of-00002.parquet")


def _as_list(value):
    return (value or None) if isinstance(value, list) else [value]


def read_raw(data, split, kind="raw"):
    output = tft.TFTransformOutput(str(data / "graph"))
    return read_raw_training_data([str(data / kind / f"Split-{split}" / "*")], output, FEATURES, "bought")


@pytest.mark.parametrize("split", ROWS)
def test_parquet_gives_the_same_rows_as_tf_examples(data, split):
    (expected, units), (found, found_units) = read_raw(data, split), read_raw(data, split, "parquet")
    for field in ("numbers", "categories", "label"):
        assert getattr(found, field).dtype == getattr(expected, field).dtype
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field))
    assert found_units.dtype == "S32"
    np.testing.assert_array_equal(found_units, units)


@pytest.mark.parametrize("split", ROWS)
def test_raw_examples_give_the_same_rows_as_transformed_ones(data, split):
    def record_batches(patterns, options, schema):
        source = tf_example_record.TFExampleRecord(patterns, schema=schema, telemetry_descriptors=["test"])
        return source.RecordBatches(options)

    accessor = types.SimpleNamespace(record_batch_factory=record_batches)
    patterns = [str(data / "transformed" / f"Split-{split}" / "*")]
    output = tft.TFTransformOutput(str(data / "graph"))
    expected = read_training_data(patterns, accessor, output, FEATURES, "bought")
    found, units = read_raw(data, split)
    assert units.dtype == "S32" and len(units) == len(found) == ROWS[split]
    assert np.isnan(found.numbers).any() and found.categories.max() > 0
    for field in ("numbers", "categories", "label"):
        assert getattr(found, field).dtype == getattr(expected, field).dtype
    assert np.array_equal(table(found), table(expected), equal_nan=True)


def table(data):
    """The rows as one matrix, sorted."""
    matrix = np.hstack([data.numbers, data.categories, data.label[:, np.newaxis]])
    return matrix[np.lexsort(matrix.T)]


def test_each_raw_row_keeps_its_unit(data):
    found, units = read_raw(data, "train")
    labels = {row["unit"]: [] for row in raw_rows("train")}
    for row in raw_rows("train"):
        labels[row["unit"]].append(row["bought"])
    for unit in labels:
        assert sorted(found.label[units == unit]) == sorted(labels[unit])


def test_empty_split_is_named(data):
    output = tft.TFTransformOutput(str(data / "graph"))
    with pytest.raises(LostExamplesError, match="Split-test: there is no such folder"):
        read_raw_training_data([str(data / "raw" / "Split-test" / "*")], output, FEATURES, "bought")


def run_tuner(data, family, search, trials, folder):
    """Runs TFX's Tuner; returns the best hyperparameters and the table of trials that it leaves."""

    def artifact(kind, uri):
        made = kind()
        made.uri = str(uri)
        return made

    examples = artifact(standard_artifacts.Examples, data / "raw")
    examples.split_names = '["train", "eval"]'
    graph = artifact(standard_artifacts.TransformGraph, data / "graph")
    outputs = {
        "best_hyperparameters": [artifact(standard_artifacts.HyperParameters, folder / "best")],
        "tuner_results": [artifact(standard_artifacts.TunerResults, folder / "results")],
    }
    config = {
        **arguments.config(family, FEATURES, "bought", quick(family)),
        "tuning": {"search": search, "trials": trials, "folds": 3},
    }
    properties = {
        "tuner_fn": "pipeline.training.tuner_fn.tuner_fn",
        "train_args": proto_utils.proto_to_json(trainer_pb2.TrainArgs(splits=["train"])),
        "eval_args": proto_utils.proto_to_json(trainer_pb2.EvalArgs(splits=["eval"])),
        "custom_config": json_utils.dumps(config),
    }
    context = base_executor.BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
    executor.Executor(context).Do({"examples": [examples], "transform_graph": [graph]}, outputs, properties)
    [best] = (folder / "best").iterdir()
    return json.loads(best.read_text()), json.loads((folder / "results" / "tuner_results.json").read_text())


def quick(family):
    """Hyperparameters with which a trial ends soon."""
    return hyperparameters_class(family)(seed=3).limited_to(QUICK)


@pytest.mark.parametrize("search, trials", [("random", 2), ("bayesian", 4)])
@pytest.mark.parametrize("family", FAMILIES)
def test_tuner_leaves_hyperparameters_that_the_trainer_takes(data, tmp_path, caplog, family, search, trials):
    with caplog.at_level("INFO", logger="propensity"):
        best, results = run_tuner(data, family, search, trials, tmp_path)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("propensity.")]
    assert [line.split(":")[0] for line in lines] == [f"trial {i + 1} of {trials}" for i in range(trials)]
    assert len(results) == trials
    scores = [result["score"] for result in results]
    assert scores == sorted(scores) and 0.4 < scores[0] <= scores[-1] < 0.8
    assert {name: results[0][name] for name in best["values"]} == best["values"]
    quick(family).tuned(best)


@pytest.mark.parametrize("family", FAMILIES)
def test_first_trial_has_the_familys_settings(family):
    """So the best trial is never worse than training without a search."""
    settings = quick(family)
    space = load_tuning_module(family).search_space(settings, ROWS["train"])
    chosen = settings.with_values({number.name: number.default for number in space.space})
    if hasattr(settings, "for_rows"):
        settings, chosen = (of.for_rows(ROWS["train"]) for of in (settings, chosen))
    assert chosen == settings
