"""The reason of a failure, as the terminal shows it."""

import pytest

from runners.failures import reason


def caused_by(cause, error):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(122, "Disk quota exceeded"),
        caused_by(OSError(28, "No space left on device"), RuntimeError("the transform failed")),
        RuntimeError("OSError: [Errno 28] No space left on device [while running 'Run[Transform]']"),
        RuntimeError("INTERNAL: mysql/sqlite: database or disk is full"),
        RuntimeError("IO Error: Could not write file 'a.tmp': No space left on device"),
    ],
)
def test_a_full_disk_is_named_with_its_folder_and_the_way_out(error, tmp_path):
    told = reason(error, tmp_path)
    assert "\n" not in told
    assert told.startswith("no space left on the disk of /")
    assert "Free some space and run again" in told


def test_the_folder_is_that_of_the_disk_with_the_least_space(tmp_path, monkeypatch):
    free = {tmp_path: 10 * 2**20, tmp_path / "other": 2**20}

    class Usage:
        def __init__(self, folder):
            self.free = free.get(folder, 2**30)

    (tmp_path / "other").mkdir()
    monkeypatch.setattr("shutil.disk_usage", Usage)
    assert f"disk of {tmp_path} (10 MiB free)" in reason(OSError(28, "No space left"), tmp_path)
    error = OSError(28, "No space left", str(tmp_path / "other" / "part-0" / "x.parquet"))
    assert f"disk of {tmp_path / 'other'} (1 MiB free)" in reason(error, tmp_path)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("column x is empty"), "column x is empty"),
        (ValueError(), "ValueError"),
        (caused_by(OSError("a.pb: not found"), KeyError()), "a.pb: not found"),
        (KeyboardInterrupt(), "interrupted"),
        (KeyError("column"), "'column'"),
    ],
)
def test_no_failure_is_without_a_reason(error, told, tmp_path):
    assert reason(error, tmp_path) == told
