"""InfraCheck's child process: loads a SavedModel as a C++ server does, and sends requests to it.

python -m pipeline.infra.probe request.json answer.json

It prints each stage before it begins. If the process crashes or hangs, the last line says where.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from models.signatures import EXAMPLES_SIGNATURE, OUTPUT, TENSORS_SIGNATURE, TRANSFORM_SIGNATURE
from pipeline.infra.served_model import Fault, Feeds, ServedModel

#: Largest difference between two signatures' probabilities for the same row.
_TOLERANCE = 1e-5
#: Requests that are sent before latency is measured.
_WARM_UP = 30
#: Most rounds of requests. The fastest round counts.
_ROUNDS = 3
#: Rows that are sent to `predict` one by one. (`serving_default` gets the rows of the latency measurement one by one.)
_ONE_BY_ONE = 16
_REQUIRED = re.compile(r"Feature: (\S+) .*is required but could not be found")


class Probe:
    """The checks of one model.

    Attributes:
        problems: a sentence for each check that failed.
        warnings: what a user should know although it is not a fault.
        signatures: by name, the inputs, outputs and rows that were checked.
        load_s: the seconds that loading took; None if it failed.
        latency_ms: median, 99th percentile and bound of single requests; None if they were not measured.
    """

    def __init__(self, request: Mapping[str, Any]):
        """Reads the examples.

        Args:
            request: `model` (folder of a SavedModel), `examples` (a TFRecord file of raw tf.Examples, not compressed),
                `features` (by name the kind, numeric or categorical), `required` (names of features that are never
                missing), `requests` (the number of single-row requests) and `p99_ms` (their bound).
        """
        self._request = request
        examples = np.array(list(tf.data.TFRecordDataset([request["examples"]]).as_numpy_iterator()), object)
        self._feeds: dict[str, Feeds] = {
            EXAMPLES_SIGNATURE: {"examples": examples},
            TENSORS_SIGNATURE: self._columns(examples),
            TRANSFORM_SIGNATURE: {"examples": examples},
        }
        self._rows = len(examples)
        self._required = set(request["required"])
        self._answers: dict[str, np.ndarray] = {}
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.signatures: dict[str, Any] = {}
        self.load_s: float | None = None
        self.latency_ms: dict[str, float] | None = None

    def run(self) -> None:
        """Makes all checks that are possible, even after one has failed."""
        self._check("loading the model", self._load)
        if self.load_s is None:
            return
        for name in self._feeds:
            self._check(f"reading the signature {name}", self._signature, name)
        for name in list(self.signatures):
            self._check(f"sending {self._rows:,} rows to {name}", self._all_rows, name)
        if len(self._answers) == 2:
            self._check("comparing the answers", self._agreement)
        for name in list(self._answers):
            self._check(f"sending a row without values to {name}", self._missing, name)
        if TENSORS_SIGNATURE in self._answers:
            self._check(f"sending single rows to {TENSORS_SIGNATURE}", self._one_by_one)
        if EXAMPLES_SIGNATURE in self._answers:
            self._check(f"sending single rows to {EXAMPLES_SIGNATURE}", self._latency)

    def _check(self, stage: str, check: Callable[..., None], *arguments: str) -> None:
        print(stage, flush=True)
        try:
            check(*arguments)
        except Fault as fault:
            self.problems.append(str(fault))

    def _load(self) -> None:
        self._model = ServedModel(self._request["model"])
        self.load_s = round(self._model.load_s, 3)

    def _signature(self, name: str) -> None:
        features = self._request["features"]
        inputs = self._dtypes() if name == TENSORS_SIGNATURE else {"examples": tf.string}
        outputs = dict.fromkeys(features) if name == TRANSFORM_SIGNATURE else {OUTPUT: tf.float32}
        self._model.check_signature(name, inputs, outputs)
        self.signatures[name] = {"inputs": list(inputs), "outputs": list(outputs), "rows": 0}

    def _all_rows(self, name: str) -> None:
        if name == TRANSFORM_SIGNATURE:
            for key, values in sorted(self._model.call(name, self._feeds[name]).items()):
                if values.shape[:1] != (self._rows,):
                    raise Fault(f"{name}: output '{key}' has the shape {list(values.shape)} for {self._rows:,} rows")
        else:
            self._answers[name] = self._model.probabilities(name, self._feeds[name])
        self.signatures[name]["rows"] = self._rows

    def _agreement(self) -> None:
        _same(f"{EXAMPLES_SIGNATURE} and {TENSORS_SIGNATURE} differ", *self._answers.values())

    def _missing(self, name: str) -> None:
        """Sends a row with only the features that are never missing, and finds out which others the model requires."""
        declared, answered = set(self._required), False
        while not answered:
            example = tf.train.Example.FromString(self._feeds[EXAMPLES_SIGNATURE]["examples"][0])
            for key in set(example.features.feature) - self._required:
                del example.features.feature[key]
            row = np.array([example.SerializeToString()], object)
            feeds = self._columns(row) if name == TENSORS_SIGNATURE else {"examples": row}
            try:
                self._model.probabilities(name, feeds, "a row without values")
                answered = True
            except Fault as fault:
                refused = _REQUIRED.search(str(fault))
                if not refused or refused[1] in self._required:
                    raise
                self._required.add(refused[1])
        if self._required != declared:
            names = ", ".join(sorted(self._required - declared))
            self.warnings.append(
                f"{name} refuses rows without {names}, although features.yaml allows missing values there. The schema "
                "was inferred from rows that have all values. With a curated schema, the model accepts such rows."
            )

    def _one_by_one(self) -> None:
        rows = min(_ONE_BY_ONE, self._rows)
        columns = self._feeds[TENSORS_SIGNATURE]
        alone = [
            self._model.probabilities(TENSORS_SIGNATURE, {key: values[i : i + 1] for key, values in columns.items()})
            for i in range(rows)
        ]
        together = self._answers[TENSORS_SIGNATURE][:rows]
        _same(f"{TENSORS_SIGNATURE}: rows alone and in a batch differ", np.concatenate(alone), together)

    def _latency(self) -> None:
        """Sends single rows one after another; their answers must equal those of the batch.

        A pause of the machine is not the model's: what is too slow is measured again, and the fastest round counts.
        """
        rows = np.arange(_WARM_UP + self._request["requests"]) % self._rows
        examples = self._feeds[EXAMPLES_SIGNATURE]["examples"]
        bound, together = self._request["p99_ms"], self._answers[EXAMPLES_SIGNATURE][rows]
        p50, p99 = np.inf, np.inf
        for _ in range(_ROUNDS):
            answers, seconds = self._model.single_requests([examples[i : i + 1] for i in rows])
            _same(f"{EXAMPLES_SIGNATURE}: rows alone and in a batch differ", answers, together)
            p99, p50 = min((p99, p50), tuple(np.percentile(seconds[_WARM_UP:] * 1000, [99, 50])))
            if p99 <= bound:
                break
        self.latency_ms = {"p50": round(float(p50), 3), "p99": round(float(p99), 3), "bound": bound}
        if p99 > bound:
            raise Fault(
                f"{EXAMPLES_SIGNATURE}: the 99th percentile of the latency of single rows is {p99:.3g} ms; the "
                f"bound is {bound:g} ms (infra_check.p99_ms)"
            )

    def _columns(self, examples: np.ndarray) -> Feeds:
        """Rows as in a JSON request, `[rows]`: float32 numbers with NaN, object (bytes) strings with b'' if missing."""
        dtypes = self._dtypes()
        parsed = tf.io.parse_example(examples, {key: tf.io.VarLenFeature(dtype) for key, dtype in dtypes.items()})
        columns = {}
        for key, dtype in dtypes.items():
            missing, kind = (b"", object) if dtype == tf.string else (np.nan, np.float32)
            columns[key] = np.full(len(examples), missing, kind)
            columns[key][parsed[key].indices.numpy()[:, 0]] = parsed[key].values.numpy()
        return columns

    def _dtypes(self) -> dict[str, tf.DType]:
        return {key: tf.float32 if kind == "numeric" else tf.string for key, kind in self._request["features"].items()}


def _same(text: str, one: np.ndarray, other: np.ndarray) -> None:
    difference = float(np.max(np.abs(one - other)))
    if difference > _TOLERANCE:
        raise Fault(f"{text} by up to {difference:.2g}; at most {_TOLERANCE:g} is allowed")


def main() -> None:
    """Reads the request and writes the answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("request", type=Path)
    parser.add_argument("answer", type=Path)
    arguments = parser.parse_args()
    probe = Probe(json.loads(arguments.request.read_text(encoding="utf-8")))
    probe.run()
    keys = ("problems", "warnings", "load_s", "signatures", "latency_ms")
    arguments.answer.write_text(json.dumps({key: getattr(probe, key) for key in keys}), encoding="utf-8")


if __name__ == "__main__":
    main()
