import copy
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from setuptools import find_packages

from tools.images.check import DEVELOPMENT, OURS, dataflow_problems, image_problems, pins, pipeline_problems

REQUIREMENTS = Path("requirements.txt").read_text()
DOCKERFILE = Path("Dockerfile").read_text()
DEFAULTS = dict(re.findall(r"^ARG (\w+)=(.+)$", DOCKERFILE, re.MULTILINE))


def locked(package):
    """The version that requirements.txt has of a package for the image's Python."""
    [version] = re.findall(rf"^{package}==(\S+) ; python_full_version >= '3\.11'", REQUIREMENTS, re.MULTILINE)
    return version


def test_the_dockerfile_names_the_locked_versions():
    assert DEFAULTS["TFX_VERSION"] == locked("tfx")
    assert DEFAULTS["BEAM_VERSION"] == locked("apache-beam")
    assert DEFAULTS["BEAM_IMAGE"].endswith("beam_python${PYTHON_VERSION}_sdk:${BEAM_VERSION}")
    assert DEFAULTS["BASE_IMAGE"].endswith("python:${PYTHON_VERSION}-slim-trixie")


def test_the_wheel_is_made_from_all_packages_and_nothing_else_is_sent():
    let_in = set(re.findall(r"^!(.+)$", Path(".dockerignore").read_text(), re.MULTILINE))
    packages = {name for name in find_packages(exclude=["tests*", "benchmarks*", "tools*"]) if "." not in name}
    assert let_in == packages | {"preprocessing.py", "propensity.py", "pyproject.toml", "requirements.txt", "setup.py"}
    assert packages | {"preprocessing", "propensity"} == set(OURS)


def test_development_is_what_setup_says():
    [listed] = re.findall(r"^DEV_REQUIRES = \[(.*)\]", Path("setup.py").read_text(), re.MULTILINE)
    extra = set(re.findall(r'"([\w-]+)"', listed))
    assert set(DEVELOPMENT) <= extra
    assert extra - set(DEVELOPMENT) <= {"psutil"}  # TFX's packages need that one as well


PIPELINE = {
    "user": 1000,
    "python": "3.13",
    "executable": "/opt/venv/bin/python",
    "packages": {
        "tfx": "1.21.0",
        "apache-beam": "2.77.0",
        "tf_keras": "2.21.0",
        "pip": "26",
        "propensity-pipeline": "0.1",
    },
    "runtime": "tfx==1.21.0\napache-beam[gcp]==2.77.0\ntf-keras==2.21.0\n",
    "modules": {name: f"/opt/venv/lib/python3.13/site-packages/{name}.py" for name in OURS},
    "datasets": ["ga4", "ga360", "online_shoppers"],
    "executor": True,
    "home": [".bashrc"],
    "writable": ["."],
    "left": [],
    "certificates": "abc",
    "boot": False,
}
CONFIG = {
    "Env": ["PATH=/opt/venv/bin", "OMP_WAIT_POLICY=PASSIVE"],
    "Labels": {
        "org.opencontainers.image.revision": "0123",
        "propensity.python": "3.13",
        "propensity.tfx": "1.21.0",
        "propensity.apache-beam": "2.77.0",
        "propensity.beam-image": "docker.io/apache/beam_python3.13_sdk:2.77.0",
    },
    "Entrypoint": None,
}
DATAFLOW = {**PIPELINE, "user": 0, "boot": "7f45"}
DATAFLOW_CONFIG = {
    **CONFIG,
    "Env": [*CONFIG["Env"], "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1"],
    "Entrypoint": ["/opt/apache/beam/boot"],
}
LOCKED = "tfx==1.16.0 ; x\ntfx==1.21.0 ; y \\\n    --hash=sha256:1\napache-beam==2.77.0\ntf-keras==2.21.0\nuv==1\n"


def changed(document, path, value):
    document = copy.deepcopy(document)
    *parents, last = path.split("/")
    inner = document
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return document


def test_nothing_is_wrong_with_good_images():
    assert image_problems(PIPELINE, CONFIG, LOCKED, "abc") == pipeline_problems(PIPELINE, CONFIG) == []
    assert image_problems(DATAFLOW, DATAFLOW_CONFIG, LOCKED, "abc") == []
    assert dataflow_problems(DATAFLOW, DATAFLOW_CONFIG, PIPELINE) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("python", "3.12", "the label propensity.python says 3.13, but the image has 3.12"),
        ("executable", "/usr/bin/python", "not the environment's"),
        ("packages/tfx", "1.20.0", "tfx 1.20.0 is not in requirements.txt"),
        ("packages/left-pad", "1.0", "left-pad 1.0 is not in requirements.txt"),
        ("packages/uv", "1", "uv is installed, but only development needs it"),
        ("runtime", "tfx==1.21.0\nnumpy==2\n", "numpy is missing, and the project needs it"),
        ("modules/models", "/home/pipeline/models/__init__.py", "not from the installed wheel"),
        ("datasets", ["ga4"], "only these data sets: ga4"),
        ("executor", False, "would not find its module"),
        ("home", ["setup.py"], "setup.py is in the working folder"),
        ("left", ["/etc/pip.conf"], "/etc/pip.conf is left from the build"),
        ("certificates", "xyz", "certificates are not those of the base image"),
    ],
)
def test_what_either_image_holds(path, value, problem):
    problems = image_problems(changed(PIPELINE, path, value), CONFIG, LOCKED, "abc")
    assert any(problem in found for found in problems), problems


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("Labels", {}, "the label org.opencontainers.image.revision is missing"),
        ("Labels/propensity.apache-beam", "2.61.0", "propensity.apache-beam says 2.61.0, but the image has 2.77.0"),
        ("Env", ["OMP_WAIT_POLICY=PASSIVE", "PIP_INDEX_URL=x"], "the variable PIP_INDEX_URL is left"),
        ("Env", ["OMP_WAIT_POLICY=PASSIVE", "https_proxy=x"], "the variable https_proxy is left"),
        ("Env", [], "OMP_WAIT_POLICY"),
    ],
)
def test_what_either_image_says(path, value, problem):
    problems = image_problems(PIPELINE, changed(CONFIG, path, value), LOCKED, "abc")
    assert any(problem in found for found in problems), problems


@pytest.mark.parametrize(
    ("facts", "config", "problem"),
    [
        ({"user": 0}, {}, "runs as root"),
        ({"writable": [".", "/opt/venv"]}, {}, "can write to ., /opt/venv"),
        ({"writable": []}, {}, "not even its home"),
        ({}, {"Entrypoint": ["python"]}, "would precede a step's command"),
    ],
)
def test_the_image_of_the_steps(facts, config, problem):
    [found] = pipeline_problems({**PIPELINE, **facts}, {**CONFIG, **config})
    assert problem in found


@pytest.mark.parametrize(
    ("facts", "config", "problem"),
    [
        ({"python": "3.12"}, {}, "its python differ"),
        ({"packages": {}}, {}, "its packages differ"),
        ({"boot": False}, {}, "boot is missing"),
        ({}, {"Entrypoint": None}, "entry point is None"),
        ({}, {"Env": []}, "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT"),
        (
            {},
            changed(DATAFLOW_CONFIG, "Labels/propensity.beam-image", "beam_python3.13_sdk:2.61.0"),
            "not from Beam 2.77.0",
        ),
    ],
)
def test_dataflows_image(facts, config, problem):
    [found] = dataflow_problems({**DATAFLOW, **facts}, {**DATAFLOW_CONFIG, **config}, PIPELINE)
    assert problem in found


def test_pins():
    assert pins(LOCKED)["tfx"] == {"1.16.0", "1.21.0"}
    assert len(pins(REQUIREMENTS)) > 200


def images(tmp_path, *arguments, user="1000"):
    """Runs a copy of the script where there is no podman."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (commands / "id").chmod(0o755)
    for tool in ("bash", "dirname", "mktemp", "rm", "sed"):
        (commands / tool).symlink_to(shutil.which(tool))
    (tmp_path / "runners" / "images").mkdir(parents=True)
    shutil.copy("tools/images/build.sh", tmp_path / "runners" / "images")
    command = [shutil.which("bash"), str(tmp_path / "runners" / "images" / "build.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": str(commands)})


@pytest.mark.parametrize("command", ["base", "pipeline", "dataflow", "check"])
@pytest.mark.parametrize("user", ["0", "1000"])
def test_without_podman_it_says_what_to_install(tmp_path, command, user):
    done = images(tmp_path, command, user=user)
    assert done.returncode == 1
    assert "podman runc not found. On Debian and Ubuntu: apt-get install podman runc debootstrap" in done.stderr


def test_clean_without_podman_has_nothing_to_do(tmp_path):
    assert images(tmp_path, "clean").returncode == 0


@pytest.mark.parametrize("arguments", [[], ["bulid"]])
def test_it_says_what_it_can_do(tmp_path, arguments):
    done = images(tmp_path, *arguments)
    assert done.returncode == 2
    assert all(f"build.sh {command} " in done.stderr for command in ("base", "pipeline", "dataflow", "check", "clean"))
