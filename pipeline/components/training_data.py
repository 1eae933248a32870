"""What a Model artifact says of the data it was trained on; it travels inside the artifact, so also on Vertex AI.

<model>/training_data/statistics.pb    statistics of the raw training split
<model>/training_data/schema.pbtxt     the raw schema
<model>/training_data/report.json      rows, base rates and dates, as ExampleGen saw them; `trained_through`
"""

from __future__ import annotations

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
    report: dict[str, Any],
) -> None:
    """Writes the three files below a model's artifact."""
    folder = os.path.join(model_uri, _FOLDER)
    fileio.makedirs(folder)
    with fileio.open(os.path.join(folder, "statistics.pb"), "wb") as file:
        file.write(statistics.SerializeToString())
    tfdv.write_schema_text(schema, os.path.join(folder, "schema.pbtxt"))
    with fileio.open(os.path.join(folder, "report.json"), "w") as file:
        file.write(json.dumps(report, indent=1))


def read_statistics(model_uri: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of the split that a model was trained on. Raises FileNotFoundError if the model has none."""
    path = os.path.join(model_uri, _FOLDER, "statistics.pb")
    if not fileio.exists(path):
        raise FileNotFoundError(f"{path}: the model carries no statistics of its training data")
    with fileio.open(path, "rb") as file:
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(file.read())
