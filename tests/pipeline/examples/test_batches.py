import numpy as np
import pyarrow as pa
import pytest

from pipeline.examples.work_units import WorkUnit, read_batches
from tests.pipeline.small_models import FEATURES, raw_rows, write_examples, write_parquet_examples

each_format = pytest.mark.parametrize("write", [write_examples, write_parquet_examples])


def batch_of(write, folder, rows):
    examples = write(folder, rows)
    [file] = [path for path in (folder / "Split-eval").iterdir() if not path.name.startswith(".")]
    [batch] = read_batches(WorkUnit(str(file)))
    assert examples.uri == str(folder)
    return batch


@each_format
def test_a_batch_says_its_rows_and_what_its_columns_hold(tmp_path, write):
    first, *others = raw_rows(9)
    batch = batch_of(write, tmp_path, [{**first, "country": "de", "visits": 2.0}, *others])
    assert batch.rows == 9
    assert batch.kinds() == {
        "visits": pa.float32(),
        "country": pa.binary(),
        "bought": pa.int64(),
        "unit": pa.binary(),
        "day": pa.binary(),
    }


@each_format
def test_values_are_whole_numbers_or_bytes_and_null_where_missing(tmp_path, write):
    rows = raw_rows(30)
    batch = batch_of(write, tmp_path, rows)
    assert batch.values("bought", pa.int64()).to_pylist() == [row["bought"] for row in rows]
    countries = [row["country"] and row["country"].encode() for row in rows]
    assert None in countries
    assert batch.values("country", pa.binary()).to_pylist() == countries
    assert batch.values("country", pa.binary()).type == pa.binary()
    with pytest.raises(KeyError, match="no column 'gone'"):
        batch.values("gone", pa.binary())


@each_format
def test_a_slice_holds_the_rows_from_a_start_on(tmp_path, write):
    rows = raw_rows(10)
    part = batch_of(write, tmp_path, rows).slice(7, 5)
    assert part.rows == 3
    assert part.values("unit", pa.binary()).to_pylist() == [row["unit"].encode() for row in rows[7:]]


@each_format
def test_features_are_numbers_with_nan_and_bytes_that_may_be_empty(tmp_path, write):
    rows = raw_rows(30)
    raw = batch_of(write, tmp_path, rows).raw(FEATURES)
    assert list(raw) == ["visits", "country"]
    assert raw["visits"].dtype == np.float32
    np.testing.assert_array_equal(raw["visits"], [np.nan if row["visits"] is None else row["visits"] for row in rows])
    assert raw["country"].tolist() == [(row["country"] or "").encode() for row in rows]


@each_format
def test_a_filter_keeps_the_chosen_rows(tmp_path, write):
    rows = raw_rows(10)
    chosen = np.arange(10) % 3 == 0
    part = batch_of(write, tmp_path, rows).filter(chosen)
    assert part.rows == 4
    kept = [row["unit"].encode() for row, keep in zip(rows, chosen, strict=True) if keep]
    assert part.values("unit", pa.binary()).to_pylist() == kept
