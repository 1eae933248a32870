import logging
import subprocess
import sys

import pytest
from tfx.types import standard_artifacts

from pipeline.examples.data_summary import DATA_SUMMARY, has_data_summary, read_data_summary, write_data_summary


@pytest.fixture
def examples(tmp_path):
    made = standard_artifacts.Examples()
    made.uri = str(tmp_path)
    return made


def test_what_was_written_is_read_and_its_warnings_are_logged(examples, caplog):
    summary = {"splits": [{"split": "train", "rows": 3}], "warnings": ["3 rows are few"]}
    with caplog.at_level(logging.WARNING, "propensity"):
        write_data_summary(examples, summary)
    assert has_data_summary(examples)
    assert read_data_summary(examples) == summary
    assert caplog.messages == ["3 rows are few"]


def test_runs_from_before_keep_their_file_name():
    assert DATA_SUMMARY == "data_report.json"


@pytest.mark.parametrize("damage", ["deleted", "emptied"])
def test_a_lost_summary_is_named(examples, tmp_path, damage):
    if damage == "emptied":
        (tmp_path / DATA_SUMMARY).write_text("")
    with pytest.raises(
        FileNotFoundError, match=r"'data_report.json' is missing or empty.*Run the pipeline again"
    ) as it:
        read_data_summary(examples)
    assert str(tmp_path) in str(it.value)


def test_reading_it_imports_no_warehouse():
    code = "import sys, pipeline.examples.data_summary; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    unwanted = ("pipeline.warehouse", "pipeline.components", "duckdb")
    assert [name for name in done.stdout.split() if name.startswith(unwanted)] == []
