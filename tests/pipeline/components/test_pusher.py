"""What the Pusher puts into the serving folder: the blessed challenger, else the champion if it is not there."""

from pathlib import Path

import pytest
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from pipeline import serving_folder
from pipeline.components.pusher import Executor, PushError


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "serving"


@pytest.fixture
def model(tmp_path):
    """Makes a Model whose SavedModel has the given content."""

    def make(content):
        artifact = standard_artifacts.Model()
        artifact.uri = str(tmp_path / content)
        folder = Path(artifact.uri, "Format-Serving")
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_text(content)
        return artifact

    return make


@pytest.fixture
def push(serving, tmp_path):
    """Runs the executor; returns the PushedModel."""

    def run(challenger, *, blessed, champion=None):
        blessing = standard_artifacts.ModelBlessing()
        blessing.uri = str(tmp_path / "blessing")
        Path(blessing.uri).mkdir(exist_ok=True)
        for name in ("BLESSED", "NOT_BLESSED"):
            Path(blessing.uri, name).unlink(missing_ok=True)
        Path(blessing.uri, "BLESSED" if blessed else "NOT_BLESSED").write_text("")
        blessing.set_int_custom_property("blessed", int(blessed))
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(tmp_path / "pushed")
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(serving))
        )
        Executor().Do(
            {
                "model": [challenger],
                "model_blessing": [blessing],
                **({"champion": [champion]} if champion else {}),
            },
            {"pushed_model": [pushed]},
            {"push_destination": proto_utils.proto_to_json(destination)},
        )
        return pushed

    return run


def contents(serving):
    versions = sorted(serving.iterdir(), key=lambda path: int(path.name)) if serving.exists() else []
    return [(version / "saved_model.pb").read_text() for version in versions]


def test_a_blessed_challenger_is_pushed(push, model, serving):
    pushed = push(model("new"), blessed=True, champion=model("old"))
    assert contents(serving) == ["new"]
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_int_custom_property("pushed_champion") == 0
    [version] = serving.iterdir()
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == version.name
    assert Path(pushed.uri, "saved_model.pb").read_text() == "new"


def test_without_blessing_and_champion_nothing_is_pushed(push, model, serving):
    assert push(model("new"), blessed=False).get_int_custom_property("pushed") == 0
    assert contents(serving) == []


def test_a_challenger_that_is_not_blessed_leaves_the_champion_alone(push, model, serving):
    champion = model("old")
    push(champion, blessed=True)
    assert push(model("new"), blessed=False, champion=champion).get_int_custom_property("pushed") == 0
    assert contents(serving) == ["old"]


def test_a_push_that_failed_is_made_up_for_by_the_next_run(push, model, serving):
    champion = model("old")
    serving.write_text("in the way")
    with pytest.raises(PushError, match=r"serving cannot be written: "):
        push(champion, blessed=True)
    serving.unlink()

    pushed = push(model("new"), blessed=False, champion=champion)
    assert contents(serving) == ["old"]
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_int_custom_property("pushed_champion") == 1
    assert Path(pushed.uri, "saved_model.pb").read_text() == "old"


def test_a_champion_that_is_an_older_version_only_is_pushed_again(push, model, serving):
    """As after a rollback whose push failed."""
    champion = model("old")
    push(champion, blessed=True)
    push(model("withdrawn"), blessed=True)
    push(model("new"), blessed=False, champion=champion)
    assert contents(serving) == ["old", "withdrawn", "old"]


def test_half_a_version_of_the_champion_is_replaced(push, model, serving):
    champion = model("old")
    push(champion, blessed=True)
    [version] = serving.iterdir()
    (version / "saved_model.pb").write_text("")
    push(model("new"), blessed=False, champion=champion)
    assert contents(serving) == ["", "old"]


def test_a_blessed_model_that_was_pushed_before_the_run_was_cut_off_is_not_pushed_twice(push, model, serving):
    challenger = model("new")
    push(challenger, blessed=True)
    [version] = serving.iterdir()
    pushed = push(challenger, blessed=True)
    assert list(serving.iterdir()) == [version]
    assert pushed.get_string_custom_property("pushed_destination") == str(version)


def test_a_champion_whose_files_are_gone_is_said_to_be(push, model, serving, caplog):
    champion = model("old")
    push(champion, blessed=True)
    Path(champion.uri, "Format-Serving", "saved_model.pb").unlink()
    assert push(model("new"), blessed=False, champion=champion).get_int_custom_property("pushed") == 0
    assert contents(serving) == ["old"]
    assert "the champion's files are gone" in caplog.text


def test_a_full_disk_is_named_with_the_folder(push, model, serving, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(serving_folder, "push", full)
    with pytest.raises(PushError, match=r"serving cannot be written: No space left on device. The next run pushes"):
        push(model("new"), blessed=True)
