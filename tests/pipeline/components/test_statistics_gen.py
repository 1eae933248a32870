"""StatisticsGen in process: the statistics, properties and files of TFX's own executor, on either format."""

import json

import numpy as np
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import statistics_pb2
from tfx.components import StatisticsGen as StockStatisticsGen
from tfx.components.statistics_gen import executor as stock
from tfx.types import channel_utils, standard_artifacts
from tfx.utils import io_utils

from pipeline.components import statistics_gen
from pipeline.fast import placement
from pipeline.raw_schema import raw_schema
from tests.pipeline.components.examples import (
    FEATURES,
    FOLDER,
    IN_MEMORY,
    ROWS,
    TWO_WORKERS,
    artifact,
    executor_of,
    write_examples,
)

EPSILON = 0.01  # error of TFDV's quantiles, as a share of the rows
ALL_ROWS = sum(ROWS.values())


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    return {name: write_examples(folder / name, name) for name in ("parquet", "tfrecord")}


@pytest.fixture(scope="module")
def expected(examples, tmp_path_factory):
    """By TFX's executor, from tf.Examples."""
    return run(stock.Executor, examples["tfrecord"], tmp_path_factory.mktemp("stock"))


def run(executor_class, examples, folder, beam_args=IN_MEMORY, options=None, schema=None, **properties):
    """Runs an executor; returns its artifact."""
    statistics = artifact(standard_artifacts.ExampleStatistics, folder / "statistics")
    channels = {"examples": channel_utils.as_channel([examples])}
    options = options or tfdv.StatsOptions(feature_allowlist=FEATURES)
    component = statistics_gen.StatisticsGen(stats_options=options, **channels)
    inputs = {"examples": [examples], **({"schema": [schema]} if schema else {})}
    executor = executor_of(executor_class, folder / "tmp", beam_args)
    executor.Do(inputs, {"statistics": [statistics]}, {**component.exec_properties, **properties})
    return statistics


def taken(executor_class, *arguments, **options):
    """What run returns, and the paths taken meanwhile."""
    before = placement.taken.copy()
    return run(executor_class, *arguments, **options), dict(placement.taken - before)


def load(statistics, split):
    found = statistics_pb2.DatasetFeatureStatisticsList()
    with open(f"{statistics.uri}/Split-{split}/FeatureStats.pb", "rb") as file:
        found.ParseFromString(file.read())
    [dataset] = found.datasets
    return dataset


def assert_same(statistics, expected, splits=tuple(ROWS)):
    """Counts and values are equal, floats to 1e-9, quantiles and what is made of them within the sketch's error."""
    assert json.loads(statistics.split_names) == list(splits)
    for split in splits:
        found, wanted = load(statistics, split), load(expected, split)
        assert (found.name, found.num_examples) == (wanted.name, wanted.num_examples) == ("", ROWS[split])
        by_name = {feature.path.step[0]: feature for feature in wanted.features}
        assert {feature.path.step[0] for feature in found.features} == by_name.keys() == set(FEATURES)
        for feature in found.features:
            compare(feature, by_name[feature.path.step[0]], ROWS[split])


def compare(found, wanted, rows):
    """Walks through two messages."""
    assert {field.name for field, _ in found.ListFields()} == {field.name for field, _ in wanted.ListFields()}
    for field, value in found.ListFields():
        other = getattr(wanted, field.name)
        if field.name == "num_stats":
            compare_numbers(value, other, rows)
        elif isinstance(value, Message):
            compare(value, other, rows)
        elif not isinstance(value, str) and hasattr(value, "__len__"):
            assert len(value) == len(other), field.name
            for one, another in zip(value, other, strict=True):
                compare(one, another, rows) if isinstance(one, Message) else same(one, another, field.name)
        else:
            same(value, other, field.name)


def compare_numbers(found, wanted, rows):
    for name in ("mean", "std_dev", "num_zeros", "min", "max"):
        same(getattr(found, name), getattr(wanted, name), name)
    compare(found.common_stats, wanted.common_stats, rows)
    assert [h.type for h in found.histograms] == [h.type for h in wanted.histograms]
    for one, other in zip(found.histograms, wanted.histograms, strict=True):
        ends = np.union1d([b.high_value for b in one.buckets], [b.high_value for b in other.buckets])
        np.testing.assert_allclose(share_below(one, ends), share_below(other, ends), atol=2 * EPSILON)


def share_below(histogram, values):
    """The share of rows below some values, by a histogram."""
    edges = [histogram.buckets[0].low_value, *(bucket.high_value for bucket in histogram.buckets)]
    counts = np.cumsum([0, *(bucket.sample_count for bucket in histogram.buckets)])
    return np.interp(values, edges, counts / counts[-1])


def same(found, wanted, name):
    if isinstance(found, float):
        assert found == pytest.approx(wanted, rel=1e-9), name
    else:
        assert found == wanted, name


@pytest.mark.parametrize("example_format", ["parquet", "tfrecord"])
def test_in_process_statistics_are_those_of_tfx(examples, expected, tmp_path, example_format):
    statistics, paths = taken(statistics_gen.Executor, examples[example_format], tmp_path)
    assert paths == {("StatisticsGen", placement.Place.IN_PROCESS): 1}
    assert_same(statistics, expected)
    assert statistics.split_names == expected.split_names
    assert statistics.span == expected.span == 3
    for name in ("stats_dashboard_link", "sample_rate_by_split"):
        assert statistics.get_custom_property(name) == expected.get_custom_property(name)
    city = {feature.path.step[0]: feature for feature in load(statistics, "train").features}["city"]
    assert len(city.string_stats.top_values) == 20 < city.string_stats.unique
    assert city.string_stats.common_stats.num_missing > 0


@pytest.mark.parametrize("beam_args", [TWO_WORKERS, (*IN_MEMORY, f"--in_process_rows={ROWS['train'] - 1}")])
def test_several_workers_or_too_many_rows_are_left_to_beam(examples, expected, tmp_path, beam_args):
    statistics, paths = taken(
        statistics_gen.Executor, examples["parquet"], tmp_path, beam_args, exclude_splits='["eval"]'
    )
    assert paths == {("StatisticsGen", placement.Place.BEAM): 1}
    assert_same(statistics, expected, splits=["train"])


def test_as_many_rows_as_the_bound_are_not_too_many(examples, tmp_path):
    bound = (*IN_MEMORY, f"--in_process_rows={ALL_ROWS}")
    _, paths = taken(statistics_gen.Executor, examples["tfrecord"], tmp_path, bound)
    assert paths == {("StatisticsGen", placement.Place.IN_PROCESS): 1}


def test_examples_that_nobody_has_counted_are_left_to_tfx(tmp_path, monkeypatch):
    monkeypatch.setattr(stock.Executor, "Do", lambda self, *arguments: None)
    given = write_examples(tmp_path / "examples", "tfrecord")
    (tmp_path / "examples" / "data_report.json").unlink()
    _, paths = taken(statistics_gen.Executor, given, tmp_path)
    assert paths == {("StatisticsGen", placement.Place.BEAM): 1}


def test_splits_are_excluded_as_asked(examples, expected, tmp_path):
    statistics, paths = taken(statistics_gen.Executor, examples["parquet"], tmp_path, exclude_splits='["eval"]')
    assert paths == {("StatisticsGen", placement.Place.IN_PROCESS): 1}
    assert [path.name for path in (tmp_path / "statistics").iterdir()] == ["Split-train"]
    assert_same(statistics, expected, splits=["train"])


def test_a_schema_tells_which_integers_are_categories(examples, tmp_path):
    schema = raw_schema(FOLDER.features, "y")
    [label] = [feature for feature in schema.feature if feature.name == "y"]
    label.int_domain.is_categorical = True
    io_utils.write_pbtxt_file(str(tmp_path / "schema" / "schema.pbtxt"), schema)
    given = artifact(standard_artifacts.Schema, tmp_path / "schema")
    statistics = run(statistics_gen.Executor, examples["parquet"], tmp_path, schema=given)
    features = {feature.path.step[0]: feature for feature in load(statistics, "eval").features}
    assert features["y"].string_stats.unique == 2
    assert {value.value for value in features["y"].string_stats.top_values} == {"0", "1"}


@pytest.mark.parametrize(
    "options, properties",
    [
        ({"label_feature": "y"}, {}),
        ({"weight_feature": "count"}, {}),
        ({"sample_rate": 0.5}, {}),
        ({}, {"sample_rate_by_split": '{"train": 0.5}'}),
        ({}, {"sharded_stats_output": True}),
    ],
)
def test_what_the_combiners_cannot_do_in_memory_is_left_to_tfx(examples, tmp_path, monkeypatch, options, properties):
    asked = []
    monkeypatch.setattr(stock.Executor, "Do", lambda self, *arguments: asked.append(arguments))
    given = tfdv.StatsOptions(**options)
    _, paths = taken(statistics_gen.Executor, examples["parquet"], tmp_path, options=given, **properties)
    assert paths == {("StatisticsGen", placement.Place.BEAM): 1}
    assert len(asked) == 1


def test_the_component_keeps_the_specification_of_tfx():
    assert issubclass(statistics_gen.StatisticsGen, StockStatisticsGen)
    assert statistics_gen.StatisticsGen.SPEC_CLASS is StockStatisticsGen.SPEC_CLASS
    assert issubclass(statistics_gen.StatisticsGen.EXECUTOR_SPEC.executor_class, stock.Executor)
    assert type(statistics_gen.StatisticsGen.EXECUTOR_SPEC) is type(StockStatisticsGen.EXECUTOR_SPEC)
