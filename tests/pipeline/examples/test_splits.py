import pytest

from pipeline.examples.files import LostExamplesError, record_batches
from pipeline.examples.splits import count_rows, split_files
from tests.pipeline.components.examples import ROWS, write_examples


@pytest.fixture(scope="module", params=["parquet", "tfrecord"])
def examples(request, tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp(request.param), request.param)


def test_columns_come_in_the_order_asked_for_and_absent_ones_are_left_out(examples):
    files = split_files(examples, "train")
    batches = list(record_batches(files, ["y", "nowhere", "city"], rows=1000, absent="skip"))
    assert [batch.schema.names for batch in batches] == [["y", "city"]] * 2
    assert [batch.num_rows for batch in batches] == [1000, 500]
    everything = next(record_batches(files))
    assert sorted(everything.schema.names) == ["city", "count", "country", "day", "ratio", "unit", "y"]


def test_rows_are_counted_over_splits(examples):
    assert count_rows(examples, ["train"]) == ROWS["train"]
    assert count_rows(examples, ["train", "eval"]) == sum(ROWS.values())


def test_rows_of_a_split_that_the_report_does_not_tell_are_not_known(tmp_path):
    examples = write_examples(tmp_path, "tfrecord")
    (tmp_path / "data_report.json").write_text('{"splits": [{"split": "eval", "rows": 700}]}')
    assert count_rows(examples, ["eval"]) == 700
    assert count_rows(examples, ["train", "eval"]) is None


@pytest.mark.parametrize("example_format", ["parquet", "tfrecord"])
@pytest.mark.parametrize("damage", ["no files", "the file is empty", "there is no such folder", "not a readable"])
def test_lost_files_are_named_with_what_to_do(tmp_path, example_format, damage):
    examples = write_examples(tmp_path, example_format)
    [file] = (tmp_path / "Split-eval").iterdir()
    if damage == "the file is empty":
        file.write_bytes(b"")
    elif damage == "not a readable":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
        if damage == "there is no such folder":
            file.parent.rmdir()
    with pytest.raises(LostExamplesError) as caught:
        list(record_batches(split_files(examples, "eval")))
    [line] = str(caught.value).splitlines()
    assert f"{tmp_path}/Split-eval" in line and damage in line
    assert "Run the pipeline again to write these examples again" in line


@pytest.mark.parametrize("example_format", ["parquet", "tfrecord"])
def test_a_folder_may_be_named_like_a_pattern(tmp_path, example_format):
    for name in ("run [1] a*b?", "run 1 aab!"):
        examples = write_examples(tmp_path / name, example_format)
    (tmp_path / name / "Split-eval").rename(tmp_path / name / "Split-other")
    examples = write_examples(tmp_path / "run [1] a*b?", example_format)
    [file] = split_files(examples, "eval")
    assert file.startswith(f"{tmp_path}/run [1] a*b?/Split-eval/")
    assert count_rows(examples, ["eval"]) == ROWS["eval"]
    assert sum(batch.num_rows for batch in record_batches([file])) == ROWS["eval"]
