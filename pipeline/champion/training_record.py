"""The training record: what a Model artifact carries about the rows it was trained on, on Vertex AI too.

<model>/training_data/statistics.pb    statistics of the raw training split
<model>/training_data/schema.pbtxt     the raw schema
<model>/training_data/report.json      ExampleGen's data summary, with `trained_through` and `test_split`; and
                                       `trained_at`, when the Trainer ended (ISO 8601, UTC)
"""

from __future__ import annotations

import datetime
import json
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tfx.dsl.io import fileio

_FOLDER = "training_data"


def write(
    model_uri: str,
    *,
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
    schema: schema_pb2.Schema,
    summary: dict[str, Any],
) -> None:
    """Writes the three files below a model's artifact."""
    folder = os.path.join(model_uri, _FOLDER)
    fileio.makedirs(folder)
    with fileio.open(os.path.join(folder, "statistics.pb"), "wb") as file:
        file.write(statistics.SerializeToString())
    tfdv.write_schema_text(schema, os.path.join(folder, "schema.pbtxt"))
    with fileio.open(os.path.join(folder, "report.json"), "w") as file:
        trained_at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        file.write(json.dumps({**summary, "trained_at": trained_at}, indent=1))


def read_statistics(model_uri: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of the split that a model was trained on. Raises FileNotFoundError if the model has none."""
    with fileio.open(_existing(model_uri, "statistics.pb"), "rb") as file:
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read())


def read_schema(model_uri: str) -> schema_pb2.Schema:
    """The raw schema that a model was trained with. Raises FileNotFoundError if the model has none."""
    return tfdv.load_schema_text(_existing(model_uri, "schema.pbtxt"))


def read_summary(model_uri: str) -> dict[str, Any]:
    """The data summary of the rows that a model was trained on. Raises FileNotFoundError if the model has none."""
    with fileio.open(_existing(model_uri, "report.json")) as file:
        return json.loads(file.read())


def _existing(model_uri: str, name: str) -> str:
    path = os.path.join(model_uri, _FOLDER, name)
    if not fileio.exists(path):
        raise FileNotFoundError(f"{path}: the model has no training record")
    return path
