"""The gate: TFX's Evaluator, whose executor then judges whether the challenger is fit to replace the champion.

TFMA measures (metrics, slices, plots) and holds the absolute bounds of the settings against point estimates. Beyond
that, a paired comparison on the same test rows decides, by intervals: see pipeline/gate/. No other component reads the
test split.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as evaluator_executor
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.dsl.io import fileio
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import io_utils, json_utils, proto_utils

from models.config import validate_settings
from models.features import FeatureSet
from pipeline.artifacts import VERDICT, Verdict
from pipeline.components import challenger, gate_inputs, training_data
from pipeline.components.comparability import comparable_champion
from pipeline.evaluation import broken_bounds, with_bounded_slices
from pipeline.gate import checks, rules
from pipeline.gate.rows import TestRows
from pipeline.gate.slices import slices_of
from pipeline.gate.verdict import Judgement
from pipeline.gate_settings import GateSettings
from pipeline.report.verdict_page import render_verdict
from pipeline.scoring import score_split

VERDICT_PAGE = "verdict.html"

INFRA_BLESSING_KEY = "infra_blessing"
VERDICT_KEY = "verdict"


class EvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """TFX's Evaluator specification, with the infrastructure check as input, the verdict as output, and the rule."""

    INPUTS = {  # noqa: RUF012  (TFX reads a plain dict)
        **standard_component_specs.EvaluatorSpec.INPUTS,
        INFRA_BLESSING_KEY: component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
    }
    OUTPUTS = {  # noqa: RUF012
        **standard_component_specs.EvaluatorSpec.OUTPUTS,
        VERDICT_KEY: component_spec.ChannelParameter(type=Verdict),
    }
    PARAMETERS = {  # noqa: RUF012
        **standard_component_specs.EvaluatorSpec.PARAMETERS,
        "gate": component_spec.ExecutionParameter(type=str),
        "operating_share": component_spec.ExecutionParameter(type=float),
        "features": component_spec.ExecutionParameter(type=str),
        "columns": component_spec.ExecutionParameter(type=str),
        "accept_incompatible_champion": component_spec.ExecutionParameter(type=int),
        "digest": component_spec.ExecutionParameter(type=str),
    }


class Executor(evaluator_executor.Executor):
    """Runs TFMA, judges, and blesses. A subclass of TFX's, by which Vertex AI knows what a blessing's ids mean."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes evaluation, verdict and blessing.

        Args:
            input_dict: `examples` (raw), `model` (the challenger), `baseline_model` (the champion, none on a first run)
                and `infra_blessing`.
            output_dict: `evaluation` (empty where the infrastructure check failed), `blessing` and `verdict`.
            exec_properties: those of EvaluatorSpec.

        Raises:
            IncomparableChampionError: see there.
            ScoringError: a model cannot be scored though the infrastructure check passed.
        """
        model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
        accept = bool(exec_properties["accept_incompatible_champion"])
        champion, problems = comparable_champion(
            input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or [],
            training_data.read_report(model.uri),
            training_data.read_schema(model.uri),
            accept=accept,
        )
        infra_blessing = artifact_utils.get_single_instance(input_dict[INFRA_BLESSING_KEY])
        if model_utils.is_infra_validated(infra_blessing):
            judgement = self._judge(input_dict, output_dict, exec_properties, model, champion)
        else:
            self._log_startup(input_dict, output_dict, exec_properties)
            judgement = rules.refused_by_infra_check(gate_inputs.infra_problems(infra_blessing), _gate(exec_properties))
        document = judgement.to_json() | {
            "models": gate_inputs.describe_models(model, champion),
            "comparability": {"accepted": bool(problems), "problems": problems},
        }
        _write_verdict(artifact_utils.get_single_instance(output_dict[VERDICT_KEY]), document)
        _bless(
            artifact_utils.get_single_instance(output_dict[standard_component_specs.BLESSING_KEY]),
            judgement,
            model,
            input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or [],
            exec_properties,
        )

    def _judge(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
        model: types.Artifact,
        champion: types.Artifact | None,
    ) -> Judgement:
        """Scores the test rows, measures and judges."""
        examples = artifact_utils.get_single_instance(input_dict[standard_component_specs.EXAMPLES_KEY])
        columns = json.loads(exec_properties["columns"])
        sliced = [feature.name for feature in _features(exec_properties).slices]
        scored = score_split(
            examples,
            gate_inputs.SPLIT,
            gate_inputs.saved_models(model, champion),
            label=columns["label"],
            columns=[*sliced, *([columns["date"]] if columns["date"] else [])],
        )
        rows = gate_inputs.test_rows(scored, examples, sliced, columns)
        failures = self._measure(input_dict, output_dict, exec_properties, champion, rows)
        given = [checks.infrastructure([]), *(checks.broken_bound(text) for text in failures)]
        if champion is not None and gate_inputs.is_withdrawn(model, champion, examples, scored, columns["label"]):
            given.append(checks.withdrawn(champion.get_string_custom_property(challenger.ROLLBACK_REASON)))
        return rules.judge(
            rows,
            scored.predictions,
            _gate(exec_properties),
            training_base_rate=gate_inputs.training_base_rate(model),
            operating_share=exec_properties["operating_share"],
            given=given,
            same_model=champion is not None and challenger.source_of(model) == challenger.source_of(champion),
        )

    def _measure(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
        champion: types.Artifact | None,
        rows: TestRows,
    ) -> list[str]:
        """Runs TFMA as TFX's executor does, and returns the absolute bounds that the challenger breaks, in words."""
        config = tfma.EvalConfig()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config)
        config = with_bounded_slices(config, [(found.feature, found.value) for found in slices_of(rows)])
        # TFX's executor blesses by TFMA's thresholds alone; that is not the blessing of this component.
        unused = standard_artifacts.ModelBlessing()
        unused.uri = os.path.join(self._get_tmp_dir(), "tfma_blessing")
        super().Do(
            input_dict | {standard_component_specs.BASELINE_MODEL_KEY: [champion] if champion else []},
            output_dict | {standard_component_specs.BLESSING_KEY: [unused]},
            exec_properties | {standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config)},
        )
        evaluation = artifact_utils.get_single_uri(output_dict[standard_component_specs.EVALUATION_KEY])
        return broken_bounds(evaluation, config)


def _gate(exec_properties: dict[str, Any]) -> GateSettings:
    return validate_settings(json.loads(exec_properties["gate"]), GateSettings, origin="gate")


def _features(exec_properties: dict[str, Any]) -> FeatureSet:
    return FeatureSet.from_config(json.loads(exec_properties["features"]))


def _write_verdict(verdict: types.Artifact, document: dict[str, Any]) -> None:
    fileio.makedirs(verdict.uri)
    with fileio.open(os.path.join(verdict.uri, VERDICT), "w") as file:
        file.write(json.dumps(document, indent=1))
    with fileio.open(os.path.join(verdict.uri, VERDICT_PAGE), "w") as file:
        file.write(render_verdict(document))
    verdict.set_string_custom_property("verdict", document["verdict"])
    verdict.set_string_custom_property("decided_by", document["decided_by"])


def _bless(
    blessing: types.Artifact,
    judgement: Judgement,
    model: types.Artifact,
    champions: list[types.Artifact],
    exec_properties: dict[str, Any],
) -> None:
    """Sets what TFX's executor sets, and whether the model is the anchor from now on.

    The champion is named also where it could not be compared: it is what a rollback leads back to.
    """
    blessed = judgement.verdict == "blessed"
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    for champion in champions:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, champion.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, champion.id)
    if "current_component_id" in exec_properties:
        blessing.set_string_custom_property("component_id", exec_properties["current_component_id"])
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_int_custom_property(challenger.ANCHOR_REPLACED, int(judgement.anchor_replaced))
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")


class Evaluator(base_beam_component.BaseBeamComponent):
    """Judges the challenger on the test split.

    Outputs:
        evaluation: ModelEvaluation, TFMA's results.
        blessing: ModelBlessing.
        verdict: Verdict: each check, and what decided.
    """

    SPEC_CLASS = EvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        champion: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        eval_config: tfma.EvalConfig,
        gate: GateSettings,
        operating_share: float,
        features: FeatureSet,
        columns: Mapping[str, str | None],
        accept_incompatible_champion: int | RuntimeParameter,
        digest: str,
    ):
        """Builds the component.

        Args:
            examples: raw Examples.
            model: the challenger, of SelectModel.
            champion: the latest blessed Model; may resolve to none.
            infra_blessing: InfraBlessing of the challenger.
            eval_config: TFMA's; see pipeline/evaluation.py.
            gate: the rule.
            operating_share: the share of rows that is acted on.
            features: the features, for the slices.
            columns: names of `label`, `key` and `date`; None where there is none.
            accept_incompatible_champion: 1 to go on as on a first run if the champion cannot be compared.
            digest: of the code that judges.
        """
        super().__init__(
            EvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=champion,
                infra_blessing=infra_blessing,
                eval_config=eval_config,
                example_splits=json_utils.dumps([gate_inputs.SPLIT]),
                fairness_indicator_thresholds=json_utils.dumps(None),
                gate=json.dumps(gate.model_dump(mode="json", exclude_unset=True), sort_keys=True),
                operating_share=operating_share,
                features=json.dumps(features.to_config()),
                columns=json.dumps(dict(columns), sort_keys=True),
                accept_incompatible_champion=accept_incompatible_champion,
                digest=digest,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
                verdict=types.Channel(type=Verdict),
            )
        )
