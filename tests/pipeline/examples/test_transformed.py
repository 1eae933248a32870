import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_transform as tft

from models.features import FeatureSet
from models.training_data import TrainingData
from pipeline.examples import files
from pipeline.examples.transformed import TrainingBatches, read_training_data, store

TWO = FeatureSet.from_config([{"name": "a", "kind": "numeric"}, {"name": "country", "kind": "categorical"}])


def write_parquet(folder, a, country, bought):
    """A Parquet file of transformed examples, from lists of values; returns what TrainingBatches takes."""
    columns = {
        "bought": pa.array(bought, pa.large_list(pa.int64())),
        "country": pa.array(country, pa.large_list(pa.int64())),
        "a": pa.array(a, pa.large_list(pa.float32())),
    }
    table = pa.table(columns)
    with files.parquet_writer(f"{folder}/examples.parquet", table.schema) as writer:
        writer.write_table(table)
    return [f"{folder}/*"], None, None, TWO, "bought"


@pytest.fixture
def source(trainer_arguments):
    features = FeatureSet.from_config(trainer_arguments.custom_config["features"])
    output = tft.TFTransformOutput(trainer_arguments.transform_output)
    return trainer_arguments.train_files, trainer_arguments.data_accessor, output, features, "bought"


def test_training_data_are_the_transformed_rows(source):
    data = read_training_data(*source)
    assert len(data) == 600
    assert np.flatnonzero(np.isnan(data.numbers[:, 0])).tolist() == list(range(0, 600, 5))
    assert np.array_equal(data.label, np.arange(600) % 2)
    assert sorted(set(data.categories[:, 0])) == [0, 1, 2]


def test_both_formats_give_the_same_training_data(source, parquet_arguments):
    records = read_training_data(*source)
    parquet = read_training_data(parquet_arguments.train_files, None, *source[2:])
    for name in ("numbers", "categories", "label"):
        one, other = getattr(records, name), getattr(parquet, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_parquet_batches_are_those_of_the_files_each_time(source, parquet_arguments):
    batches = TrainingBatches(parquet_arguments.train_files, None, *source[2:])
    with batches.kept_quick() as kept:
        assert kept is batches
    first, second = ([len(batch) for batch in batches] for _ in range(2))
    assert first == second == [250, 350]


def test_tfrecords_are_decoded_once_and_kept(source):
    with TrainingBatches(*source).kept_quick() as kept:
        assert Path(kept.folder).exists()
        np.testing.assert_array_equal(next(iter(kept)).label, read_training_data(*source).label)


def test_a_number_without_value_is_missing_in_parquet_too(tmp_path):
    source = write_parquet(tmp_path, [[1.5], None, [], [np.nan]], [[0], [2], [1], [0]], [[0], [1], [1], [0]])
    data = read_training_data(*source)
    np.testing.assert_array_equal(data.numbers, np.float32([[1.5], [np.nan], [np.nan], [np.nan]]))
    assert (data.categories.tolist(), data.label.tolist()) == ([[0], [2], [1], [0]], [0, 1, 1, 0])


def test_a_category_without_value_is_an_error_in_parquet_too(tmp_path):
    source = write_parquet(tmp_path, [[1.0], [2.0]], [[0], None], [[0], [1]])
    with pytest.raises(ValueError, match="'country': 2 rows have 1 values"):
        read_training_data(*source)


def test_parquet_without_rows_or_without_a_column_is_an_error(tmp_path):
    patterns, *others = write_parquet(tmp_path, [], [], [])
    with pytest.raises(ValueError, match="no transformed examples"):
        read_training_data(patterns, *others)
    with pytest.raises(KeyError, match=r"examples\.parquet: no column paid"):
        read_training_data(patterns, *others[:-1], "paid")


def test_no_files_are_an_error(source, tmp_path):
    with pytest.raises(FileNotFoundError, match="no files of examples"):
        read_training_data([f"{tmp_path}/*"], *source[1:])


def test_batches_can_be_read_again(source):
    batches = TrainingBatches(*source)
    first, second = ([len(batch) for batch in batches] for _ in range(2))
    assert first == second == [600]


def test_stored_batches_are_decoded_once_and_then_gone(source):
    [original], passes = list(TrainingBatches(*source)), []

    def decode():
        passes.append(1)
        yield from [original, original.sample(10)]

    with store(decode()) as stored:
        first, second = list(stored), list(stored)
        assert [len(batch) for batch in second] == [600, 10]
        for name in ("numbers", "categories", "label"):
            np.testing.assert_array_equal(getattr(second[0], name), getattr(original, name))
            assert getattr(first[0], name).dtype == getattr(original, name).dtype
        folder = Path(stored.folder)
    assert passes == [1] and not folder.exists()


def test_no_rows_are_an_error(source):
    nothing = types.SimpleNamespace(record_batch_factory=lambda *_: iter(()))
    with pytest.raises(ValueError, match="no transformed examples"):
        read_training_data(source[0], nothing, *source[2:])


def test_a_category_without_value_is_an_error(source):
    batch = pa.RecordBatch.from_arrays(
        [pa.array([[1.0], []]), pa.array([[0], []]), pa.array([[0], [1]])], ["a", "country", "bought"]
    )
    accessor = types.SimpleNamespace(record_batch_factory=lambda *_: iter([batch]))
    with pytest.raises(ValueError, match="'country': 2 rows have 1 values"):
        read_training_data(source[0], accessor, *source[2:])


def test_columns_go_by_the_features_names():
    features = FeatureSet.from_config(
        [{"name": "country", "kind": "categorical"}, {"name": "a", "kind": "numeric"}, {"name": "b", "kind": "numeric"}]
    )
    data = TrainingData(np.array([[1, 2]], np.float32), np.array([[7]], np.int32), np.zeros(1, np.float32))
    columns = data.by_feature(features)
    assert {name: values.tolist() for name, values in columns.items()} == {"a": [1.0], "b": [2.0], "country": [7]}
    assert columns["country"].dtype == np.int64


@pytest.mark.parametrize("rows, expected", [(3, [0, 5, 10]), (11, list(range(11))), (100, list(range(11))), (1, [0])])
def test_a_sample_is_evenly_spaced(rows, expected):
    data = TrainingData(np.zeros((11, 1)), np.zeros((11, 0)), np.arange(11))
    assert data.sample(rows).label.tolist() == expected
