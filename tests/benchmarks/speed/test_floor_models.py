import numpy as np
import pyarrow as pa
import pytest

from benchmarks.speed import data, floor_models
from benchmarks.speed.dataset import write_dataset
from pipeline.settings.dataset_folder import DatasetFolder

ROWS = 4_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return DatasetFolder.load(write_dataset(tmp_path_factory.mktemp("dataset"), ROWS))


@pytest.fixture(scope="module")
def arrays(folder):
    table = pa.Table.from_batches([data.chunk(0, ROWS, seed=7)])
    return floor_models.to_arrays(table, folder, np.arange(ROWS) < 3_000, sample_rows=3_000)


def test_numbers_are_standard_normal_and_missing_ones_stay(arrays, folder):
    names = [feature.name for feature in folder.features.numeric]
    income = arrays.numbers[:, names.index("income")]
    assert 0.05 < np.isnan(income).mean() < 0.11
    assert abs(np.nanmean(income)) < 0.1 and abs(np.nanstd(income) - 1) < 0.1


def test_ranks_are_by_frequency_in_training_rows():
    column = pa.chunked_array([["b", "a", "b", None, "c"]])
    ranks, size = floor_models.to_ranks(column, np.array([True, True, True, True, False]))
    assert size == 3 and ranks[0] == ranks[2] == 0 and ranks[4] == 3
    assert sorted((ranks[1], ranks[3])) == [1, 2]


def test_both_models_learn(arrays, folder):
    is_training = np.arange(ROWS) < 3_000
    training, rest = arrays.where(is_training), arrays.where(~is_training)
    settings = folder.dataset.training
    boosted = floor_models.fit_xgboost(training, rest, folder.features, settings.xgboost)(training)
    assert boosted[training.label > 0].mean() > 1.5 * boosted[training.label == 0].mean()
    predict = floor_models.fit_keras(training, folder.features, settings.keras, 1_000)
    predicted = predict(rest)
    assert predicted.shape == (1_000,) and predicted.min() > 0 and predicted.max() < 1
