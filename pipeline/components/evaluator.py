"""The gate: TFX's Evaluator, which also judges whether the challenger is fit to replace the champion.

All models score the test rows once. From these scores the executor computes TFMA's metrics, with slices and plots (see
pipeline/fast/metrics/). The gate then holds its own metrics against the absolute bounds of the settings, and a paired
comparison on the same rows decides by intervals (see pipeline/gate/). No other component reads the test split.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tfx import types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs

from models.features import FeatureSet
from pipeline.artifacts import Verdict
from pipeline.champion import challenger, training_record
from pipeline.champion.comparability import comparable_champion
from pipeline.components import specification
from pipeline.components.specification import read_settings
from pipeline.evaluation import gate_inputs, gate_outputs, test_scores
from pipeline.evaluation.eval_config import with_bounded_slices
from pipeline.examples.splits import count_rows
from pipeline.fast import placement
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
from pipeline.settings.dataset import Columns
from pipeline.settings.gate import Evaluation, GateSettings

INFRA_BLESSING_KEY = "infra_blessing"
VERDICT_KEY = "verdict"


class Executor(evaluator_executor.Executor):
    """Measures, judges and blesses. On Vertex AI, TFX resolves a blessing's ids only for subclasses of its executor."""

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
            output_dict: `evaluation` (empty if the infrastructure check failed), `blessing` and `verdict`.
            exec_properties: Evaluator's parameters.

        Raises:
            IncomparableChampionError: the champion cannot be compared on this run's test rows.
            ScoringError: a model cannot be scored though the infrastructure check passed.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
        accept = bool(exec_properties["accept_incompatible_champion"])
        champion, problems = comparable_champion(
            input_dict.get(standard_component_specs.BASELINE_MODEL_KEY) or [],
            training_record.read_summary(model.uri),
            training_record.read_schema(model.uri),
            accept=accept,
        )
        infra_blessing = artifact_utils.get_single_instance(input_dict[INFRA_BLESSING_KEY])
        if model_utils.is_infra_validated(infra_blessing):
            judgement = self._judge(input_dict, output_dict, exec_properties, model, champion)
        else:
            judgement = rules.refused_by_infra_check(
                gate_inputs.infra_problems(infra_blessing), read_settings(exec_properties, "gate", GateSettings)
            )
        document = judgement.to_json() | {
            "models": gate_inputs.describe_models(model, champion),
            "comparability": {"accepted": bool(problems), "problems": problems},
        }
        gate_outputs.write_verdict(artifact_utils.get_single_instance(output_dict[VERDICT_KEY]), document)
        gate_outputs.write_blessing(
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
        columns = read_settings(exec_properties, "columns", Columns)
        sliced = [feature.name for feature in read_settings(exec_properties, "features", FeatureSet).slices]
        config = tfma.EvalConfig()
        proto_utils.json_to_proto(exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config)
        scored = score_split(
            examples,
            gate_inputs.SPLIT,
            gate_inputs.saved_models(model, champion),
            label=columns.label,
            columns=sorted({*sliced, *columns_of(config), *([columns.date] if columns.date else [])}),
            seen_in=tuple(gate_inputs.SEEN_IN) if columns.key else (),
            on_beam=self._on_beam(examples),
        )
        rows = gate_inputs.test_rows(scored, sliced, columns.date)
        config = with_bounded_slices(config, [(found.feature, found.value) for found in slices_of(rows)])
        self._measure(input_dict, output_dict, exec_properties, config, champion, scored)
        given = [checks.infrastructure([])]
        if champion is not None and gate_inputs.is_withdrawn(model, champion, examples, scored, columns.label):
            given.append(checks.withdrawn(champion.get_string_custom_property(challenger.ROLLBACK_REASON)))
        evaluation = read_settings(exec_properties, "evaluation_settings", Evaluation)
        judgement = rules.judge(
            rows,
            scored.predictions,
            read_settings(exec_properties, "gate", GateSettings),
            training_base_rate=gate_inputs.training_base_rate(model),
            operating_share=evaluation.operating_share,
            bounds=evaluation.bounds,
            given=given,
            same_model=champion is not None and challenger.source_of(model) == challenger.source_of(champion),
        )
        if judgement.verdict == "blessed":
            test_scores.write_test_scores(
                artifact_utils.get_single_instance(output_dict[standard_component_specs.BLESSING_KEY]),
                scored.label,
                scored.predictions["challenger"],
            )
        return judgement

    def _on_beam(self, examples: types.Artifact) -> OnBeam | None:
        """How Beam scores the rows; None if this process does."""
        rows = count_rows(examples, [gate_inputs.SPLIT])
        place = placement.choose("Evaluator", self._beam_pipeline_args, rows)
        return OnBeam(self._make_beam_pipeline, self._get_tmp_dir()) if place is placement.Place.BEAM else None

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
        # The defaults that TFX's executor fills in.
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
    """The same, but TFX's own executor measures. It scores the rows again and reads only tf.Examples."""

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
        # TFX's executor blesses by TFMA's thresholds alone, so its blessing is thrown away.
        unused = standard_artifacts.ModelBlessing()
        unused.uri = os.path.join(self._get_tmp_dir(), "tfma_blessing")
        evaluator_executor.Executor.Do(
            self,
            input_dict | {standard_component_specs.BASELINE_MODEL_KEY: [champion] if champion else []},
            output_dict | {standard_component_specs.BLESSING_KEY: [unused]},
            exec_properties | {standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config)},
        )


class Evaluator(
    specification.BeamComponent,
    executor=Executor,
    extends=standard_component_specs.EvaluatorSpec,
    inputs={INFRA_BLESSING_KEY: standard_artifacts.InfraBlessing},
    outputs={VERDICT_KEY: Verdict},
    parameters={
        "gate": GateSettings,
        "evaluation_settings": Evaluation,
        "columns": Columns,
        "features": FeatureSet,
        "accept_incompatible_champion": int,
    },
):
    """Judges the challenger on the test split.

    Inputs:
        examples: raw Examples.
        model: the challenger, of SelectModel.
        baseline_model: the champion, the latest blessed Model; it may resolve to nothing.
        infra_blessing: InfraBlessing of the challenger.

    Parameters:
        eval_config: TFMA's; see pipeline/evaluation/eval_config.py.
        gate: the rule.
        evaluation_settings: the operating share, and bounds on metrics.
        columns: names of the label, the key and the date.
        features: the features, for the slices.
        accept_incompatible_champion: 1 to go on as on a first run if the champion cannot be compared.

    Outputs:
        evaluation: ModelEvaluation, TFMA's results.
        blessing: ModelBlessing; of a blessed model, with `test_scores.json`.
        verdict: Verdict: each check, and what decided.
    """

    def __init__(self, *, eval_config: tfma.EvalConfig, batched: bool = True, **arguments: Any):
        """Builds the component from its inputs and parameters.

        Args:
            eval_config: see above.
            batched: whether arrays are measured; False for TFX's own executor, which needs tf.Examples.
            arguments: the other inputs and parameters.

        Raises:
            ValueError: the batched executor does not support something in `eval_config`.
        """
        if batched and (problems := unsupported(eval_config)):
            raise ValueError(f"eval_config: {', '.join(problems)}: only with executors: stock")
        super().__init__(
            eval_config=eval_config,
            example_splits=json_utils.dumps([gate_inputs.SPLIT]),
            fairness_indicator_thresholds=json_utils.dumps(None),
            custom_executor_spec=None if batched else executor_spec.BeamExecutorSpec(StockExecutor),
            **arguments,
        )
