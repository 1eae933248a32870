"""The `tfx` command over the runner files, and the repository as its template.

Commands are called in this process, which has imported TFX already, but for the one that shows that the command finds
the project's packages.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import schema
from pipeline.settings.dataset_folder import DatasetFolder
from runners import vertex_runner
from runners.vertex.settings import load_vertex_settings

ROOT = schema.ROOT.parent
FILES = {"beam": "runners/local_runner.py", "vertex": "runners/vertex_runner.py"}
COMMANDS = {"create": "created successfully", "update": "updated successfully", "compile": "compiled successfully"}
WRONG = [(engine, right) for right in FILES for engine in ("local", "auto", *FILES) if engine != right]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder for all that the commands write: `output`, and the homes of the engines, such as `beam`."""
    for engine in ("beam", "vertex", "local"):
        monkeypatch.setenv(f"{engine.upper()}_HOME", str(tmp_path / engine))
    # The command looks its engine's packages up with the `pip` that it finds, as in an active environment.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(ROOT)
    return tmp_path


@pytest.fixture
def settings(place, monkeypatch):
    """Makes a settings file of an engine that keeps its output in the place, and has the runner files use it."""

    def make(engine, **values):
        delivered = {"beam": "local.yaml", "vertex": "vertex.yaml"}[engine]
        content = yaml.safe_load((ROOT / "runners" / delivered).read_text()) | {
            "output": str(place / "output"),
            **values,
        }
        file = place / f"{engine}.yaml"
        file.write_text(yaml.safe_dump(content))
        monkeypatch.setenv("PROPENSITY_SETTINGS", str(file))
        return file

    return make


def tfx(*arguments):
    """Calls the command in this process."""
    from click.testing import CliRunner
    from tfx.tools.cli import cli_main

    return CliRunner().invoke(cli_main.cli_group, arguments)


def pipeline(command, engine, file=None):
    return tfx("pipeline", command, f"--engine={engine}", f"--pipeline_path={file or FILES[engine]}")


def made(folder):
    """Names of the files below a folder."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("engine", FILES)
def test_a_pipeline_is_created_updated_and_compiled(place, settings, engine):
    settings(engine)
    for command, said in COMMANDS.items():
        result = pipeline(command, engine)
        assert result.exit_code == 0, result.output
        assert said in result.output
    assert [path.name for path in (place / engine).iterdir()] == ["propensity-ga4"]


def test_nothing_runs_when_a_pipeline_is_created(place, settings):
    settings("beam", data=str(place / "no such folder"))
    assert pipeline("create", "beam").exit_code == 0
    assert made(place / "output") == set()
    stored = json.loads((place / "beam" / "propensity-ga4" / "pipeline_args.json").read_text())
    assert stored["pipeline_root"] == str(place / "output" / "ga4" / "artifacts")


def test_the_job_of_a_created_pipeline_is_the_one_that_the_runner_compiles(place, settings):
    file = settings("vertex")
    assert pipeline("create", "vertex").exit_code == 0
    stored = json.loads((place / "vertex" / "propensity-ga4" / "pipeline.json").read_text())
    assert stored == vertex_runner.compile_job(DatasetFolder.load(schema.ROOT / "ga4"), load_vertex_settings(file))
    assert "pipeline.json" not in made(place / "output")
    assert pipeline("compile", "vertex").exit_code == 0
    assert json.loads((place / "output" / "ga4" / "vertex" / "pipeline.json").read_text()) == stored


@pytest.mark.parametrize(("engine", "right"), WRONG)
def test_the_wrong_engine_is_refused_before_anything_is_done(place, settings, engine, right):
    settings(right, data=str(place / "no such folder"))
    result = pipeline("create", engine, FILES[right])
    assert result.exit_code == 1
    found = {"auto": "local"}.get(engine, engine)
    assert f"{FILES[right]} is for --engine={right}, not --engine={found}; nothing was run" in result.output
    assert made(place) == {f"{right}.yaml"}


@pytest.mark.parametrize("engine", FILES)
def test_the_environment_names_the_data_set(place, settings, monkeypatch, engine):
    settings(engine, **({"data": "shoppers.csv"} if engine == "beam" else {}))
    monkeypatch.setenv("PROPENSITY_DATASET", "online_shoppers")
    assert pipeline("create", engine).exit_code == 0
    assert [path.name for path in (place / engine).iterdir()] == ["propensity-online-shoppers"]


@pytest.mark.parametrize("engine", FILES)
def test_what_the_runner_refuses_fails_the_command(place, settings, monkeypatch, engine):
    settings(engine)
    monkeypatch.setenv("PROPENSITY_DATASET", "nowhere")
    result = pipeline("create", engine)
    assert result.exit_code == 2
    assert "no data set 'nowhere'" in result.output
    assert not (place / engine).exists()


def test_a_run_is_a_run_of_the_runner_file(place, settings, capfd):
    settings("beam", data=str(place / "no such folder"))
    pipeline("create", "beam")
    result = tfx("run", "create", "--engine=beam", "--pipeline_name=propensity-ga4")
    assert result.exit_code == 1
    said = capfd.readouterr().out
    assert f"Propensity pipeline: data set ga4, duckdb, data {place / 'no such folder'}" in said
    assert "Error: " in said, "it ran until it looked for its data"


@pytest.mark.parametrize("engine", FILES)
def test_a_runner_file_finds_the_projects_packages(place, settings, monkeypatch, engine):
    settings(engine)
    monkeypatch.setenv("PROPENSITY_DATASET", "nowhere")
    done = subprocess.run(
        [sys.executable, ROOT / FILES[engine]], cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no data set 'nowhere'" in done.stderr


@pytest.fixture
def export(tmp_path):
    """The repository's files, as `git archive` exports them once they are committed."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git repository")
    folder = tmp_path / "export"
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def test_the_repository_is_a_template(place, export, monkeypatch):
    copy = place / "copy"
    copied = tfx("template", "copy", "--pipeline_name=mine", f"--destination_path={copy}", f"--model={export}")
    assert copied.exit_code == 0, copied.output

    def contents(folder):
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    # TFX skips folders that begin with "_", which is where docs/ keeps its pictures: it reads every file as text.
    expected = {name: content for name, content in contents(export).items() if not name.startswith("docs/_images/")}
    assert contents(copy) == expected, "nothing else is left out, and nothing of ours looks like a placeholder"

    # Only the copy has this data set: its own packages are used.
    shutil.copytree(copy / "schema" / "ga4", copy / "schema" / "mine")
    monkeypatch.setenv("PROPENSITY_DATASET", "mine")
    command = [Path(sys.executable).with_name("tfx"), "pipeline", "create", "--engine=beam"]
    done = subprocess.run(
        [*command, f"--pipeline_path={FILES['beam']}"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 'Pipeline "propensity-mine" created successfully' in done.stdout
    stored = json.loads((place / "beam" / "propensity-mine" / "pipeline_args.json").read_text())
    assert stored["pipeline_root"] == "output/mine/artifacts"
