"""Versions of the serving folder: numbered, whole, and compared with a model by content."""

import os
import time
from pathlib import Path

import pytest
from tfx.dsl.io import fileio

from pipeline import serving_folder


@pytest.fixture
def model(tmp_path):
    return saved_model(tmp_path / "model [1]")


@pytest.fixture
def serving(tmp_path):
    return tmp_path / "out [2]" / "serving"


def saved_model(folder, graph=b"graph", weights=b"weights"):
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(graph)
    (folder / "variables" / "variables.index").write_bytes(weights)
    return folder


def names(serving):
    return sorted(path.name for path in serving.iterdir())


def test_a_pushed_version_is_the_model_and_nothing_else_is_left(serving, model):
    version = serving_folder.push(str(serving), str(model))
    assert names(serving) == [Path(version).name]
    assert Path(version, "variables", "variables.index").read_bytes() == b"weights"
    assert serving_folder.newest(str(serving)) == version
    assert serving_folder.holds(str(serving), str(model))


@pytest.mark.parametrize("ahead", [-100, 0, 1, 1_000_000])
def test_a_new_version_is_the_highest_whatever_the_clock_says(serving, model, ahead):
    taken = int(time.time()) + ahead
    (serving / str(taken)).mkdir(parents=True)
    began = int(time.time())
    version = int(Path(serving_folder.push(str(serving), str(model))).name)
    assert version > taken
    assert version >= began


def test_what_is_no_version_does_not_count(serving, model):
    for name in ("latest", ".incoming-99999999999999", "²", "1a", "-5"):
        (serving / name).mkdir(parents=True)
    assert serving_folder.newest(str(serving)) is None
    assert not serving_folder.holds(str(serving), str(model))


@pytest.mark.parametrize("other", [{"graph": b"else"}, {"weights": b"Weights"}, {"weights": b"weights and more"}])
def test_another_model_is_not_held(serving, tmp_path, model, other):
    serving_folder.push(str(serving), str(saved_model(tmp_path / "other", **other)))
    assert not serving_folder.holds(str(serving), str(model))


def test_only_the_highest_version_counts(serving, tmp_path, model):
    serving_folder.push(str(serving), str(model))
    serving_folder.push(str(serving), str(saved_model(tmp_path / "other", graph=b"else")))
    assert not serving_folder.holds(str(serving), str(model)), "a server loads the highest"


def test_half_a_version_is_not_held_and_files_that_were_added_do_not_matter(serving, model):
    version = Path(serving_folder.push(str(serving), str(model)))
    (version / "assets.extra").mkdir()
    (version / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"")
    assert serving_folder.holds(str(serving), str(model))
    (version / "saved_model.pb").write_bytes(b"")
    assert not serving_folder.holds(str(serving), str(model))
    (version / "saved_model.pb").unlink()
    assert not serving_folder.holds(str(serving), str(model))


def test_no_folder_holds_a_model_whose_files_are_gone(serving, tmp_path, model):
    serving_folder.push(str(serving), str(model))
    assert not serving_folder.holds(str(serving), str(tmp_path / "gone"))


def fail_after(monkeypatch, copies, error):
    """The disk is full after this many files."""
    copy, done = fileio.copy, []

    def limited(source, target, overwrite=False):
        if len(done) == copies:
            Path(target).write_bytes(b"")  # as a full disk leaves it
            raise error
        done.append(target)
        copy(source, target, overwrite)

    monkeypatch.setattr(fileio, "copy", limited)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("copies", [0, 1])
def test_a_push_that_fails_leaves_nothing(serving, model, monkeypatch, error, copies):
    fail_after(monkeypatch, copies, error)
    with pytest.raises(type(error)):
        serving_folder.push(str(serving), str(model))
    assert names(serving) == []


def test_a_version_is_never_seen_half_written(serving, model, monkeypatch):
    seen = []
    copy = fileio.copy
    monkeypatch.setattr(fileio, "copy", lambda *args: (copy(*args), seen.append(serving_folder.newest(str(serving)))))
    serving_folder.push(str(serving), str(model))
    assert seen == [None, None]


def test_what_a_killed_push_left_is_removed_by_the_next(serving, model):
    saved_model(serving / ".incoming-1700000000")
    version = serving_folder.push(str(serving), str(model))
    assert names(serving) == [Path(version).name]


@pytest.fixture
def bucket(serving, monkeypatch):
    """The serving folder, taken for an object store's."""
    monkeypatch.setattr(serving_folder, "_is_object_store", lambda folder: True)
    return serving


def test_on_an_object_store_the_saved_model_comes_last(bucket, model, monkeypatch):
    order = []
    copy = fileio.copy
    monkeypatch.setattr(fileio, "copy", lambda *args: (order.append(os.path.basename(args[0])), copy(*args)))
    version = serving_folder.push(str(bucket), str(model))
    assert order == ["variables.index", "saved_model.pb"]
    assert names(bucket) == [Path(version).name]
    assert serving_folder.holds(str(bucket), str(model))


def test_on_an_object_store_too_a_push_that_fails_leaves_nothing(bucket, model, monkeypatch):
    fail_after(monkeypatch, 0, OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space"):
        serving_folder.push(str(bucket), str(model))
    assert names(bucket) == []


def test_on_an_object_store_a_killed_push_is_removed_when_it_is_old(bucket, model):
    now = int(time.time())
    for number in (now - 7200, now - 60):
        (bucket / str(number) / "variables").mkdir(parents=True)
        (bucket / f".incoming-{number}").write_text("")
    saved_model(bucket / str(now - 7201))
    (bucket / f".incoming-{now - 7201}").write_text("")  # killed when the version was complete
    version = serving_folder.push(str(bucket), str(model))
    assert names(bucket) == sorted([f".incoming-{now - 60}", str(now - 7201), str(now - 60), Path(version).name])
