"""Reads a run's artifacts as plain data for the page."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as example_validator
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from models.families import FAMILIES
from pipeline.report.run_data import Anomaly, Reference
from pipeline.report.wording import plain

_HYPERPARAMETERS = "best_hyperparameters.txt"  # TFX's Tuner writes this name
_LIBRARIES = ("tfx", "tensorflow", "keras", "xgboost-cpu", "tensorflow-transform", "apache-beam", "scikit-learn")


def read_json(artifact: types.Artifact, name: str) -> dict[str, Any] | None:
    """A JSON file of an artifact; None if there is no such file."""
    path = os.path.join(artifact.uri, name)
    if not fileio.exists(path):
        return None
    with fileio.open(path) as file:
        return json.loads(file.read())


def read_anomalies(artifact: types.Artifact) -> list[Anomaly]:
    """All anomalies of all splits, errors first."""
    found = []
    for split in artifact_utils.decode_split_names(artifact.split_names):
        path = os.path.join(artifact_utils.get_split_uri([artifact], split), example_validator.DEFAULT_FILE_NAME)
        with fileio.open(path, "rb") as file:
            anomalies = anomalies_pb2.Anomalies.FromString(file.read())
        for feature, info in sorted(anomalies.anomaly_info.items()):
            severity = anomalies_pb2.AnomalyInfo.Severity.Name(info.severity).lower()
            text = "; ".join(reason.description for reason in info.reason) or info.description
            found.append(Anomaly(split, feature, severity, text))
    return sorted(found, key=lambda anomaly: anomaly.severity != "error")


def read_drift(artifact: types.Artifact) -> list[Anomaly] | None:
    """Differences from the champion's training rows; None without a champion."""
    return read_anomalies(artifact) if artifact_utils.decode_split_names(artifact.split_names) else None


def read_hyperparameters(artifact: types.Artifact) -> dict[str, Any] | None:
    """The values of the best trial; None if the artifact has none."""
    document = read_json(artifact, _HYPERPARAMETERS)
    return None if document is None else document.get("values", document)


def reference(name: str, artifact: types.Artifact) -> Reference:
    """An input of the component as the report names it. On Vertex AI the artifact's name is its id."""
    family, _, rest = name.partition("_")
    what = f"{FAMILIES[family]}: {rest}" if family in FAMILIES else plain(name).capitalize()
    return Reference(what.replace(": run", ": training curves"), str(artifact.id or artifact.name or ""), artifact.uri)


def library_versions() -> dict[str, str]:
    """Versions of Python and of the libraries that trained the models."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
