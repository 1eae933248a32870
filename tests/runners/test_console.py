import logging
import os
import subprocess
import sys

import pytest

from runners.console import Console, console

NOISY = """
import logging, os, sys
from pathlib import Path
from runners.console import console
with console(Path(sys.argv[1]), verbose=sys.argv[2] == "verbose") as terminal:
    with terminal.component("Step") as remarks:
        print("python noise")
        os.system("echo native noise")
        logging.getLogger("propensity.progress").info("step 3 of 9")
        logging.getLogger("propensity.trials").info("trial 1 of 2")
        logging.getLogger("propensity.trials").info("trial 2 of 2")
        logging.getLogger("propensity").warning("column x has NaN")
        logging.getLogger("absl").warning("tfx noise")
print("after")
"""


def run(tmp_path, mode):
    log = tmp_path / "logs" / "run.log"
    done = subprocess.run(
        [sys.executable, "-c", NOISY, str(log), mode], capture_output=True, text=True, check=True, cwd=os.getcwd()
    )
    return done.stdout, log.read_text() if log.exists() else ""


def test_noise_goes_to_the_file_and_only_the_run_is_shown(tmp_path):
    shown, logged = run(tmp_path, "quiet")
    assert "noise" not in shown
    assert "warning: column x has NaN" in shown
    assert "Step" in shown
    assert "step 3 of 9" in shown
    assert "    trial 1 of 2\n    trial 2 of 2\n" in shown
    assert shown.endswith("after\n")
    assert "python noise" in logged
    assert "native noise" in logged


def test_verbose_shows_everything(tmp_path):
    shown, logged = run(tmp_path, "verbose")
    assert "python noise" in shown
    assert "native noise" in shown
    assert logged == ""


def test_the_first_failure_is_kept(tmp_path):
    with open(tmp_path / "out", "w+") as stream:
        shown = Console(stream)
        with pytest.raises(KeyError), shown.component("Outer"), shown.component("Inner"):
            raise KeyError("column")
        assert shown.failure[0] == "Inner"
        stream.seek(0)
        assert "Inner" in stream.read()


def test_the_handler_is_taken_away_again(tmp_path):
    package = logging.getLogger("propensity")
    before = list(package.handlers)
    with console(tmp_path / "log", verbose=True):
        assert len(package.handlers) == len(before) + 1
    assert package.handlers == before
