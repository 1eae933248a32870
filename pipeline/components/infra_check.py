"""InfraCheck: checks that the model can be served, before the gate measures how good it is.

TFX's InfraValidator starts a model server in Docker or Kubernetes, and Vertex AI does not support it. InfraCheck loads
the model in a child process with the loader of C++ servers. The checks are in pipeline/infra/probe.py.
"""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from models.features import FeatureSet, Missing
from pipeline.artifacts import INFRA_CHECK
from pipeline.components import specification
from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.score import read_examples
from pipeline.infra.check import check
from pipeline.settings.gate import InfraCheckSettings

_log = logging.getLogger("propensity")
_progress = logging.getLogger("propensity.progress")


class Executor(base_executor.BaseExecutor):
    """Checks the model and writes the result. A model that fails the check does not fail the component."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `check.json`, and the property `blessed` and an empty marker file as TFX's InfraValidator does.

        Args:
            input_dict: the `model`, and raw `examples` with the split eval.
            output_dict: `blessing`: one InfraBlessing.
            exec_properties: InfraCheck's parameters.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        settings = specification.read_settings(exec_properties, "settings", InfraCheckSettings)
        features = specification.read_settings(exec_properties, "features", FeatureSet)
        request = {
            "model": path_utils.serving_model_path(model.uri),
            "features": {feature.name: feature.kind.value for feature in features.features},
            "required": [feature.name for feature in features.features if feature.missing is Missing.REFUSE],
            "requests": settings.requests,
            "p99_ms": settings.p99_ms,
        }
        found = check(request, read_examples(examples, "eval", settings.rows))

        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        blessed = not found["problems"]
        fileio.makedirs(blessing.uri)
        with fileio.open(os.path.join(blessing.uri, INFRA_CHECK), "w") as file:
            file.write(json.dumps({"blessed": blessed, **found}, indent=1))
        io_utils.write_string_file(os.path.join(blessing.uri, "INFRA_BLESSED" if blessed else "INFRA_NOT_BLESSED"), "")
        blessing.set_int_custom_property("blessed", int(blessed))
        for problem in found["problems"]:
            _log.warning("the model cannot be served: %s", problem)
        for warning in found["warnings"]:
            _log.warning("%s", warning)
        if blessed:
            latency = found["latency_ms"]
            _progress.info(
                "can be served: median %.1f ms a row, 99th percentile %.1f ms", latency["p50"], latency["p99"]
            )


class InfraCheck(
    specification.Component,
    executor=Executor,
    inputs={"model": standard_artifacts.Model, "examples": standard_artifacts.Examples},
    outputs={"blessing": standard_artifacts.InfraBlessing},
    parameters={"settings": InfraCheckSettings, "features": FeatureSet},
):
    """Checks that a model can be served.

    Inputs:
        model: the Model to check.
        examples: raw Examples; some rows of their eval split are sent to the model.

    Parameters:
        settings: how many rows and requests, and the bound on their latency.
        features: the features that the model takes.

    Outputs:
        blessing: InfraBlessing, with `check.json`.
    """
