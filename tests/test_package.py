"""The wheel holds all that a step needs at run time, and imports nothing it should not."""

import subprocess
import sys
import zipfile

import pytest

LOADS = """
import sys
import schema
from models.config import load_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.digest import reach
from pipeline.settings.run import RunSettings
from pipeline.sample.schema import export_schema
from pathlib import Path
import runners

assert str(schema.ROOT).startswith(sys.argv[1]), schema.ROOT
for name in ("ga4", "ga360", "online_shoppers"):
    assert DatasetFolder.load(schema.ROOT / name).schema_path.is_file()
load_settings(Path(runners.__file__).parent / "local.yaml", RunSettings)
assert str(reach("pipeline.components.evaluator").modules["pipeline.gate.rules"]).startswith(sys.argv[1])
from propensity import Report, Scores, Verdict, WrittenScores
assert all(kind.TYPE_NAME == f"propensity.{kind.__name__}" for kind in (Report, Scores, Verdict, WrittenScores))
"""
LIGHT = """
import sys
import models.features, pipeline.settings.dataset, pipeline.settings.dataset_folder, pipeline.warehouse.snapshots
import pipeline.warehouse.features_table, pipeline.warehouse.extraction, pipeline.warehouse.opening
import runners.local_runner, runners.console
heavy = {"tensorflow", "tfx", "apache_beam", "google.cloud.bigquery", "keras"} & set(sys.modules)
assert not heavy, heavy
"""
# Vertex AI's client alone takes seven seconds, which tfx.v1 imports.
LOCAL = """
import sys
import pipeline.pipeline, runners.reporting_runner, runners.summary
import pipeline.training.run_fn, pipeline.training.tuner_fn
from models.families import FAMILIES, contract
assert all(contract.load_model_module(name) and contract.load_tuning_module(name) for name in FAMILIES)
assert not {"google.cloud.aiplatform", "tfx.v1"} & set(sys.modules)
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(folder)],
        check=True,
    )
    [wheel] = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_is_whole(unpacked, tmp_path):
    subprocess.run(
        [sys.executable, "-c", LOADS, str(unpacked)],
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(unpacked), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_the_wheel_has_no_tests_and_no_data(unpacked):
    names = {path.name for path in unpacked.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"models", "pipeline", "preprocessing.py", "propensity.py", "runners", "schema"}


def test_settings_sql_and_the_command_line_need_no_tensorflow():
    subprocess.run([sys.executable, "-c", LIGHT], check=True)


def test_a_run_here_needs_no_client_of_vertex_ai():
    subprocess.run([sys.executable, "-c", LOCAL], check=True)
