"""What ends a command early: signals, errors and a folder that is in use, each with one line and its exit code."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.config import SettingsError
from runners.guard import run_guarded
from runners.local_home import LocalHome

PROGRAM = """
import sys, threading, time
from pathlib import Path
from runners import guard, signals
from runners.local_home import LocalHome

home = LocalHome(Path(sys.argv[1]), "small")
home.check_writable()
signals._GRACE_S = float(sys.argv[3])

def body(command):
    with command.terminal.component("TrainXGBoost"):
        command.terminal.line("started")
        {body}
    return 0

signals.end(guard.run_guarded(home, "a run", verbose=False, body=body))
"""
BODIES = {
    "python": "time.sleep(60)",
    # As Beam does with any exception of a component.
    "turned": "\n        try: time.sleep(60)\n        except BaseException as error: raise RuntimeError(str(error))",
    # As a callback from C does.
    "lost": "\n        try: time.sleep(60)\n        except BaseException: pass\n        command.check()",
    "deaf": "\n        while True:\n            try: time.sleep(60)\n            except BaseException: pass",
    "thread": "threading.Thread(target=time.sleep, args=(60,)).start(); time.sleep(60)",
}


def interrupt(tmp_path, body, number, *, grace=60.0, times=1):
    """Starts the program, sends a signal when the component runs; returns exit code and output."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=BODIES[body]), str(tmp_path), body, str(grace)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.getcwd(),
    )
    assert process.stdout.readline() == "started\n"
    for _ in range(times):
        time.sleep(0.3)  # or both signals arrive as one
        process.send_signal(number)
    shown = process.communicate(timeout=50)[0]
    return process.returncode, shown


@pytest.mark.parametrize(
    ("body", "number", "code"),
    [
        ("python", signal.SIGINT, 130),
        ("python", signal.SIGTERM, 143),
        ("python", signal.SIGHUP, 129),
        ("turned", signal.SIGTERM, 143),
        ("lost", signal.SIGINT, 130),
        ("thread", signal.SIGTERM, 143),
    ],
)
def test_a_signal_ends_the_run_with_one_line_and_its_code(tmp_path, body, number, code):
    returned, shown = interrupt(tmp_path, body, number)
    assert returned == code
    assert f"STOPPED in TrainXGBoost: interrupted by {number.name}. Nothing was pushed. Run again" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("how", [{"times": 2}, {"grace": 0.5}])
def test_what_does_not_stop_is_ended_by_a_second_signal_or_after_a_while(tmp_path, how):
    returned, shown = interrupt(tmp_path, "deaf", signal.SIGTERM, **how)
    assert returned == 143
    assert "STOPPED: interrupted by SIGTERM" in shown


@pytest.fixture
def home(tmp_path):
    found = LocalHome(tmp_path, "small")
    found.check_writable()
    return found


def test_the_line_says_what_was_pushed_before(home, capfd):
    Path(home.serving, "5").mkdir(parents=True)

    def body(command):
        Path(home.serving, "17").mkdir()
        raise OSError(28, "No space left on device")

    assert run_guarded(home, "a run", verbose=False, body=body) == 1
    shown = capfd.readouterr().out
    assert re.search(r"FAILED in the runner: no space left on the disk of /\S* \([\d,]+ MiB free\)", shown)
    assert f"A model was pushed before that, to {home.serving}/17." in shown
    [log] = Path(home.folder, "logs").iterdir()
    assert str(log) in shown
    assert "Errno 28" in log.read_text(), "the traceback is in the log"


def test_a_refusal_is_one_line(home, capfd):
    def body(command):
        raise SettingsError("no such column")

    assert run_guarded(home, "a run", verbose=False, body=body) == 2
    assert capfd.readouterr().out == "Error: no such column\n"


def test_handlers_are_what_they_were_before(home):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run_guarded(home, "a run", verbose=False, body=lambda command: 0) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_folder_in_use_and_damaged_metadata_are_refused_before_anything_runs(home, capfd):
    def body(command):
        raise AssertionError("it ran")

    with home.locked("a run"):
        assert run_guarded(home, "a rollback", verbose=False, body=body) == 2
    assert "Error: a run (process" in capfd.readouterr().err
    home.metadata.write_bytes(b"no database")
    assert run_guarded(home, "a run", verbose=False, body=body) == 2
    assert f"Error: {home.metadata} is damaged" in capfd.readouterr().err


def test_a_log_on_a_full_disk_fails_nothing(home, capfd, monkeypatch):
    monkeypatch.setattr(LocalHome, "new_log", lambda home: Path("/dev/full"))

    def body(command):
        print("noise")
        print("more noise", file=sys.stderr, flush=True)
        return 0

    assert run_guarded(home, "a run", verbose=False, body=body) == 0
    print("noise")  # the streams are what they were
    assert capfd.readouterr().out == "noise\n"
