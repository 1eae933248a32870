import importlib

import pytest

from pipeline import digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "some_package"
    (folder / "below").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('must not be imported')")
    (folder / "below" / "part.py").write_text("a = 1")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return folder


def test_an_edit_anywhere_below_changes_the_digest(package):
    before = digest.code_digest("some_package")
    assert digest.code_digest("some_package") == before
    (package / "below" / "part.py").write_text("a = 2")
    assert digest.code_digest("some_package") != before


def test_other_library_versions_change_the_digest(package, monkeypatch):
    before = digest.code_digest("some_package")
    monkeypatch.setattr(digest, "_library_versions", lambda: "tfx==0.0.0")
    assert digest.code_digest("some_package") != before


def test_an_unknown_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        digest.code_digest("no_such_module")
