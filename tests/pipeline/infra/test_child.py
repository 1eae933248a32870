"""The probe's process never outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# The probe waits for its request: a named pipe that nobody writes to.
PARENT = """
import sys
from pathlib import Path
from pipeline.infra import child
print("started", flush=True)
child.run_probe(Path(sys.argv[1]), Path(sys.argv[2]), 600)
"""


def fields(pid):
    """What Linux tells of a process after its name: state, parent, ...; none if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(parent):
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if fields(pid)[1:2] == [str(parent)]]


def wait_for(condition):
    """Waits until it holds; pytest's own time limit ends a test that waits for ever."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def runs(pid):
    return fields(pid)[:1] not in ([], ["Z"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_is_left_when_the_parent_is_ended(tmp_path, number):
    os.mkfifo(tmp_path / "request.json")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "request.json"), str(tmp_path / "answer.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=os.getcwd(),
    )
    try:
        assert parent.stdout.readline() == b"started\n"
        assert wait_for(lambda: children(parent.pid))
        [child] = children(parent.pid)
        assert runs(child)
        parent.send_signal(number)
        parent.wait(timeout=60)
        assert wait_for(lambda: not runs(child))
    finally:
        parent.kill()
        parent.communicate()
