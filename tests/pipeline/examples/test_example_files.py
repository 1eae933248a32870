"""Parquet files of examples: what is written comes back, and TFX reads it."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from pipeline.examples import example_files

VALUES = pa.array([1.5, None, float("nan"), 4.0], pa.float32())
TEXTS = pa.array([b"a", b"", None, b"d"], pa.large_binary())


@pytest.fixture
def files(tmp_path):
    """Two files with the same four rows in each."""
    batch = pa.RecordBatch.from_arrays([example_files.to_lists(c) for c in (VALUES, TEXTS)], names=["number", "text"])
    for name in ("b", "a"):
        with example_files.parquet_writer(str(tmp_path / "Split-train" / f"{name}.parquet"), batch.schema) as writer:
            writer.write_batch(batch)
    return example_files.find(str(tmp_path / "Split-train" / "*"))


def test_files_come_sorted_and_are_counted(files):
    assert [file[-9:] for file in files] == ["a.parquet", "b.parquet"]
    assert example_files.is_parquet(files)
    assert not example_files.is_parquet([*files, "c.gz"]) and not example_files.is_parquet([])
    assert example_files.count_rows(files) == 8


def test_no_files_are_an_error_that_says_where(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no files match .*Split-eval/\*"):
        example_files.find(str(tmp_path / "Split-eval" / "*"))


def test_rows_come_back_with_what_is_missing(files):
    batches = list(example_files.record_batches(files))
    assert [batch.num_rows for batch in batches] == [4, 4]
    for batch in batches:
        assert batch.schema.types == [pa.large_list(pa.float32()), pa.large_list(pa.large_binary())]
        assert [batch.column(i).is_null().to_pylist() for i in (0, 1)] == [
            [False, True, False, False],
            [False, False, True, False],
        ]
        numbers = example_files.first_values(batch.column(0))
        assert numbers.is_null().to_pylist() == [False, True, False, False]
        np.testing.assert_array_equal(numbers.to_numpy(zero_copy_only=False), [1.5, np.nan, np.nan, 4])
        assert example_files.first_values(batch.column(1)).equals(TEXTS)


def test_columns_are_read_in_the_order_wanted_and_batches_are_bounded(files):
    batches = list(example_files.record_batches(files, ["text", "number"], rows=3))
    assert [batch.num_rows for batch in batches] == [3, 1, 3, 1]
    assert all(batch.schema.names == ["text", "number"] for batch in batches)


def test_a_column_that_is_not_there_is_named(files):
    with pytest.raises(KeyError, match=r"a\.parquet: no column spent"):
        list(example_files.record_batches(files, ["number", "spent"]))


@pytest.mark.parametrize(
    ("lists", "first"),
    [
        ([[1], [2], [3]], [1, 2, 3]),
        ([[1, 9], [], [3]], [1, None, 3]),
        ([None, [2], [3, 8, 9]], [None, 2, 3]),
        ([[], None, []], [None, None, None]),
        ([[1, 2], [], [3]], [1, None, 3]),  # as many values as rows
        ([], []),
    ],
)
def test_the_first_of_several_values_counts(lists, first):
    column = pa.array(lists, pa.large_list(pa.int64()))
    assert example_files.first_values(column).to_pylist() == first
    assert example_files.first_values(pa.array([[0], *lists], column.type).slice(1)).to_pylist() == first


def test_tf_examples_say_the_same_as_the_rows(files, tmp_path):
    batches = list(example_files.serialised(files[:1], rows=3))
    assert [len(batch) for batch in batches] == [3, 1]
    parsed = [tf.train.Example.FromString(record).features.feature for batch in batches for record in batch]
    assert [list(row["number"].float_list.value) for row in (parsed[0], parsed[1], parsed[3])] == [[1.5], [], [4.0]]
    assert [list(row["text"].bytes_list.value) for row in parsed] == [[b"a"], [b""], [], [b"d"]]

    records = str(tmp_path / "data-00000-of-00001.gz")
    with tf.io.TFRecordWriter(records, "GZIP") as writer:
        for record in batches[0]:
            writer.write(record)
    assert list(example_files.serialised([records], rows=2)) == [batches[0][:2], batches[0][2:]]
