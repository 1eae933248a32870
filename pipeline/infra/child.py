"""Runs pipeline.infra.probe in a child process that never outlives this one.

python -m pipeline.infra.child request.json answer.json

The child's standard input is a pipe. Only the parent has its other end, and never writes to it. The pipe closes when
the parent ends for any reason, and then the child ends itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def run_probe(question: Path, answer: Path, time_limit_s: float) -> str | None:
    """Runs the probe.

    Args:
        question: the file with the request.
        answer: where the probe writes its answer.
        time_limit_s: after which the child is killed.

    Returns:
        None if there is an answer; else what happened, and at which stage.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "CUDA_VISIBLE_DEVICES": "-1",  # this process may have taken an accelerator's memory
    }
    command = [sys.executable, "-m", "pipeline.infra.child", str(question), str(answer)]
    lifeline, held = os.pipe()
    try:
        child = subprocess.run(
            command, stdin=lifeline, capture_output=True, timeout=time_limit_s, env=environment, check=False
        )
    except subprocess.TimeoutExpired as expired:
        return f"{_stage(expired.stdout)}: no end after {time_limit_s:g} s"
    finally:
        os.close(lifeline)
        os.close(held)
    if child.returncode == 0 and answer.exists():
        return None
    if child.returncode < 0:
        return f"{_stage(child.stdout)}: the process was ended by {signal.Signals(-child.returncode).name}"
    lines = child.stderr.decode(errors="replace").split("value:")[0].strip().splitlines()
    return f"{_stage(child.stdout)}: the process ended with {child.returncode} ({lines[-1][:300] if lines else ''})"


def _stage(output: bytes | None) -> str:
    """The stage that the child reported last."""
    lines = (output or b"").decode(errors="replace").splitlines()
    return lines[-1] if lines else "starting the check"


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # not sys.stdin.read, whose lock aborts the interpreter's shutdown
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from pipeline.infra.probe import main  # late: TensorFlow takes seconds to import, and the parent may end meanwhile

    main()
