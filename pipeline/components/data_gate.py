"""DataGate: stops the run on anomalies, or a champion that cannot be compared, before anything is trained.

ExampleValidator never fails a run and ignores the drift and skew comparators of a schema. DataGate reads its anomalies,
adds drift and skew against the statistics of the champion's training rows, and raises if one is severe enough.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts

from pipeline.champion import training_record
from pipeline.champion.comparability import comparable_champion
from pipeline.components import specification
from pipeline.data_gate import anomalies
from pipeline.data_gate.comparison import compare
from pipeline.examples.data_summary import read_data_summary
from pipeline.fast.compat import stats_artifact_utils
from pipeline.settings.gate import DataGateSettings

_log = logging.getLogger("propensity")


class Executor(base_executor.BaseExecutor):
    """Collects anomalies and judges them."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Raises DataGateError if an anomaly is at least as severe as the settings allow.

        Args:
            input_dict: raw `examples`, their `statistics` and `schema`, `anomalies` of ExampleValidator, and the
                `champion` Model, if there is one.
            output_dict: `drift`: ExampleAnomalies; split `train` holds the drift, split `test` the skew.
            exec_properties: DataGate's parameters.

        Raises:
            DataGateError: the data have anomalies.
            IncomparableChampionError: the champion cannot be compared on this run's test rows.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = specification.read_settings(exec_properties, "settings", DataGateSettings)
        schema = _schema(input_dict)
        found = anomalies.load_all(artifact_utils.get_single_instance(input_dict["anomalies"]))
        champion, problems = comparable_champion(
            input_dict.get("champion") or [],
            read_data_summary(artifact_utils.get_single_instance(input_dict["examples"])),
            schema,
            accept=bool(exec_properties["accept_incompatible_champion"]),
        )
        for problem in problems:
            _log.warning("The champion is not compared, which --accept-incompatible-champion allows: %s", problem)
        artifact = artifact_utils.get_single_instance(input_dict["statistics"])
        statistics = {
            split: stats_artifact_utils.load_statistics(artifact, split).proto() for split in ("train", "test")
        }
        empty = anomalies.add_empty(found.setdefault("train", anomalies_pb2.Anomalies()), statistics["train"])
        compared = {}
        if champion is not None:
            compared = compare(
                training_record.read_statistics(champion.uri),
                training_record.read_schema(champion.uri),
                **statistics,
                schema=schema,
                settings=settings,
            )
        anomalies.save(artifact_utils.get_single_instance(output_dict["drift"]), compared)
        anomalies.stop_on_severe(
            {**found, **{f"{split}, against the champion": value for split, value in compared.items()}},
            settings.severity,
            empty=empty,
        )


def _schema(input_dict: dict[str, list[types.Artifact]]) -> schema_pb2.Schema:
    return tfdv.load_schema_text(os.path.join(artifact_utils.get_single_uri(input_dict["schema"]), "schema.pbtxt"))


class DataGate(
    specification.Component,
    executor=Executor,
    inputs={
        "examples": standard_artifacts.Examples,
        "statistics": standard_artifacts.ExampleStatistics,
        "schema": standard_artifacts.Schema,
        "anomalies": standard_artifacts.ExampleAnomalies,
        "champion": specification.optional(standard_artifacts.Model),
    },
    outputs={"drift": standard_artifacts.ExampleAnomalies},
    parameters={"settings": DataGateSettings, "accept_incompatible_champion": int},
):
    """Stops the run on anomalies of a severity, or on a champion that cannot be compared.

    Inputs:
        examples: raw Examples of this run.
        statistics: their ExampleStatistics.
        schema: the raw Schema.
        anomalies: ExampleAnomalies of ExampleValidator.
        champion: the latest blessed Model; it may resolve to nothing.

    Parameters:
        settings: severity and bounds.
        accept_incompatible_champion: 1 to go on as on a first run if the champion cannot be compared.

    Outputs:
        drift: ExampleAnomalies of the comparison with the champion's training data; no splits on a first run.
    """
