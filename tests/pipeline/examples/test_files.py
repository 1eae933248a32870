"""Parquet files of examples: what is written comes back, and TFX reads it."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from pipeline.examples import files
from pipeline.examples.files import LostExamplesError
from pipeline.examples.list_columns import first_values, to_lists

VALUES = pa.array([1.5, None, float("nan"), 4.0], pa.float32())
TEXTS = pa.array([b"a", b"", None, b"d"], pa.large_binary())


@pytest.fixture
def two_files(tmp_path):
    """Two files with the same four rows in each."""
    batch = pa.RecordBatch.from_arrays([to_lists(c) for c in (VALUES, TEXTS)], names=["number", "text"])
    for name in ("b", "a"):
        with files.parquet_writer(str(tmp_path / "Split-train" / f"{name}.parquet"), batch.schema) as writer:
            writer.write_batch(batch)
    return files.matching(str(tmp_path / "Split-train" / "*"))


def test_files_come_sorted_and_are_counted(two_files):
    assert [file[-9:] for file in two_files] == ["a.parquet", "b.parquet"]
    assert files.is_parquet(two_files)
    assert not files.is_parquet([*two_files, "c.gz"]) and not files.is_parquet([])
    assert files.count_rows_of_files(two_files) == 8


def test_wildcards_count_in_the_name_only_and_temporary_files_do_not(tmp_path):
    folder = tmp_path / "[ab]"
    folder.mkdir()
    for name in ("data-0.parquet", "data-1.parquet", ".hidden", "other"):
        (folder / name).write_bytes(b"x")
    (folder / "data-folder").mkdir()
    assert files.matching(f"{folder}/data-*") == [f"{folder}/data-0.parquet", f"{folder}/data-1.parquet"]
    assert [name.rpartition("/")[2] for name in files.matching(f"{folder}/*")] == [
        "data-0.parquet",
        "data-1.parquet",
        "other",
    ]
    with pytest.raises(LostExamplesError, match="no files"):
        files.matching(f"{folder}/nothing*")
    literal = files.literal_pattern(f"{folder}/*.parquet")
    assert sorted(tf.io.gfile.glob(literal)) == files.matching(f"{folder}/*.parquet")


def test_rows_come_back_with_what_is_missing(two_files):
    batches = list(files.record_batches(two_files))
    assert [batch.num_rows for batch in batches] == [4, 4]
    for batch in batches:
        assert batch.schema.types == [pa.large_list(pa.float32()), pa.large_list(pa.large_binary())]
        assert [batch.column(i).is_null().to_pylist() for i in (0, 1)] == [
            [False, True, False, False],
            [False, False, True, False],
        ]
        numbers = first_values(batch.column(0))
        assert numbers.is_null().to_pylist() == [False, True, False, False]
        np.testing.assert_array_equal(numbers.to_numpy(zero_copy_only=False), [1.5, np.nan, np.nan, 4])
        assert first_values(batch.column(1)).equals(TEXTS)


def test_columns_are_read_in_the_order_wanted_and_batches_are_bounded(two_files):
    batches = list(files.record_batches(two_files, ["text", "number"], rows=3))
    assert [batch.num_rows for batch in batches] == [3, 1, 3, 1]
    assert all(batch.schema.names == ["text", "number"] for batch in batches)


def test_a_column_that_is_not_there_is_named(two_files):
    with pytest.raises(KeyError, match=r"a\.parquet: no column spent"):
        list(files.record_batches(two_files, ["number", "spent"]))


def test_a_feature_without_values_is_missing_in_tf_examples(tmp_path):
    path = str(tmp_path / "data.gz")
    with tf.io.TFRecordWriter(path, "GZIP") as writer:
        for value in (1.0, 2.0):
            feature = {"number": tf.train.Feature(float_list=tf.train.FloatList(value=[value]))}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    [batch] = files.record_batches([path], ["text", "number"])
    assert batch.schema.names == ["text", "number"]
    assert first_values(batch.column(0)).to_pylist() == [None, None]
    assert first_values(batch.column(1)).to_pylist() == [1.0, 2.0]


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
    assert first_values(column).to_pylist() == first
    assert first_values(pa.array([[0], *lists], column.type).slice(1)).to_pylist() == first


def test_tf_examples_say_the_same_as_the_rows(two_files, tmp_path):
    batches = list(files.serialised(two_files[:1], rows=3))
    assert [len(batch) for batch in batches] == [3, 1]
    parsed = [tf.train.Example.FromString(record).features.feature for batch in batches for record in batch]
    assert [list(row["number"].float_list.value) for row in (parsed[0], parsed[1], parsed[3])] == [[1.5], [], [4.0]]
    assert [list(row["text"].bytes_list.value) for row in parsed] == [[b"a"], [b""], [], [b"d"]]

    records = str(tmp_path / "data-00000-of-00001.gz")
    with tf.io.TFRecordWriter(records, "GZIP") as writer:
        for record in batches[0]:
            writer.write(record)
    assert list(files.serialised([records], rows=2)) == [batches[0][:2], batches[0][2:]]


@pytest.mark.parametrize("folder", ["out [1]", "a b", "50%", "x*?#", "ü"])
@pytest.mark.parametrize("relative", [False, True])
def test_a_parquet_file_may_have_any_path(tmp_path, monkeypatch, folder, relative):
    monkeypatch.chdir(tmp_path)
    path = f"{folder}/examples.parquet" if relative else f"{tmp_path}/{folder}/examples.parquet"
    batch = pa.RecordBatch.from_pydict({"x": [1, 2]})
    with files.parquet_writer(path, batch.schema) as writer:
        writer.write_batch(batch)
    with files.opened_parquet(path) as parquet:
        assert parquet.read().to_pydict() == {"x": [1, 2]}


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_tfrecord_file_that_ends_anywhere_within_a_record_is_refused(tmp_path, suffix):
    records = [b"first", b"second"]
    whole = tmp_path / f"whole{suffix}"
    with tf.io.TFRecordWriter(str(whole), "GZIP" if suffix else "") as writer:
        for record in records:
            writer.write(record)
    assert [batch.tolist() for batch in files.records(str(whole), 10)] == [records]
    content = whole.read_bytes()
    first = 12 + len(records[0]) + 4
    for end in range(1, len(content)):
        cut = tmp_path / f"cut-{end}{suffix}"
        cut.write_bytes(content[:end])
        if not suffix and end == first:
            assert [batch.tolist() for batch in files.records(str(cut), 10)] == [records[:1]]
            continue
        with pytest.raises(LostExamplesError, match="not a readable TFRecord file"):
            list(files.records(str(cut), 10))


def test_a_gzip_file_of_several_members_is_whole(tmp_path):
    members = []
    for number in range(2):
        with tf.io.TFRecordWriter(str(tmp_path / f"{number}.gz"), "GZIP") as writer:
            writer.write(b"record %d" % number)
        members.append((tmp_path / f"{number}.gz").read_bytes())
    (tmp_path / "both.gz").write_bytes(b"".join(members))
    assert [batch.tolist() for batch in files.records(str(tmp_path / "both.gz"), 10)] == [[b"record 0", b"record 1"]]
    (tmp_path / "cut.gz").write_bytes(b"".join(members)[:-9])
    with pytest.raises(LostExamplesError, match="not a readable TFRecord file"):
        list(files.records(str(tmp_path / "cut.gz"), 10))
