"""The folder of a data set's runs."""

import time
from pathlib import Path

import pytest

from models.config import SettingsError
from runners.local_home import LocalHome


@pytest.fixture
def home(tmp_path):
    found = LocalHome(tmp_path, "small")
    Path(found.serving).mkdir(parents=True)
    return found


def push(home, version):
    Path(home.serving, str(version)).mkdir()


@pytest.mark.parametrize("ahead", [-100, 0, 1])
def test_the_next_version_is_a_new_one(home, ahead):
    newest = int(time.time()) + ahead
    push(home, newest)
    home.await_new_version()
    assert int(time.time()) > newest


def test_a_first_version_needs_no_waiting(home, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    home.await_new_version()
    assert waited == [0]


def test_a_version_of_the_future_is_refused(home):
    push(home, int(time.time()) + 1000)
    with pytest.raises(SettingsError, match="is a version of the future"):
        home.await_new_version()
