"""Digests on a small project; tests/pipeline/test_cache_keys.py holds them against real imports of this one."""

import pytest

from pipeline import digest

FILES = {
    "executor.py": "def do():\n    from house import upstairs\n",
    "house/__init__.py": "import json\nLOADED_BY_NAME = ('house.flats.*.door',)",
    "house/upstairs.py": """
from __future__ import annotations
from typing import TYPE_CHECKING
import house.cellar.wine
from . import garden
from .roof import tiles
if TYPE_CHECKING:
    from house import attic
else:
    from house import porch
""",
    "house/cellar/__init__.py": "",
    "house/cellar/wine.py": "import yaml, sklearn.metrics, xgboost",
    "house/cellar/label.css": "a {}",
    "house/cellar/notes.txt": "",
    "house/garden.py": "from google.cloud import bigquery\nfrom google.protobuf.message import Message",
    "house/roof.py": "import tensorflow as tf\ntiles = 3",
    "house/porch.py": "",
    "house/attic.py": "import pandas",
    "house/style.css": "b {}",
    "house/flats/__init__.py": "",
    "house/flats/one/__init__.py": "",
    "house/flats/one/door.py": "",
    "house/flats/one/window.py": "",
    "other/__init__.py": "",
    "other/style.css": "c {}",
    "readme.json": "{}",
    "private.py": "LOADED_BY_NAME = {'sketches': 'duckdb.experimental', 'trees': 'sklearn.tree'}",
    "one.py": "from private import sketches",
    "none.py": "from private import trial",
    "all.py": "import private",
}
REACHED = {
    "executor",
    "house",
    "house.upstairs",
    "house.cellar",
    "house.cellar.wine",
    "house.garden",
    "house.roof",
    "house.porch",
    "house.flats",
    "house.flats.one",
    "house.flats.one.door",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_it_follows_imports_within_the_project(root):
    """In functions, of attributes, relative, of packages around a module, by name; not those for types alone."""
    assert set(digest.reach("executor", root=root).modules) == REACHED
    assert set(digest.reach("house.garden", root=root).modules) == {
        "house",
        "house.garden",
        "house.flats",
        "house.flats.one",
        "house.flats.one.door",
    }


def test_exactly_edits_of_what_is_reached_change_the_digest(root):
    before = digest.code_digest("executor", root=root)
    assert digest.code_digest("executor", root=root) == before
    changing = set()
    for name, text in FILES.items():
        (root / name).write_text(text + "\n")
        if digest.code_digest("executor", root=root) != before:
            changing.add(name)
        (root / name).write_text(text)
    modules = {
        name for name in FILES if name.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") in REACHED
    }
    assert changing == modules | {"house/cellar/label.css", "house/style.css"}


def test_a_resource_that_is_added_or_renamed_changes_the_digest(root):
    found = {digest.code_digest("executor", root=root)}
    (root / "house/page.j2").write_text("")
    found.add(digest.code_digest("executor", root=root))
    (root / "house/page.j2").rename(root / "house/sheet.j2")
    found.add(digest.code_digest("executor", root=root))
    assert len(found) == 3


def test_the_digest_is_the_same_elsewhere_and_in_any_order_of_entries(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name, text in reversed(FILES.items()):
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).write_text(text)
    one = digest.code_digest("executor", "other", root=root)
    assert digest.code_digest("other", "executor", root=elsewhere) == one


def test_imports_are_found_in_the_distributions_that_install_them(root):
    """Also where the names differ, where several distributions share a namespace, and Keras, which is in TensorFlow."""
    libraries = digest.reach("executor", root=root).libraries
    assert set(libraries) == {
        "pyyaml",
        "scikit-learn",
        "xgboost-cpu",
        "google-cloud-bigquery",
        "protobuf",
        "tensorflow",
        "keras",
    }
    assert all(version[0].isdigit() for version in libraries.values())


def test_another_version_of_a_library_changes_the_digests_of_what_imports_it(root, monkeypatch):
    reached, not_reached = (digest.code_digest(name, root=root) for name in ("executor", "other"))
    version = digest._version
    monkeypatch.setattr(digest, "_version", lambda name: "0" if name == "keras" else version(name))
    assert digest.code_digest("executor", root=root) != reached
    assert digest.code_digest("other", root=root) == not_reached


def test_a_library_that_is_not_installed_is_told_apart(root):
    before = digest.code_digest("other", root=root)
    (root / "other/__init__.py").write_text("import no_such_library")
    assert digest.reach("other", root=root).libraries == {"no_such_library": "not installed"}
    assert digest.code_digest("other", root=root) != before


def test_a_module_of_a_library_counts_by_its_own_version_and_those_of_its_imports(root):
    libraries = digest.reach("tfx.components.statistics_gen.executor", root=root).libraries
    assert {"tfx", "tensorflow-data-validation", "tfx-bsl"} <= set(libraries)


@pytest.mark.parametrize("entry", ["no_such_module", "house.no_such_module"])
def test_an_unknown_module_is_an_error(root, entry):
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        digest.code_digest(entry, root=root)


@pytest.mark.parametrize(
    ("entry", "libraries"), [("one", {"duckdb"}), ("none", set()), ("all", {"duckdb", "scikit-learn"})]
)
def test_what_is_loaded_for_an_attribute_counts_for_those_that_import_it(root, entry, libraries):
    assert set(digest.reach(entry, root=root).libraries) == libraries
