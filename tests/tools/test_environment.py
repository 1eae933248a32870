import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path("tools/environment.sh")


def attempt(tmp_path, *, glibc="2.41", machine="Linux x86_64", python="", **variables):
    """Runs a copy of the script on a host that the given commands pretend to be."""
    commands = tmp_path / "bin"
    commands.mkdir()
    system, processor = machine.split()
    stand_ins = {
        "uname": f'case "$1" in -s) echo {system};; -m) echo {processor};; esac',
        "getconf": f'[ -n "{glibc}" ] && echo "glibc {glibc}"',
        "python3": "echo no ensurepip; exit 1",
    }
    for version in ("3.10", "3.11", "3.12", "3.13"):
        stand_ins[f"python{version}"] = f"echo /stand-in/python{version}" if version == python else "exit 127"
    for name, body in stand_ins.items():
        (commands / name).write_text(f"#!/bin/sh\n{body}\n")
        (commands / name).chmod(0o755)
    for tool in ("bash", "dirname", "cut", "sort", "head", "sed", "mkdir", "rm", "tail"):
        (commands / tool).symlink_to(shutil.which(tool))
    project = tmp_path / "project"
    (project / "tools").mkdir(parents=True)
    shutil.copy(SCRIPT, project / "tools")
    shutil.copy("requirements.txt", project)
    done = subprocess.run(
        [shutil.which("bash"), str(project / "tools" / "environment.sh"), ".venv"],
        capture_output=True,
        text=True,
        env={"PATH": str(commands), "HOME": str(tmp_path), **variables},
    )
    assert not (project / ".venv").exists()
    assert done.returncode == 1
    return done.stderr


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ({"machine": "Darwin arm64"}, "wheels for Linux on x86-64 only, and this is Darwin on arm64"),
        ({"machine": "Linux aarch64"}, "wheels for Linux on x86-64 only"),
        ({"glibc": ""}, "no glibc"),
        ({"glibc": "2.12"}, "glibc 2.12 is too old"),
        ({"glibc": "2.36", "ENV_PYTHON": "3.13"}, "is not possible with glibc 2.36. Choose from: 3.10"),
        ({"glibc": "2.39", "ENV_PYTHON": "3.10"}, "is not possible with glibc 2.39. Choose from: 3.13 3.12 3.11"),
        ({"python": "3.13"}, "apt-get install g++ python3-dev"),
        ({"python": "3.12"}, "apt-get install python3 python3-venv"),
    ],
)
def test_a_host_where_it_cannot_work_is_told_at_once(tmp_path, host, reason):
    assert reason in attempt(tmp_path, **host)


def test_the_requirements_name_no_host():
    assert "://" not in Path("requirements.txt").read_text()
    assert os.linesep + "-i " not in Path("requirements.txt").read_text()
