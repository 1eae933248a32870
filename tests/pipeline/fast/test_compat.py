"""Private and undocumented modules of TFX and its libraries are imported by pipeline/fast/compat.py alone."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.fast import compat

ROOT = Path(__file__).parents[3]
SHIPPED = ("pipeline", "models", "runners", "preprocessing.py", "propensity.py")

LIBRARIES = (
    "keras_tuner",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "tensorflow_transform",
    "tfx",
    "tfx_bsl",
)

# What counts as documented, judged by hand. A library's top module is its API reference, so every name taken from it
# is documented. Below it, these are documented: a trailing "." allows the whole package.
DOCUMENTED = (
    # API references and guides of the libraries
    "tensorflow_transform.beam",
    "tensorflow_transform.tf_metadata.dataset_metadata",
    "tensorflow_transform.tf_metadata.schema_utils",
    "tfx_bsl.public.",
    # TFX: tfx.v1, and the modules where the names of tfx.v1 live, which TFX's own guides and examples import
    "tfx.v1.",
    "tfx.components",
    "tfx.dsl.",
    "tfx.orchestration.beam.",
    "tfx.orchestration.data_types",
    "tfx.orchestration.kubeflow.decorators",
    "tfx.orchestration.kubeflow.v2.",
    "tfx.orchestration.metadata",
    "tfx.orchestration.pipeline",
    "tfx.proto.",
    "tfx.types.",
    "tfx.utils.io_utils",
    # TFX's guide to custom executors: subclass the executor (and the component, or its driver) of a standard component
    "tfx.components.example_gen.driver",
    "tfx.components.example_validator.executor",
    "tfx.components.evaluator.executor",
    "tfx.components.pusher.executor",
    "tfx.components.schema_gen.executor",
    "tfx.components.statistics_gen.component",
    "tfx.components.statistics_gen.executor",
    "tfx.components.trainer.executor",
    "tfx.components.transform.executor",
    "tfx.components.tuner.component",
    "tfx.extensions.google_cloud_ai_platform.",
    "tfx.extensions.google_cloud_big_query.example_gen.",
)

# Undocumented after all, and imported elsewhere on purpose.
EXCEPTIONS = {
    # `models` may not import `pipeline`. compat.TUNER_LIBRARIES checks KerasTuner's version.
    ("models/tuning.py", "keras_tuner.engine.base_tuner"),
    ("models/tuning.py", "keras_tuner.engine.trial"),
}


def imported_modules(source):
    """The modules that a source imports, as deep as the import statement names them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if is_module(full) else node.module


def is_module(name):
    """Looks for the file; importing the packages above it would take long."""
    top, *below = name.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or not spec.submodule_search_locations:
        return False
    path = Path(spec.submodule_search_locations[0]).joinpath(*below)
    return path.is_dir() or path.with_suffix(".py").is_file()


def is_documented(module):
    return "." not in module or any(
        module == name.rstrip(".") or (name.endswith(".") and module.startswith(name)) for name in DOCUMENTED
    )


def undocumented(path):
    for module in imported_modules(path.read_text(encoding="utf-8")):
        if module.split(".")[0] in LIBRARIES and not is_documented(module):
            yield path.relative_to(ROOT).as_posix(), module


def shipped_sources():
    for name in SHIPPED:
        path = ROOT / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def test_only_compat_imports_what_is_undocumented():
    compat_file = Path(compat.__file__)
    found = {use for path in shipped_sources() if path != compat_file for use in undocumented(path)}
    assert found - EXCEPTIONS == set()


def test_the_scan_sees_each_way_to_import(tmp_path):
    source = (
        "import tfx.utils.json_utils\n"
        "from tfx.utils import json_utils as j\n"
        "from tensorflow_transform.nodes import Visitor\n"
        "from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder\n"
        "def f():\n    from tensorflow_model_analysis.metrics import metric_specs\n"
        "from tfx.types import standard_artifacts\nimport tensorflow_transform as tft\n"
    )
    found = [module for module in imported_modules(source) if not is_documented(module)]
    assert found == [
        "tfx.utils.json_utils",
        "tfx.utils.json_utils",
        "tensorflow_transform.nodes",
        "tfx_bsl.coders.example_coder",
        "tensorflow_model_analysis.metrics.metric_specs",
    ]


def test_each_exception_is_still_needed():
    assert {use for path in shipped_sources() for use in undocumented(path)} >= EXCEPTIONS


@pytest.mark.parametrize("name", sorted(compat.LOADED_BY_NAME))
def test_each_module_exists_in_the_installed_version_and_is_not_documented(name):
    assert getattr(compat, name).__name__ == compat.LOADED_BY_NAME[name]
    assert not is_documented(compat.LOADED_BY_NAME[name])


def test_each_module_is_used():
    source = "".join(path.read_text(encoding="utf-8") for path in shipped_sources() if path.name != "compat.py")
    assert [name for name in compat.LOADED_BY_NAME if name not in source] == []


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = compat.nothing


def test_importing_placement_loads_none_of_the_libraries():
    code = "import sys, pipeline.fast.placement; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    heavy = {"tensorflow_model_analysis", "tensorflow_transform", "tensorflow_data_validation", "tfx_bsl", "tensorflow"}
    assert heavy & set(done.stdout.split()) == set()


def test_the_installed_versions_were_tested():
    assert compat.untested_versions(tuple(compat.TESTED_VERSIONS)) == ""
