"""The folder of a data set's runs: writable, and used by one process at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.config import SettingsError
from runners.local_home import LocalHome

HOLD = """
import sys
from pathlib import Path
from runners.local_home import LocalHome
with LocalHome(Path(sys.argv[1]), "small").locked("a run"):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path):
    found = LocalHome(tmp_path / "out #1 %20", "small")
    found.check_writable()
    return found


@pytest.fixture
def holder(home):
    """Another process that has the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert process.stdout.readline() == b"locked\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_has_the_folder(home, holder):
    told = rf"a run \(process {holder.pid}, since .*\) is working in .*small"
    with pytest.raises(SettingsError, match=told), home.locked("a rollback"):
        pass


def test_the_lock_ends_with_the_process_that_has_it(home, holder):
    holder.kill()
    holder.wait()
    with home.locked("a rollback"):
        pass


def test_the_lock_ends_with_its_context(home):
    for purpose in ("a run", "a rollback"):
        with home.locked(purpose):
            pass


def test_two_data_sets_do_not_wait_for_each_other(home, holder):
    other = LocalHome(home.output, "other")
    other.check_writable()
    with other.locked("a run"):
        pass


def test_versions_are_the_numbered_folders(home):
    assert home.versions() == set()
    for name in ("1700000000", ".incoming-1700000001", "²", "notes"):
        Path(home.serving, name).mkdir(parents=True)
    assert home.versions() == {"1700000000"}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "small cannot be written: Permission denied. Choose another with"),
        (OSError(28, "No space left on device"), "small: no space left on the disk of .*MiB free"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(home, monkeypatch, error, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Path, "mkdir", fail)
    for act in (home.check_writable, home.new_log):
        with pytest.raises(SettingsError, match=message):
            act()


def test_a_serving_folder_that_cannot_be_written_is_found_before_training(home):
    Path(home.serving).write_text("in the way")
    with pytest.raises(SettingsError, match=r"Not a directory \(.*serving/.writable\)"):
        home.check_writable()


@pytest.mark.parametrize("folder", ["out [1]", "out*", "what?", "a\\b"])
def test_a_folder_that_tensorflow_takes_for_a_pattern_is_refused_before_training(tmp_path, folder):
    with pytest.raises(SettingsError, match=r"TensorFlow reads . in a path as a pattern"):
        LocalHome(tmp_path / folder, "small").check_writable()
    assert list(tmp_path.iterdir()) == []


def test_tensorflow_takes_such_a_folder_for_a_pattern(tmp_path):
    """Why it is refused; if this fails, TensorFlow has learned it."""
    import tensorflow as tf

    module = tf.Module()
    module.variable = tf.Variable([1.0])
    tf.saved_model.save(module, str(tmp_path / "out [1]"))
    with pytest.raises(FileNotFoundError, match="Failed to find any matching files"):
        tf.saved_model.load(str(tmp_path / "out [1]"))
