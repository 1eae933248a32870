import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.speed import data
from benchmarks.speed.dataset import TRAIN_SHARE, write_dataset
from pipeline.settings.dataset_folder import DatasetFolder

ROWS = 60_000  # more than a chunk


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "customers.parquet"
    data.write_rows(path, ROWS)
    return pq.read_table(path)


def test_columns(table):
    types = [field.type for field in table.schema]
    assert table.num_rows == ROWS and table.num_columns == 26  # 25 and the key
    assert (types.count(pa.float64()), types.count(pa.int64()), types.count(pa.string())) == (12, 5, 9)
    assert len(np.unique(table[data.KEY].to_numpy())) == ROWS


def test_one_in_twenty_converts(table):
    assert 0.04 < table[data.LABEL].to_numpy().mean() < 0.06


def test_missing_values_are_as_declared(table):
    for column in (*data.NUMBERS, *data.CATEGORIES):
        share = table[column.name].null_count / ROWS
        assert abs(share - column.missing) < 0.005, column.name
    assert not any(category.missing for category in data.CATEGORIES if category.slice)


def test_categories_have_their_values_most_frequent_first(table):
    for category in data.CATEGORIES:
        found = dict(map(dict.values, table[category.name].value_counts().to_pylist()))
        found.pop(None, None)
        assert 0.5 * category.values < len(found) <= category.values
        assert found[f"{category.name}_0000"] == max(found.values())
    assert [category.values for category in data.CATEGORIES] == [5, 8, 12, 30, 100, 400, 1500, 5000]


def test_moments_are_the_draws(table):
    """Else an effect would be another than declared."""
    for number in data.NUMBERS:
        values = table[number.name].to_numpy()
        mean, deviation = np.nanmean(values), np.nanstd(values)
        assert abs(mean - number.moments[0]) < 0.15 * number.moments[1], number.name
        assert abs(deviation / number.moments[1] - 1) < 0.25, number.name


def test_the_label_can_be_learnt(table):
    engaged = table["engagement"].to_numpy() > 0
    converted = table[data.LABEL].to_numpy()
    assert converted[engaged].mean() > 1.3 * converted[~engaged].mean()


def test_small_table_is_the_beginning_of_a_large_one(table, tmp_path):
    data.write_rows(tmp_path / "small.parquet", 1_000)
    assert pq.read_table(tmp_path / "small.parquet").equals(table.slice(0, 1_000))


def test_table_of_another_size_is_replaced(tmp_path):
    path = tmp_path / "customers.parquet"
    data.write_rows(path, 500)
    written = path.stat().st_mtime_ns
    data.write_rows(path, 500)
    assert path.stat().st_mtime_ns == written
    data.write_rows(path, 600)
    assert pq.read_metadata(path).num_rows == 600


@pytest.mark.parametrize(("rows", "batch_size"), [(20_000, 256), (200_000, 512), (1_000_000, 2048)])
def test_dataset_trains_one_pass_in_the_batches_of_our_settings(tmp_path, rows, batch_size):
    folder = DatasetFolder.load(write_dataset(tmp_path, rows))
    keras = folder.dataset.training.keras
    assert keras.batch_size == batch_size
    assert 0 <= rows * TRAIN_SHARE - keras.max_steps * batch_size < batch_size
    xgboost = folder.dataset.training.xgboost
    assert (xgboost.max_rounds, xgboost.max_depth) == (100, 6) and xgboost.patience >= 100
    assert len(folder.features.features) == 24 and len(folder.features.slices) == 3
