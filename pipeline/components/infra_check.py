"""InfraCheck: whether the model can be served at all, before anyone asks how good it is.

TFX's InfraValidator starts a model server in Docker or Kubernetes, and Vertex AI refuses it. This one loads the model
in a child process with the loader that a C++ server uses; see pipeline/infra/probe.py for the checks.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import io_utils

from models.features import FeatureSet, Missing
from pipeline.artifacts import INFRA_CHECK
from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.score import read_examples
from pipeline.infra.child import run_probe
from pipeline.settings.gate import InfraCheckSettings

_log = logging.getLogger("propensity")
_progress = logging.getLogger("propensity.progress")

#: Seconds after which InfraCheck ends its child process, and the model fails.
_TIME_LIMIT_S = 600.0


class InfraCheckSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of InfraCheck."""

    PARAMETERS = {  # noqa: RUF012  (TFX reads a plain dict)
        "rows": component_spec.ExecutionParameter(type=int),
        "requests": component_spec.ExecutionParameter(type=int),
        "p99_ms": component_spec.ExecutionParameter(type=float),
        "features": component_spec.ExecutionParameter(type=str),
        "digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {  # noqa: RUF012
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
    }


class Executor(base_executor.BaseExecutor):
    """Has the model checked, and writes the verdict; a model that fails is no error of this component."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `check.json` and what TFX's InfraValidator leaves: the property `blessed` and an empty marker file.

        Args:
            input_dict: the `model`, and raw `examples` with the split eval.
            output_dict: `blessing`: one InfraBlessing.
            exec_properties: those of InfraCheckSpec.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        features = FeatureSet.from_config(json.loads(exec_properties["features"]))
        request = {
            "model": path_utils.serving_model_path(model.uri),
            "features": {feature.name: feature.kind.value for feature in features.features},
            "required": [feature.name for feature in features.features if feature.missing is Missing.REFUSE],
            "requests": exec_properties["requests"],
            "p99_ms": exec_properties["p99_ms"],
        }
        found = check(request, read_examples(examples, "eval", exec_properties["rows"]))

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


def check(request: dict[str, Any], examples: list[bytes], *, time_limit_s: float = _TIME_LIMIT_S) -> dict[str, Any]:
    """Runs the checks in a child process.

    Args:
        request: of pipeline.infra.probe, without `examples`.
        examples: serialised raw tf.Examples.
        time_limit_s: after which the child is ended.

    Returns:
        The child's answer: `problems`, `warnings`, `load_s`, `signatures` and `latency_ms`. A child that crashes, hangs
        or does not answer is a problem, too.
    """
    nothing = {"warnings": [], "load_s": None, "signatures": {}, "latency_ms": None}
    if not examples:
        return {"problems": ["the split eval has no rows to check the model with"], **nothing}
    with tempfile.TemporaryDirectory() as folder:
        sample, question, answer = (Path(folder, name) for name in ("examples", "request.json", "answer.json"))
        with tf.io.TFRecordWriter(str(sample)) as writer:
            for example in examples:
                writer.write(example)
        question.write_text(json.dumps({**request, "examples": str(sample)}), encoding="utf-8")
        problem = run_probe(question, answer, time_limit_s)
        if problem:
            return {"problems": [problem], **nothing}
        return json.loads(answer.read_text(encoding="utf-8"))


class InfraCheck(base_component.BaseComponent):
    """Checks that a model can be served.

    Outputs:
        blessing: InfraBlessing, with `check.json`.
    """

    SPEC_CLASS = InfraCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        examples: types.BaseChannel,
        settings: InfraCheckSettings,
        features: FeatureSet,
        digest: str,
    ):
        """Builds the component.

        Args:
            model: the Model to check.
            examples: raw Examples, of whose split eval some are sent to it.
            settings: how many rows and requests, and the bound on their latency.
            features: the features that the model takes.
            digest: of the code that checks.
        """
        super().__init__(
            InfraCheckSpec(
                model=model,
                examples=examples,
                rows=settings.rows,
                requests=settings.requests,
                p99_ms=float(settings.p99_ms),
                features=json.dumps(features.to_config()),
                digest=digest,
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
