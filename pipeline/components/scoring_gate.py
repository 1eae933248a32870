"""DataGate of a scoring run: stops it if the rows to score do not fit what the champion was trained on."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import tensorflow_data_validation as tfdv
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from pipeline.artifacts import FAR_OFF
from pipeline.champion import training_record
from pipeline.components import specification
from pipeline.components.champion_schema import single_champion
from pipeline.data_gate import anomalies
from pipeline.data_gate.comparison import drift
from pipeline.data_gate.far_off import FarOff
from pipeline.examples import files
from pipeline.examples.splits import split_files
from pipeline.fast.compat import stats_artifact_utils
from pipeline.settings.dataset import SCORE_SPLIT
from pipeline.settings.gate import DataGateSettings

_log = logging.getLogger("propensity")


class Executor(base_executor.BaseExecutor):
    """Judges anomalies and drift, and looks for values that are far off."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Raises DataGateError if an anomaly is at least as severe as the settings allow.

        Args:
            input_dict: `examples` with the split `score`, their `statistics`, the champion's `schema`, the `anomalies`
                of ExampleValidator, and the `champion`.
            output_dict: `drift`: ExampleAnomalies of the split `score`, with `far_off.json`.
            exec_properties: ScoringGate's parameters.

        Raises:
            DataGateError: the rows do not fit.
            ChampionError: there is no champion.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = specification.read_settings(exec_properties, "settings", DataGateSettings)
        champion = single_champion(input_dict.get("champion") or [])
        schema = tfdv.load_schema_text(
            os.path.join(artifact_utils.get_single_uri(input_dict["schema"]), "schema.pbtxt")
        )
        trained = training_record.read_statistics(champion.uri)
        artifact = artifact_utils.get_single_instance(input_dict["statistics"])
        statistics = stats_artifact_utils.load_statistics(artifact, SCORE_SPLIT).proto()

        found = anomalies.load(artifact_utils.get_single_instance(input_dict["anomalies"]), SCORE_SPLIT)
        names = {feature.name for feature in schema.feature}
        for name in set(found.anomaly_info) - names:  # features that the champion does not know yet
            del found.anomaly_info[name]
        drifted = drift(trained, statistics, schema, settings)
        output = artifact_utils.get_single_instance(output_dict["drift"])
        anomalies.save(output, {SCORE_SPLIT: drifted})

        far_off = FarOff(trained)
        examples = split_files(artifact_utils.get_single_instance(input_dict["examples"]), SCORE_SPLIT)
        watched = [name for name in far_off.names if name in names]
        far_off.add(files.record_batches(examples, watched, absent="skip"))
        for warning in far_off.warnings():
            _log.warning("%s", warning)
        with fileio.open(os.path.join(output.uri, FAR_OFF), "w") as file:
            file.write(json.dumps(far_off.warnings(), indent=1))
        anomalies.stop_on_severe(
            {SCORE_SPLIT: found, f"{SCORE_SPLIT}, against the champion": drifted}, settings.severity
        )


class ScoringGate(
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
    parameters={"settings": DataGateSettings},
):
    """Stops a scoring run on anomalies of a severity, before anything is scored.

    Inputs:
        examples: raw Examples with the split `score`.
        statistics: their ExampleStatistics.
        schema: the champion's Schema, of ChampionSchema.
        anomalies: ExampleAnomalies of ExampleValidator.
        champion: the latest blessed Model; it may resolve to nothing, which fails the step.

    Parameters:
        settings: severity and bounds; `max_drift` is that of the rows to score.

    Outputs:
        drift: ExampleAnomalies of the comparison with the champion's training rows, and `far_off.json`: a list of
            sentences about values far outside the training range, and about new categories.
    """
