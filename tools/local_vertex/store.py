"""Replaces Vertex ML Metadata: the artifacts of earlier runs, where the next run finds the champion."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PROJECT_NUMBER = "123456789012"
LOCATION = "us-central1"
_PARENT = f"projects/{PROJECT_NUMBER}/locations/{LOCATION}/metadataStores/default"
_TITLE = re.compile(r"^title:\s*(\S+)", re.MULTILINE)
_CONDITION = re.compile(r'([\w.]+)=("?)([^"]*)\2')
_NUMBER = re.compile(r"metadata\.(\w+)\.number_value")


class FilterError(Exception):
    """This store does not support a resolver's filter."""


class Store:
    """Artifacts of all runs, oldest first, in a JSON file."""

    def __init__(self, path: Path):
        """Opens the file. If it does not exist, there were no earlier runs."""
        self._path = path
        self._records: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
        self._ids = max((int(_id(record["artifact"])) for record in self._records), default=0)

    def new(self, kind: Mapping[str, str], uri: str, metadata: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A new artifact with a unique name, in the form of an executor's input. It is not stored yet.

        Args:
            kind: its type: `instanceSchema` (YAML) or `schemaTitle`.
            uri: its URI.
            metadata: its properties.
        """
        self._ids += 1
        name = f"{_PARENT}/artifacts/{self._ids}"
        return {"name": name, "uri": uri, "type": dict(kind), "metadata": dict(metadata or {})}

    def keep(self, artifact: Mapping[str, Any], *, pipeline: str, run: str, task: str, key: str) -> None:
        """Stores an artifact of a finished task. An artifact that is stored already keeps its age."""
        if all(record["artifact"]["name"] != artifact["name"] for record in self._records):
            record = {"artifact": artifact, "pipeline": pipeline, "run": run, "task": task, "key": key, "state": "LIVE"}
            self._records.append(record)
            self._path.write_text(json.dumps(self._records, indent=1))

    def newest(self, query: str, *, pipeline: str) -> list[dict[str, Any]]:
        """The newest artifact of a pipeline's runs that matches a resolver's filter, or none.

        Args:
            query: conditions as TFX writes them, joined by AND.
            pipeline: name of the pipeline; artifacts of other pipelines do not match.

        Raises:
            FilterError: a condition has an unsupported form.
        """
        found = [record for record in self._records if record["pipeline"] == pipeline]
        for holds in [_condition(text) for text in query.split(" AND ")]:
            found = [record for record in found if holds(record)]
        return [found[-1]["artifact"]] if found else []

    def imported(self, uri: str, kind: Mapping[str, str]) -> list[dict[str, Any]]:
        """The newest artifact of a type at a URI, or none. An importer reuses it."""
        artifacts = [record["artifact"] for record in self._records]
        return [item for item in artifacts if item["uri"] == uri and title(item["type"]) == title(kind)][-1:]


def title(kind: Mapping[str, str]) -> str:
    """The title of an artifact type, such as tfx.Model."""
    if "schemaTitle" in kind:
        return kind["schemaTitle"]
    match = _TITLE.search(kind["instanceSchema"])
    return match[1] if match else "tfx.Artifact"


def _id(artifact: Mapping[str, Any]) -> str:
    return artifact["name"].rpartition("/")[2]


def _condition(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A function that says whether a record meets a condition."""
    match = _CONDITION.fullmatch(text.strip())
    field, value = (match[1], match[3]) if match else ("", "")
    if number := _NUMBER.fullmatch(field):
        return lambda record: record["artifact"]["metadata"].get(number[1]) == float(value)
    if field == "schema_title":
        return lambda record: title(record["artifact"]["type"]) == value
    if field == "state":
        return lambda record: record["state"] == value
    if field == "name":
        return lambda record: record["artifact"]["name"] == value
    raise FilterError(f"filter condition is not supported: {text.strip()}")
