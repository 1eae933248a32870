"""Checks the two built images: `python3 tools/images/check.py PIPELINE DATAFLOW`. Needs podman, but no package."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEVELOPMENT = ("pytest", "pytest-xdist", "ruff", "uv")
OURS = ("models", "pipeline", "preprocessing", "propensity", "runners", "schema")
# A step's command on Vertex AI begins with it.
EXECUTOR = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
BUILD_SETTING = re.compile(r"^(pip_|uv_|ssl_cert|requests_ca|curl_ca|.*_proxy$)", re.IGNORECASE)

# Runs inside an image, with its Python, and prints the facts that the functions below check.
PROBE = f"""
import hashlib, importlib.metadata, importlib.util, json, os, pathlib, pwd, sys
import schema
from pipeline.settings.dataset_folder import DatasetFolder

def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()

boot = pathlib.Path("/opt/apache/beam/boot")
builder = pwd.getpwuid(0).pw_dir  # the user that builds images
left = ["/build", "/source", "/project"]
left += [os.path.join("/etc", name) for name in ("pip.conf", "uv")]
left += [os.path.join(builder, name) for name in (".config", ".cache")]
print(json.dumps({{
    "user": os.getuid(),
    "python": "%d.%d" % sys.version_info[:2],
    "executable": sys.executable,
    "packages": {{d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}},
    "runtime": pathlib.Path("/opt/requirements/runtime.txt").read_text(),
    "modules": {{name: importlib.util.find_spec(name).origin for name in {OURS!r}}},
    "datasets": [name for name in ("ga4", "ga360", "online_shoppers") if DatasetFolder.load(schema.ROOT / name).query],
    "executor": importlib.util.find_spec({EXECUTOR!r}) is not None,
    "home": os.listdir(os.curdir),
    "writable": [path for path in (os.curdir, sys.prefix, schema.__path__[0]) if os.access(path, os.W_OK)],
    "left": [path for path in left if os.access(path, os.F_OK)],
    "certificates": digest("/etc/ssl/certs/ca-certificates.crt"),
    "boot": os.access(boot, os.X_OK) and boot.read_bytes()[:2].hex(),
}}))
"""


def image_problems(facts: Mapping[str, Any], config: Mapping[str, Any], requirements: str, base: str) -> list[str]:
    """Problems that either image may have.

    Args:
        facts: the output of PROBE in the image.
        config: the image's configuration: `Env`, `Labels`, `User`, `Entrypoint`.
        requirements: text of requirements.txt.
        base: digest of the base image's certificates.
    """
    labels = config.get("Labels") or {}
    packages = {normalized(name): version for name, version in facts["packages"].items()}
    locked, wanted = pins(requirements), pins(facts["runtime"])
    said = {key: labels.get(f"propensity.{key}") for key in ("python", "tfx", "apache-beam")}
    found = {"python": facts["python"], "tfx": packages.get("tfx"), "apache-beam": packages.get("apache-beam")}
    problems = [
        f"the label propensity.{k} says {said[k]}, but the image has {found[k]}" for k in said if said[k] != found[k]
    ]
    if not labels.get("org.opencontainers.image.revision"):
        problems.append("the label org.opencontainers.image.revision is missing")
    if not facts["executable"].startswith("/opt/venv/"):
        problems.append(f"`python` is {facts['executable']}, not the environment's")
    for name, version in packages.items():
        if name not in ("pip", "propensity-pipeline") and version not in locked.get(name, ()):
            problems.append(f"{name} {version} is not in requirements.txt")
    problems += [f"{name} is missing, and the project needs it" for name in wanted if name not in packages]
    problems += [f"{name} is installed, but only development needs it" for name in DEVELOPMENT if name in packages]
    for name in OURS:
        origin = facts["modules"].get(name) or ""
        if "/site-packages/" not in origin:
            problems.append(f"{name} is imported from {origin}, not from the installed wheel")
    if len(facts["datasets"]) < 3:
        problems.append(f"it has only these data sets: {', '.join(facts['datasets'])}")
    if not facts["executor"]:
        problems.append(f"python -m {EXECUTOR} would not find its module")
    problems += [f"{name} is in the working folder" for name in facts["home"] if not name.startswith(".")]
    problems += [f"{path} is left from the build" for path in facts["left"]]
    names = [variable.partition("=")[0] for variable in config.get("Env") or ()]
    problems += [f"the variable {name} is left from the build" for name in names if BUILD_SETTING.match(name)]
    if facts["certificates"] != base:
        problems.append("its certificates are not those of the base image")
    if "OMP_WAIT_POLICY=PASSIVE" not in (config.get("Env") or ()):
        problems.append("OMP_WAIT_POLICY is not PASSIVE")
    return problems


def pipeline_problems(facts: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Problems that only the image of the steps may have."""
    problems = []
    if facts["user"] == 0:
        problems.append("it runs as root")
    if facts["writable"] != ["."]:
        problems.append(f"its user can write to {', '.join(facts['writable']) or 'nothing, not even its home'}")
    if config.get("Entrypoint"):
        problems.append(f"its entry point {config['Entrypoint']} would precede a step's command")
    return problems


def dataflow_problems(facts: Mapping[str, Any], config: Mapping[str, Any], pipeline: Mapping[str, Any]) -> list[str]:
    """Problems that only Dataflow's image may have. `pipeline` holds the facts of the steps' image."""
    problems = []
    for key in ("python", "packages", "modules"):
        if facts[key] != pipeline[key]:
            problems.append(f"its {key} differ from the pipeline's image")
    if config.get("Entrypoint") != ["/opt/apache/beam/boot"]:
        problems.append(f"its entry point is {config.get('Entrypoint')}, not Beam's boot")
    if "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1" not in (config.get("Env") or ()):
        problems.append("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT is not 1: boot would create another environment")
    if not facts["boot"]:
        problems.append("/opt/apache/beam/boot is missing or not executable")
    version = (config.get("Labels") or {}).get("propensity.apache-beam") or "?"
    beam_image = (config.get("Labels") or {}).get("propensity.beam-image") or ""
    if not beam_image.endswith((f"sdk:{version}", "beam-stand-in:local")):
        problems.append(f"boot comes from {beam_image or 'an image that no label names'}, not from Beam {version}")
    return problems


def pins(requirements: str) -> dict[str, set[str]]:
    """The pinned versions of each package in a requirements file, by normalized name."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+)", requirements, re.MULTILINE):
        found.setdefault(normalized(name), set()).add(version)
    return found


def normalized(name: str) -> str:
    """A package's normalized name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _podman(*arguments: str, stdin: str | None = None) -> str:
    return subprocess.run(["podman", *arguments], input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout


def _facts(image: str) -> dict[str, Any]:
    options = ["--rm", "--interactive", "--network=none", "--entrypoint=python"]
    return json.loads(_podman("run", *options, image, "-", stdin=PROBE))


def _config(image: str) -> dict[str, Any]:
    return json.loads(_podman("image", "inspect", image))[0]["Config"]


def _certificates(image: str) -> str:
    command = ["sha256sum", "/etc/ssl/certs/ca-certificates.crt"]
    return _podman("run", "--rm", "--network=none", image, *command).split()[0]


def main(pipeline: str, dataflow: str) -> int:
    """Prints the problems. The exit status is 1 if there are any."""
    configs, facts = (
        [_config(image) for image in (pipeline, dataflow)],
        [_facts(image) for image in (pipeline, dataflow)],
    )
    base = _certificates(configs[0]["Labels"]["org.opencontainers.image.base.name"])
    requirements = (ROOT / "requirements.txt").read_text()
    found = [
        (pipeline, image_problems(facts[0], configs[0], requirements, base) + pipeline_problems(facts[0], configs[0])),
        (
            dataflow,
            image_problems(facts[1], configs[1], requirements, base)
            + dataflow_problems(facts[1], configs[1], facts[0]),
        ),
    ]
    for image, problems in found:
        print(f"{image}: {'; '.join(problems) or 'no problems'}")
    elf = facts[1]["boot"] == b"\x7fE".hex()
    print(f"{dataflow}: {'boot is an ELF program' if elf else 'boot is a stand-in: this image cannot run on Dataflow'}")
    return int(any(problems for _, problems in found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
