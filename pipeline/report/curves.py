"""Reads training curves from TensorBoard's event files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto import event_pb2, summary_pb2
from tfx.dsl.io import fileio

from pipeline.report.run_data import Curve

#: Points of a training curve that the report plots.
_MOST_POINTS = 400


def read_curves(folder: str) -> dict[str, Curve]:
    """Scalars by tag from all event files below a folder, thinned to _MOST_POINTS; empty if there are none."""
    points: dict[str, dict[int, float]] = {}
    for path in sorted(_event_files(folder)):
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            event = event_pb2.Event.FromString(record)
            for value in event.summary.value:
                number = _scalar(value)
                if number is not None:
                    points.setdefault(value.tag, {})[event.step] = number
    return {tag: _thinned(found) for tag, found in points.items()}


def _event_files(folder: str) -> Iterator[str]:
    if fileio.exists(folder):
        for parent, _, names in fileio.walk(folder):
            yield from (f"{parent}/{name}" for name in names if "tfevents" in name)


def _scalar(value: summary_pb2.Summary.Value) -> float | None:
    """The number of a summary value of TensorFlow 1 or 2; None for images, graphs and the like."""
    if value.HasField("simple_value"):
        return value.simple_value
    if (
        value.HasField("tensor")
        and not value.tensor.tensor_shape.dim
        and value.metadata.plugin_data.plugin_name == ("scalars")
    ):
        return float(tf.make_ndarray(value.tensor))
    return None


def _thinned(points: dict[int, float]) -> Curve:
    steps = np.array(sorted(points), np.int64)
    kept = steps[np.unique(np.linspace(0, len(steps) - 1, min(len(steps), _MOST_POINTS)).round().astype(int))]
    return Curve(kept, np.array([points[step] for step in kept]))
