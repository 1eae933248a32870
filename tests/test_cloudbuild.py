"""cloudbuild.yaml and runners/cloudbuild_triggers.sh: what they call is there, in an order in which it can work."""

import contextlib
import graphlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from runners import vertex_jobs, vertex_release, vertex_runner
from runners.vertex.settings import load_vertex_settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "cloudbuild.yaml").read_text()
BUILD = yaml.safe_load(TEXT)
STEPS = {step["id"]: step for step in BUILD["steps"]}
BUILT_IN = {"PROJECT_ID", "COMMIT_SHA"}  # of Cloud Build's own
MAINS = {
    "runners.vertex_jobs": vertex_jobs._parser,
    "runners.vertex_release": vertex_release.parser,
    "runners.vertex_runner": vertex_runner._parser,
}


def needs(step):
    """The steps that Cloud Build waits for: without `waitFor` all before it."""
    earlier = list(STEPS)[: list(STEPS).index(step)]
    waited = STEPS[step].get("waitFor", earlier)
    return [] if waited == ["-"] else waited


def before(step):
    """All steps that are over when a step begins."""
    return {found for earlier in needs(step) for found in (earlier, *before(earlier))}


def command(step):
    """The words of a step's command, where a shell's are its last command's; and where its output goes."""
    words = [STEPS[step].get("entrypoint", ""), *STEPS[step]["args"]]
    if words[0] != "bash":
        return words, None
    assert words[1] == "-c"
    words = shlex.split(words[2].rpartition("||")[2])
    target = next((word[1:] for word in words if word.startswith(">")), None)
    return [word for word in words if not word.startswith(">")], target


def value(words, option):
    return next(word.partition("=")[2] for word in words if word.startswith(f"--{option}="))


def test_what_waits_for_what():
    assert len(STEPS) == len(BUILD["steps"])
    for step in STEPS:
        earlier = list(STEPS)[: list(STEPS).index(step)]
        assert set(needs(step)) <= set(earlier), f"{step} waits for a step that comes later or not at all"
    list(graphlib.TopologicalSorter({step: needs(step) for step in STEPS}).static_order())


@pytest.mark.parametrize(
    ("step", "earlier"),
    [
        ("test", {"lint"}),  # both make the environment
        ("push-pipeline", {"lint", "test", "build-pipeline"}),
        ("push-dataflow", {"lint", "test", "build-dataflow"}),
        ("compile", {"pin", "push-pipeline", "push-dataflow"}),
        ("doctor", {"compile"}),
        ("request", {"compile"}),
        ("trial", {"doctor"}),
        ("upload", {"request", "trial"}),
        ("schedule", {"upload", "trial", "test"}),
    ],
)
def test_what_is_over_before(step, earlier):
    assert earlier <= before(step)


@pytest.mark.parametrize("step", [step for step in STEPS if STEPS[step].get("entrypoint") == "make"])
def test_targets_of_make_are_there(step):
    made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(STEPS[step]["args"]) <= set(made)


@pytest.mark.parametrize("step", [step for step in STEPS if "-m" in command(step)[0]])
def test_commands_and_options_are_those_of_the_parsers(step):
    words, _ = command(step)
    module, arguments = words[words.index("-m") + 1], words[words.index("-m") + 2 :]
    assert words[0] == "python"
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        try:
            args = MAINS[module]().parse_args(arguments)
        except SystemExit:
            pytest.fail(error.getvalue())
    assert str(args.settings) == ("${_SETTINGS}" if step == "pin" else value(command("pin")[0], "to"))
    if hasattr(args, "dataset"):
        assert args.dataset == "${_DATASET}"


def test_what_a_wrong_option_looks_like():
    with contextlib.redirect_stderr(io.StringIO()), pytest.raises(SystemExit):
        vertex_jobs._parser().parse_args(["schedule", "apply", "--sample=1"])


def test_the_request_that_goes_up_is_the_one_that_was_written():
    words, written = command("request")
    assert "--dry-run" in words
    assert written == value(command("upload")[0], "request")
    assert Path(written).parent == Path(value(command("pin")[0], "to")).parent == Path(STEPS["folder"]["args"][-1])


def test_the_trial_is_of_a_sample_and_is_waited_for():
    script = STEPS["trial"]["args"][1]
    assert script.startswith('test -z "${_TRIAL_PERCENT}" || python ')
    args = vertex_jobs._parser().parse_args(command("trial")[0][3:])
    assert args.wait and args.parameter == ["sample_percent=${_TRIAL_PERCENT}"]
    assert BUILD["substitutions"]["_TRIAL_PERCENT"] == ""
    script = script.replace("python", "echo")
    for percent, said in (("", ""), ("10", "sample_percent=10 --wait")):
        done = subprocess.run(
            ["bash", "-c", script],
            env={**os.environ, "_TRIAL_PERCENT": percent, "_DATASET": "ga4"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert said in done.stdout and bool(said) == bool(done.stdout)


def test_images_are_built_pushed_and_used_under_one_name():
    built = {target: value(STEPS[f"build-{target}"]["args"], "tag") for target in ("pipeline", "dataflow")}
    for target, image in built.items():
        build = STEPS[f"build-{target}"]
        assert image == f"${{_REPOSITORY}}/{target}:$COMMIT_SHA"
        assert STEPS[f"push-{target}"]["args"] == ["push", image]
        assert value(build["args"], "target") == target
        assert build["env"] == ["DOCKER_BUILDKIT=1"]  # the Dockerfile mounts a stage
    pin = command("pin")[0]
    assert (value(pin, "image"), value(pin, "dataflow-image")) == (built["pipeline"], built["dataflow"])
    used = {step["name"] for step in STEPS.values() if step["name"].startswith("${")}
    assert used == {built["pipeline"]}
    assert all(f"build-{'pipeline'}" in before(name) for name, step in STEPS.items() if step["name"] in used)


def test_targets_and_arguments_are_those_of_the_dockerfile():
    dockerfile = (ROOT / "Dockerfile").read_text()
    for target in ("pipeline", "dataflow"):
        assert re.search(rf"^FROM \S+ AS {target}$", dockerfile, re.MULTILINE)
        argument = value(STEPS[f"build-{target}"]["args"], "build-arg").partition("=")[0]
        assert re.search(rf"^ARG {argument}\b", dockerfile, re.MULTILINE)


def test_substitutions_are_declared_and_used():
    body = TEXT.partition("\nsteps:\n")[2]
    used = set(re.findall(r"\$\{?(\w+)", body))
    declared = set(BUILD["substitutions"])
    assert used - declared <= BUILT_IN
    assert declared <= used
    assert "COMMIT_SHA" in used
    assert set(re.findall(r"\$\{(\w+)\}", str(BUILD["substitutions"]))) <= BUILT_IN
    assert BUILD["options"]["dynamicSubstitutions"]  # a substitution that holds another


def test_defaults_are_there():
    assert load_vertex_settings(ROOT / BUILD["substitutions"]["_SETTINGS"]).project == "my-project"
    assert (ROOT / "schema" / BUILD["substitutions"]["_DATASET"] / "dataset.yaml").is_file()


def test_no_secret():
    assert not {"availableSecrets", "secrets"} & set(BUILD)
    assert not any("secretEnv" in step or "volumes" in step for step in STEPS.values())
    assert not re.search(r"(?i)password|token|api_?key|private_key|AIza|-----BEGIN", TEXT)


def test_logs_need_no_bucket():
    """Cloud Build refuses a build of an account of one's own that names no place for its logs."""
    assert BUILD["options"]["logging"] == "CLOUD_LOGGING_ONLY"


# runners/cloudbuild_triggers.sh


@pytest.fixture(scope="module")
def triggers(tmp_path_factory):
    """What the script asks gcloud for, by the trigger's name."""
    folder = tmp_path_factory.mktemp("bin")
    gcloud = folder / "gcloud"
    gcloud.write_text(
        f'#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >>{folder}/calls\necho --- >>{folder}/calls\n'
    )
    gcloud.chmod(0o755)
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    arguments = ["ci-project", "us-central1", "projects/p/locations/l/connections/c/repositories/r", "ci@p"]
    subprocess.run(["bash", ROOT / "runners" / "cloudbuild_triggers.sh", *arguments], env=path, check=True)
    calls = [call.splitlines() for call in (folder / "calls").read_text().split("---\n") if call]
    return {value(call, "name"): call for call in calls}


def test_three_environments_by_branch(triggers):
    branches = {name: value(call, "branch-pattern") for name, call in triggers.items()}
    assert branches == {
        "propensity-development": "^develop$",
        "propensity-staging": "^staging$",
        "propensity-production": "^main$",
    }
    assert all(call[:4] == ["builds", "triggers", "create", "github"] for call in triggers.values())


def test_production_alone_waits_for_approval_and_has_no_trial(triggers):
    approved = {name for name, call in triggers.items() if "--require-approval" in call}
    assert approved == {"propensity-production"}
    tried = {name for name, call in triggers.items() if not value(call, "substitutions").endswith("_TRIAL_PERCENT=")}
    assert tried == {"propensity-development", "propensity-staging"}


def test_triggers_set_only_what_the_build_declares(triggers):
    for name, call in triggers.items():
        given = dict(pair.split("=", 1) for pair in value(call, "substitutions").split(","))
        assert set(given) <= set(BUILD["substitutions"])
        assert given["_SETTINGS"] == f"runners/vertex.{name.removeprefix('propensity-')}.yaml"
        assert value(call, "build-config") == "cloudbuild.yaml"


def test_documentation_alone_starts_nothing(triggers):
    for call in triggers.values():
        patterns = value(call, "ignored-files").split(",")
        assert patterns == ["docs/**", "*.md", "**/*.md"]


def test_the_script_says_what_it_needs():
    done = subprocess.run(
        ["bash", ROOT / "runners" / "cloudbuild_triggers.sh"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and "usage: runners/cloudbuild_triggers.sh PROJECT REGION" in done.stderr
