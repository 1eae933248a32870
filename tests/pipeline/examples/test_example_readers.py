import pytest

from pipeline.examples import example_readers
from tests.pipeline.components.examples import ROWS, write_examples


@pytest.fixture(scope="module", params=["parquet", "tfrecord"])
def examples(request, tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp(request.param), request.param)


def test_columns_come_in_the_order_asked_for_and_absent_ones_are_left_out(examples):
    files = example_readers.split_files(examples, "train")
    batches = list(example_readers.record_batches(files, ["y", "nowhere", "city"], rows=1000))
    assert [batch.schema.names for batch in batches] == [["y", "city"]] * 2
    assert [batch.num_rows for batch in batches] == [1000, 500]
    everything = next(example_readers.record_batches(files))
    assert sorted(everything.schema.names) == ["city", "count", "country", "day", "ratio", "unit", "y"]


def test_rows_are_counted_over_splits(examples):
    assert example_readers.count_rows(examples, ["train"]) == ROWS["train"]
    assert example_readers.count_rows(examples, ["train", "eval"]) == sum(ROWS.values())


def test_rows_of_a_split_that_the_report_does_not_tell_are_not_known(tmp_path):
    examples = write_examples(tmp_path, "tfrecord")
    (tmp_path / "data_report.json").write_text('{"splits": [{"split": "eval", "rows": 700}]}')
    assert example_readers.count_rows(examples, ["eval"]) == 700
    assert example_readers.count_rows(examples, ["train", "eval"]) is None


def test_a_split_without_files_is_named(tmp_path):
    examples = write_examples(tmp_path, "parquet")
    for file in (tmp_path / "Split-eval").iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match="Split-eval"):
        example_readers.count_rows(examples, ["eval"])
