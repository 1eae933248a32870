"""TFDV's anomalies: the files of an ExampleAnomalies artifact, and which anomalies stop a run."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx import types
from tfx.components.example_validator import executor as example_validator
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from pipeline.data_gate.feature_values import by_name
from pipeline.settings.dataset import leave_out_advice

_log = logging.getLogger("propensity")
_SEVERITIES = {"warning": anomalies_pb2.AnomalyInfo.WARNING, "error": anomalies_pb2.AnomalyInfo.ERROR}


class DataGateError(RuntimeError):
    """The data is not fit to train on; the message lists split, feature and anomaly."""


def add_empty(anomalies: anomalies_pb2.Anomalies, statistics: statistics_pb2.DatasetFeatureStatisticsList) -> list[str]:
    """Adds an error for each feature without any value, unless ExampleValidator has found that.

    Nothing can be learned from such a feature, and with an inferred schema Transform fails on it.

    Args:
        anomalies: those of the training split.
        statistics: of the training split.

    Returns:
        The names of these features.
    """
    empty = sorted(name for name, values in by_name(statistics).items() if not values.present)
    for name in empty:
        info = anomalies.anomaly_info[name]
        if info.severity == anomalies_pb2.AnomalyInfo.ERROR:
            continue
        info.path.step[:] = [name]
        info.severity = anomalies_pb2.AnomalyInfo.ERROR
        info.short_description = "Feature is empty"
        info.description = "The feature has no value in any row."
        info.reason.add(
            type=anomalies_pb2.AnomalyInfo.FEATURE_TYPE_NOT_PRESENT,
            short_description=info.short_description,
            description=info.description,
        )
    return empty


def stop_on_severe(found: Mapping[str, anomalies_pb2.Anomalies], severity: str, *, empty: Sequence[str] = ()) -> None:
    """Stops the run on anomalies that are severe enough, and logs the others as warnings.

    Args:
        found: anomalies by the name of what they were found in, such as `train`.
        severity: `error` or `warning`, the least severity that stops the run; `none` never does.
        empty: features without any value in the training rows, for the message.

    Raises:
        DataGateError: an anomaly has that severity or a worse one.
    """
    stopping = []
    for split, anomalies in found.items():
        for feature, info in sorted(anomalies.anomaly_info.items()):
            text = "; ".join(reason.description for reason in info.reason) or info.description
            line = f"split {split}: feature '{feature}': {text}"
            if severity != "none" and info.severity >= _SEVERITIES[severity]:
                stopping.append(line)
            else:
                _log.warning("%s", line)
    if stopping:
        raise DataGateError(
            "the data has anomalies that stop the run:\n  "
            + "\n  ".join(stopping)
            + "\nFix the data, correct the curated schema, or change data_gate in dataset.yaml."
            + _way_out(empty)
        )


def _way_out(empty: Sequence[str]) -> str:
    if not empty:
        return ""
    features = "1 feature has" if len(empty) == 1 else f"{len(empty)} features have"
    return f"\n{features} no value in any training row; {leave_out_advice(empty)}"


def load_all(artifact: types.Artifact) -> dict[str, anomalies_pb2.Anomalies]:
    """The anomalies of an ExampleAnomalies artifact by split."""
    return {split: load(artifact, split) for split in artifact_utils.decode_split_names(artifact.split_names)}


def load(artifact: types.Artifact, split: str) -> anomalies_pb2.Anomalies:
    """The anomalies of one split."""
    with fileio.open(_path(artifact, split), "rb") as file:
        return anomalies_pb2.Anomalies.FromString(file.read())


def save(artifact: types.Artifact, anomalies: Mapping[str, anomalies_pb2.Anomalies]) -> None:
    """Writes an ExampleAnomalies artifact whose splits are the keys."""
    artifact.split_names = artifact_utils.encode_split_names(list(anomalies))
    for split, found in anomalies.items():
        fileio.makedirs(os.path.dirname(_path(artifact, split)))
        with fileio.open(_path(artifact, split), "wb") as file:
            file.write(found.SerializeToString())


def _path(artifact: types.Artifact, split: str) -> str:
    return os.path.join(artifact_utils.get_split_uri([artifact], split), example_validator.DEFAULT_FILE_NAME)
