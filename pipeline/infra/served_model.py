"""Loads and calls a SavedModel as a C++ server does: by the session loader, by signature, with TensorFlow alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from models.signatures import EXAMPLES_SIGNATURE, OUTPUT

_ERRORS = (OSError, ValueError, TypeError, LookupError, RuntimeError, tf.errors.OpError)
_REASON_LENGTH = 250

Feeds = Mapping[str, np.ndarray]


class Fault(Exception):
    """The model has a fault; the message names the signature."""


class ServedModel:
    """A loaded model.

    Attributes:
        load_s: the seconds that loading took.
    """

    def __init__(self, folder: str):
        """Loads a model. Raises Fault."""
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        start = time.perf_counter()
        try:
            self._signatures = tf.compat.v1.saved_model.load(self._session, ["serve"], folder).signature_def
        except _ERRORS as error:
            raise Fault(f"the session loader, which C++ servers use, cannot load the model: {reason(error)}") from error
        self.load_s = time.perf_counter() - start

    def check_signature(self, name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Raises Fault unless a signature has exactly these inputs and outputs: dtypes by name, None for any dtype."""
        if name not in self._signatures:
            raise Fault(f"{name}: the model has no such signature")
        found = self._signatures[name]
        for what, wanted, there in (("input", inputs, found.inputs), ("output", outputs, found.outputs)):
            for key in sorted(wanted.keys() | there.keys()):
                if key not in there:
                    raise Fault(f"{name}: the {what} '{key}' is missing")
                if key not in wanted:
                    raise Fault(f"{name}: the {what} '{key}' is not documented")
                dtype = tf.as_dtype(there[key].dtype)
                if wanted[key] not in (None, dtype):
                    raise Fault(f"{name}: the {what} '{key}' is {dtype.name}; it must be {wanted[key].name}")

    def call(self, name: str, feeds: Feeds, what: str = "") -> dict[str, np.ndarray]:
        """Calls a signature and returns its outputs by name. Raises Fault, which says what was sent."""
        found = self._signatures[name]
        try:
            return self._session.run(
                {key: output.name for key, output in found.outputs.items()},
                {found.inputs[key].name: values for key, values in feeds.items()},
            )
        except _ERRORS as error:
            raise Fault(f"{name}: no answer to {what or _rows(feeds)}: {reason(error)}") from error

    def probabilities(self, name: str, feeds: Feeds, what: str = "") -> np.ndarray:
        """The output `probability`, float32 `[rows, 1]`. Raises Fault unless it is that, finite and in [0, 1]."""
        values, wanted = self.call(name, feeds, what)[OUTPUT], (len(next(iter(feeds.values()))), 1)
        what = what or _rows(feeds)
        if values.shape != wanted or values.dtype != np.float32:
            raise Fault(
                f"{name}: the answer to {what} is {values.dtype} {list(values.shape)}; must be float32 {list(wanted)}"
            )
        if not np.isfinite(values).all():
            bad = np.count_nonzero(~np.isfinite(values))
            raise Fault(f"{name}: NaN or infinite in the answer to {what} ({bad:,} of {len(values):,})")
        if values.min() < 0 or values.max() > 1:
            raise Fault(
                f"{name}: the answer to {what} ranges from {values.min():.3g} to {values.max():.3g}, outside [0, 1]"
            )
        return values

    def single_requests(self, examples: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Sends arrays of one serialised tf.Example each, one after another, to `serving_default`.

        Returns:
            Probabilities, float32 `[requests, 1]`, and the seconds that each request took, float64 `[requests]`.

        Raises:
            Fault: a request gets no answer, or one that is not a single probability.
        """
        found = self._signatures[EXAMPLES_SIGNATURE]
        request = self._session.make_callable(found.outputs[OUTPUT].name, [found.inputs["examples"].name])
        answers, seconds = [], []
        try:
            for example in examples:
                start = time.perf_counter()
                answers.append(request(example))
                seconds.append(time.perf_counter() - start)
        except _ERRORS as error:
            raise Fault(f"{EXAMPLES_SIGNATURE}: no answer to a single row: {reason(error)}") from error
        odd = [list(answer.shape) for answer in answers if answer.shape != (1, 1)]
        if odd:
            raise Fault(
                f"{EXAMPLES_SIGNATURE}: the answers to {len(odd)} of {len(answers)} single rows have the shape {odd[0]}"
            )
        return np.concatenate(answers), np.array(seconds)


def _rows(feeds: Feeds) -> str:
    rows = len(next(iter(feeds.values())))
    return "a single row" if rows == 1 else f"{rows:,} rows"


def reason(error: Exception) -> str:
    """A TensorFlow error in one line, without traces, nodes and the data that it quotes after `value:`."""
    lines = str(error).partition("value:")[0].partition("\n\t [[")
    texts = [line.strip() for line in lines[0].splitlines() if line.strip()] or [type(error).__name__]
    return texts[-1 if lines[1] else 0][:_REASON_LENGTH]
