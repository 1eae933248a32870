"""The gate: TFX's Evaluator, whose executor then judges whether the challenger is fit to replace the champion.

The test rows are scored once, by all models. TFMA's metrics (slices, plots) are computed from these scores (see
pipeline/fast/metrics/). The gate then holds its own metrics against the absolute bounds of the settings, and a paired
comparison on the same rows decides by intervals (see pipeline/gate/). No other component reads the test split.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.dsl.io import fileio
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs
from tfx.utils import io_utils

from models.config import validate_settings
from models.features import FeatureSet
from pipeline.artifacts import VERDICT, Verdict
from pipeline.champion import challenger, training_record
from pipeline.champion.comparability import comparable_champion
from pipeline.evaluation import gate_inputs
from pipeline.evaluation.eval_config import with_bounded_slices
from pipeline.examples.splits import count_rows
from pipeline.fast import placement
from pipeline.fast.compat import evaluator_constants as constants
from pipeline.fast.compat import json_utils, model_utils, proto_utils
from pipeline.fast.metrics.measure import measure, unsupported
from pipeline.fast.metrics.results import write_results
from pipeline.fast.metrics.rows import LabelledRows
from pipeline.fast.metrics.slices import columns_of
from pipeline.fast.scoring.score import ScoredRows, score_split
from pipeline.fast.scoring.work import OnBeam
from pipeline.gate import checks, rules
from pipeline.gate.slices import slices_of
from pipeline.gate.verdict import Judgement
from pipeline.report.verdict_page import render_verdict
from pipeline.settings.gate import Bound, GateSettings

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
        "bounds": component_spec.ExecutionParameter(type=str),
        "operating_share": component_spec.ExecutionParameter(type=float),
        "features": component_spec.ExecutionParameter(type=str),
        "columns": component_spec.ExecutionParameter(type=str),
        "accept_incompatible_champion": component_spec.ExecutionParameter(type=int),
        "digest": component_spec.ExecutionParameter(type=str),
    }


class Executor(evaluator_executor.Executor):
    """Measures, judges, and blesses. A subclass of TFX's, by which Vertex AI knows what a blessing's ids mean."""

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
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
        accept = bool(exec_properties["accept_incompatible_champion"])
        champion, problems = comparable_champion(
            input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or [],
            training_record.read_report(model.uri),
            training_record.read_schema(model.uri),
            accept=accept,
        )
        infra_blessing = artifact_utils.get_single_instance(input_dict[INFRA_BLESSING_KEY])
        if model_utils.is_infra_validated(infra_blessing):
            judgement = self._judge(input_dict, output_dict, exec_properties, model, champion)
        else:
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
        config = tfma.EvalConfig()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config)
        scored = score_split(
            examples,
            gate_inputs.SPLIT,
            gate_inputs.saved_models(model, champion),
            label=columns["label"],
            columns=sorted({*sliced, *columns_of(config), *([columns["date"]] if columns["date"] else [])}),
            seen_in=tuple(gate_inputs.SEEN_IN) if columns["key"] else (),
            on_beam=self._on_beam(examples),
        )
        rows = gate_inputs.test_rows(scored, sliced, columns["date"])
        config = with_bounded_slices(config, [(found.feature, found.value) for found in slices_of(rows)])
        self._measure(input_dict, output_dict, exec_properties, config, champion, scored)
        given = [checks.infrastructure([])]
        if champion is not None and gate_inputs.is_withdrawn(model, champion, examples, scored, columns["label"]):
            given.append(checks.withdrawn(champion.get_string_custom_property(challenger.ROLLBACK_REASON)))
        return rules.judge(
            rows,
            scored.predictions,
            _gate(exec_properties),
            training_base_rate=gate_inputs.training_base_rate(model),
            operating_share=exec_properties["operating_share"],
            bounds=_bounds(exec_properties),
            given=given,
            same_model=champion is not None and challenger.source_of(model) == challenger.source_of(champion),
        )

    def _on_beam(self, examples: types.Artifact) -> OnBeam | None:
        """How to have the rows scored on Beam; None where this process does it."""
        rows = count_rows(examples, [gate_inputs.SPLIT])
        path = placement.choose("Evaluator", self._beam_pipeline_args, rows)
        return OnBeam(self._make_beam_pipeline, self._get_tmp_dir()) if path is placement.Place.BEAM else None

    def _measure(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
        config: tfma.EvalConfig,
        champion: types.Artifact | None,
        scored: ScoredRows,
    ) -> None:
        """Writes TFMA's results."""
        [model] = input_dict[standard_component_specs.MODEL_KEY]
        # As TFX's executor fills them in.
        config = tfma.utils.update_eval_config_with_defaults(
            config, has_baseline=champion is not None, rubber_stamp=True
        )
        tfma.utils.verify_eval_config(config)
        roles = {spec.name: "champion" if spec.is_baseline else "challenger" for spec in config.model_specs}
        folders = gate_inputs.saved_models(model, champion)
        rows = LabelledRows(
            label=scored.label.astype(np.int64),
            predictions={name: scored.predictions[role].astype(np.float32) for name, role in roles.items()},
            columns=scored.columns,
        )
        write_results(
            measure(config, rows),
            config,
            {name: folders[role] for name, role in roles.items()},
            artifact_utils.get_single_uri(output_dict[standard_component_specs.EVALUATION_KEY]),
        )


class StockExecutor(Executor):
    """The same, but TFX's own executor measures: it scores the rows again, and reads tf.Examples only."""

    def _on_beam(self, examples: types.Artifact) -> None:
        return None

    def _measure(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
        config: tfma.EvalConfig,
        champion: types.Artifact | None,
        scored: ScoredRows,
    ) -> None:
        # TFX's executor blesses by TFMA's thresholds alone; that is not the blessing of this component.
        unused = standard_artifacts.ModelBlessing()
        unused.uri = os.path.join(self._get_tmp_dir(), "tfma_blessing")
        evaluator_executor.Executor.Do(
            self,
            input_dict | {standard_component_specs.BASELINE_MODEL_KEY: [champion] if champion else []},
            output_dict | {standard_component_specs.BLESSING_KEY: [unused]},
            exec_properties | {standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config)},
        )


def _gate(exec_properties: dict[str, Any]) -> GateSettings:
    return validate_settings(json.loads(exec_properties["gate"]), GateSettings, origin="gate")


def _bounds(exec_properties: dict[str, Any]) -> dict[str, Bound]:
    return {
        name: validate_settings(bound, Bound, origin="evaluation.bounds")
        for name, bound in json.loads(exec_properties["bounds"]).items()
    }


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
        bounds: Mapping[str, Bound],
        operating_share: float,
        features: FeatureSet,
        columns: Mapping[str, str | None],
        accept_incompatible_champion: int | RuntimeParameter,
        digest: str,
        batched: bool = True,
    ):
        """Builds the component.

        Args:
            examples: raw Examples.
            model: the challenger, of SelectModel.
            champion: the latest blessed Model; may resolve to none.
            infra_blessing: InfraBlessing of the challenger.
            eval_config: TFMA's; see pipeline/evaluation/eval_config.py.
            gate: the rule.
            bounds: absolute bounds on the challenger's metrics, by name.
            operating_share: the share of rows that is acted on.
            features: the features, for the slices.
            columns: names of `label`, `key` and `date`; None where there is none.
            accept_incompatible_champion: 1 to go on as on a first run if the champion cannot be compared.
            digest: of the code that judges.
            batched: measure by arrays; False for TFX's own executor, which needs tf.Examples.

        Raises:
            ValueError: the batched executor does not support something in `eval_config`.
        """
        if batched and (problems := unsupported(eval_config)):
            raise ValueError(f"eval_config: {', '.join(problems)}: only with executors: stock")
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
                bounds=json.dumps({name: bound.model_dump() for name, bound in bounds.items()}, sort_keys=True),
                operating_share=operating_share,
                features=json.dumps(features.to_config()),
                columns=json.dumps(dict(columns), sort_keys=True),
                accept_incompatible_champion=accept_incompatible_champion,
                digest=digest,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
                verdict=types.Channel(type=Verdict),
            ),
            custom_executor_spec=None if batched else executor_spec.BeamExecutorSpec(StockExecutor),
        )
