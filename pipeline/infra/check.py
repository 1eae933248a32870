"""Checks a model with pipeline.infra.probe in a child process, so that a crash or a hang ends the child alone."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipeline.infra.child import run_probe

#: Seconds after which InfraCheck ends its child process, and the model fails.
_TIME_LIMIT_S = 600.0


def check(request: dict[str, Any], examples: list[bytes], *, time_limit_s: float = _TIME_LIMIT_S) -> dict[str, Any]:
    """Runs the checks in a child process.

    Args:
        request: of pipeline.infra.probe, without `examples`.
        examples: serialised raw tf.Examples.
        time_limit_s: after which the child is ended.

    Returns:
        The child's answer: `problems`, `warnings`, `load_s`, `signatures` and `latency_ms`. A child that crashes, hangs
        or does not answer is a problem, too.
    """
    nothing = {"warnings": [], "load_s": None, "signatures": {}, "latency_ms": None}
    if not examples:
        return {"problems": ["the split eval has no rows to check the model with"], **nothing}
    with tempfile.TemporaryDirectory() as folder:
        sample, question, answer = (Path(folder, name) for name in ("examples", "request.json", "answer.json"))
        with tf.io.TFRecordWriter(str(sample)) as writer:
            for example in examples:
                writer.write(example)
        question.write_text(json.dumps({**request, "examples": str(sample)}), encoding="utf-8")
        problem = run_probe(question, answer, time_limit_s)
        if problem:
            return {"problems": [problem], **nothing}
        return json.loads(answer.read_text(encoding="utf-8"))
