"""ML Metadata's file: sound, new, damaged or lost while artifacts are still there."""

import os
import sqlite3
from pathlib import Path

import pytest

from models.config import SettingsError
from runners.local_home import LocalHome
from runners.metadata_file import last_execution, models_aside, set_aside


@pytest.fixture
def home(tmp_path):
    found = LocalHome(tmp_path / "out #1 %20", "small")
    found.check_writable()
    return found


def write_metadata(home, executions):
    with sqlite3.connect(home.metadata) as connection:
        connection.execute("CREATE TABLE Execution (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT)")
        rows = [(number, "x" * 2000) for number in range(1, executions + 1)]
        connection.executemany("INSERT INTO Execution VALUES (?, ?)", rows)
    connection.close()


@pytest.mark.parametrize("executions", [0, 1, 40])
def test_the_last_execution_is_known(home, executions):
    write_metadata(home, executions)
    assert last_execution(home) == executions


def test_a_new_an_empty_and_a_bare_file_know_none(home):
    assert last_execution(home) == 0
    assert not home.metadata.exists(), "looking at it must not make it"
    home.metadata.write_bytes(b"")
    assert last_execution(home) == 0
    with sqlite3.connect(home.metadata) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("DROP TABLE t")
    assert last_execution(home) == 0


def truncated(path):
    os.truncate(path, path.stat().st_size // 2)


def overwritten(path):
    path.write_bytes(b"\x00" * path.stat().st_size)


def scribbled(path):
    data = bytearray(path.read_bytes())
    data[4096:16384] = b"\xff" * 12288
    path.write_bytes(data)


def text(path):
    path.write_text("not a database")


def other_tables(path):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (id)")


def folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [truncated, overwritten, scribbled, text, other_tables, folder])
def test_a_damaged_file_is_named_with_the_way_out(home, damage):
    write_metadata(home, 40)
    damage(home.metadata)
    with pytest.raises(SettingsError) as told:
        last_execution(home)
    message = str(told.value)
    assert message.startswith(f"{home.metadata} is damaged (")
    assert f"the models in {home.serving} are untouched" in message
    assert "Restore the file from a backup, or move it away" in message
    assert "\n" not in message


def make(home, *names):
    for name in names:
        Path(home.artifacts, name).mkdir(parents=True)


def test_artifacts_that_the_metadata_does_not_know_are_set_aside(home):
    make(home, "Transform/transform_graph/3", "Transform/transform_graph/12", "SelectModel/model/14")
    make(home, "Transform/.system/executor_execution/12", "Transform/.system/driver_execution/1795878401918559")
    Path(home.artifacts, "SelectModel/model/14/model.txt").write_text("champion")
    aside = set_aside(home, last=11)
    assert aside.parent == home.folder
    left = {str(path.relative_to(home.artifacts)) for path in Path(home.artifacts).glob("*/*/*")}
    assert left == {
        "Transform/transform_graph/3",
        "Transform/.system/executor_execution",
        "Transform/.system/driver_execution",  # named by the clock
    }
    assert (aside / "SelectModel/model/14/model.txt").read_text() == "champion"
    assert (aside / "Transform/transform_graph/12").is_dir()
    assert (aside / "Transform/.system/executor_execution/12").is_dir()
    assert not (aside / "Transform/.system/driver_execution").exists()
    assert models_aside(home) == [aside / "SelectModel/model/14"]
    assert set_aside(home, last=11) is None


def test_without_metadata_all_of_them_are(home):
    make(home, "Transform/transform_graph/1", "SelectModel/model/2")
    aside = set_aside(home, last=0)
    assert sorted(str(path.relative_to(aside)) for path in aside.glob("*/*/*")) == [
        "SelectModel/model/2",
        "Transform/transform_graph/1",
    ]


def test_nothing_is_moved_while_the_metadata_knows_all(home):
    make(home, "Transform/transform_graph/3")
    assert set_aside(home, last=3) is None
    assert models_aside(home) == []
