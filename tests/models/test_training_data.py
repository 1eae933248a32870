import types
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_transform as tft

from models.features import FeatureSet
from models.training_data import TrainingBatches, TrainingData, read_training_data, store


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
