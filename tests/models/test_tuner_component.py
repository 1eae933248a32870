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
from models.families.keras import tuning as keras_tuning
from models.families.keras.hyperparameters import Hyperparameters as KerasHyperparameters
from models.families.keras.training import compile_predict, log_loss, train
from models.families.xgboost import tuning as xgboost_tuning
from models.families.xgboost.hyperparameters import Hyperparameters as XGBoostHyperparameters
from models.features import FeatureSet
from models.training_data import TrainingData
from models.tuned import settings_from
from pipeline.examples.raw import read_raw_training_data
from pipeline.examples.transformed import read_training_data

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
QUICK = {"keras": {"max_steps": 20, "seed": 3}, "xgboost": {"max_rounds": 30, "threads": 1}}
ROWS = {"train": 900, "eval": 200}
DEFAULTS = {
    "keras": KerasHyperparameters(**QUICK["keras"]).for_rows(ROWS["train"]),
    "xgboost": XGBoostHyperparameters(**QUICK["xgboost"]),
}


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
    with pytest.raises(ValueError, match="no raw examples"):
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
        "features": FEATURES.to_config(),
        "label": "bought",
        "hyperparameters": QUICK[family],
        "tuning": {"search": search, "trials": trials, "folds": 3},
    }
    properties = {
        "tuner_fn": f"models.families.{family}.tuning.tuner_fn",
        "train_args": proto_utils.proto_to_json(trainer_pb2.TrainArgs(splits=["train"])),
        "eval_args": proto_utils.proto_to_json(trainer_pb2.EvalArgs(splits=["eval"])),
        "custom_config": json_utils.dumps(config),
    }
    context = base_executor.BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
    executor.Executor(context).Do({"examples": [examples], "transform_graph": [graph]}, outputs, properties)
    [best] = (folder / "best").iterdir()
    return json.loads(best.read_text()), json.loads((folder / "results" / "tuner_results.json").read_text())


@pytest.mark.parametrize("family, search, trials", [("keras", "random", 2), ("xgboost", "bayesian", 5)])
def test_tuner_leaves_hyperparameters_that_the_trainer_takes(data, tmp_path, caplog, family, search, trials):
    with caplog.at_level("INFO", logger="propensity"):
        best, results = run_tuner(data, family, search, trials, tmp_path)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("propensity.")]
    assert [line.split(":")[0] for line in lines] == [f"trial {i + 1} of {trials}" for i in range(trials)]
    assert len(results) == trials
    scores = [result["score"] for result in results]
    assert scores == sorted(scores) and 0.4 < scores[0] < scores[-1] < 0.8
    assert {name: results[0][name] for name in best["values"]} == best["values"]

    [first] = [result for result in results if result["trial_id"] == "0"]
    assert (
        settings_from({"values": {name: first[name] for name in best["values"]}}, DEFAULTS[family]) == DEFAULTS[family]
    )
    settings_from(best, DEFAULTS[family])


def test_score_of_the_keras_family_is_the_eval_log_loss_that_a_trainer_gets(data):
    training, evaluation = read_raw(data, "train")[0], read_raw(data, "eval")[0]
    score = keras_tuning._eval_log_loss(training, evaluation, FEATURES, (3,), DEFAULTS["keras"])
    values = {"hidden_units": 32, "dropout": 0.2}
    chosen = DEFAULTS["keras"].model_copy(update={"hidden": (32, 32), "dropout": 0.2})
    network = train(training, evaluation, FEATURES, (3,), chosen)
    assert score(values) == log_loss(evaluation.label, compile_predict(network)(evaluation))


def test_rows_of_a_unit_share_a_fold_and_folds_are_even():
    units = np.repeat(np.array([b"%032x" % unit for unit in range(100)]), np.arange(100) % 4 + 1)
    folds = xgboost_tuning.deal_into_folds(units, 3, seed=1)
    by_unit = [set(folds[units == unit]) for unit in np.unique(units)]
    assert all(len(found) == 1 for found in by_unit)
    assert sorted(sum(found == {fold} for found in by_unit) for fold in range(3)) == [33, 33, 34]
    assert np.array_equal(folds, xgboost_tuning.deal_into_folds(units, 3, seed=1))


def test_fewer_users_than_folds_are_refused():
    with pytest.raises(ValueError, match=r"2 training users .* 3 folds"):
        xgboost_tuning.deal_into_folds(np.array([b"a", b"b", b"a"]), 3, seed=1)


def users(rows, count, seed):
    """Each user has one label, drawn by a coin, and a number by which rows of the same user are known."""
    random = np.random.default_rng(seed)
    user = random.integers(0, count, rows)
    number, label = random.normal(size=count), random.integers(0, 2, count)
    numbers = np.stack([number[user], random.normal(size=rows)], axis=1).astype(np.float32)
    return TrainingData(numbers, np.zeros((rows, 1), np.int32), label[user].astype(np.float32)), user


def test_cross_validation_does_not_reward_knowing_the_user():
    """By row, a booster that memorises users looks very good; by user, no better than a coin."""
    training, user = users(1500, 60, seed=0)
    settings = XGBoostHyperparameters(max_rounds=40, patience=40, learning_rate=0.3, threads=1)
    strangers = users(300, 60, seed=1)[0]

    def score(units, evaluation):
        folds = xgboost_tuning.deal_into_folds(units, 3, seed=1)
        return xgboost_tuning._cross_validated_log_loss(training, folds, evaluation, FEATURES, settings)({})

    coin = log_loss(training.label, np.full(1500, 0.5))
    assert score(user, strangers) > 0.95 * coin
    assert score(np.arange(1500), training) < 0.5 * coin


def test_eval_split_stops_the_boosters_of_the_folds():
    random = np.random.default_rng(0)
    numbers = random.normal(size=(600, 2)).astype(np.float32)
    training = TrainingData(numbers, np.zeros((600, 1), np.int32), (numbers[:, 0] > 0).astype(np.float32))
    inverted = TrainingData(numbers, training.categories, 1 - training.label)
    settings = XGBoostHyperparameters(max_rounds=60, patience=3, learning_rate=0.1, threads=1)
    folds = xgboost_tuning.deal_into_folds(np.arange(600), 3, seed=1)
    score, stopped_at_once = (
        xgboost_tuning._cross_validated_log_loss(training, folds, evaluation, FEATURES, settings)({})
        for evaluation in (training, inverted)
    )
    assert score < 0.1 and stopped_at_once > 0.5
