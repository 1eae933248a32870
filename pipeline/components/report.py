"""Report: the page that a run ends with, whatever its verdict was."""

from __future__ import annotations

import datetime
import json
import math
import os
import typing
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, component_spec, standard_artifacts

from models.features import FeatureSet
from pipeline import artifacts
from pipeline.examples.data_summary import read_data_summary
from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.score import MODEL_ERRORS
from pipeline.report import collect
from pipeline.report.curves import read_curves
from pipeline.report.importance import RawRows, permutation_importance, read_rows
from pipeline.report.page import render_report
from pipeline.report.run_data import Family, RunData
from pipeline.settings.training import Family as FamilyName

REPORT_PAGE = "report.html"
FAMILIES = typing.get_args(FamilyName)
_SPLIT = "eval"  # the test split is for the gate alone
_LOSSES = {"train/members_log_loss": "train", "train/log_loss": "train", "eval/log_loss": "eval"}


class ReportSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of Report."""

    PARAMETERS = {  # noqa: RUF012  (TFX reads a plain dict)
        "title": component_spec.ExecutionParameter(type=str),
        "label": component_spec.ExecutionParameter(type=str),
        "features": component_spec.ExecutionParameter(type=str),
        "digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "drift": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "infra_blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
        "verdict": component_spec.ChannelParameter(type=artifacts.Verdict),
        "pushed_model": component_spec.ChannelParameter(type=standard_artifacts.PushedModel),
        **{
            f"{family}_{name}": component_spec.ChannelParameter(type=kind, optional=True)
            for family in FAMILIES
            for name, kind in (
                ("model", standard_artifacts.Model),
                ("run", standard_artifacts.ModelRun),
                ("hyperparameters", standard_artifacts.HyperParameters),
            )
        },
    }
    OUTPUTS = {  # noqa: RUF012
        "report": component_spec.ChannelParameter(type=artifacts.Report),
    }


class Executor(base_executor.BaseExecutor):
    """Reads the artifacts of the run and writes the page."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `report.html`.

        Args:
            input_dict: those of ReportSpec; of each family that was trained, its Model and ModelRun, and its
                HyperParameters if they were searched for.
            output_dict: `report`: one Report.
            exec_properties: those of ReportSpec.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        one = {name: input_dict[name][0] for name in ReportSpec.INPUTS if input_dict.get(name)}
        features = FeatureSet.from_config(json.loads(exec_properties["features"]))
        data = read_data_summary(one["examples"])
        pushed = (
            one["pushed_model"].get_int_custom_property(artifacts.PUSHED) == 1
            and one["pushed_model"].get_int_custom_property(artifacts.PUSHED_CHAMPION)
            != 1  # the page is about the challenger
        )
        run = RunData(
            title=exec_properties["title"],
            label=exec_properties["label"],
            features=features,
            data=data,
            anomalies=collect.read_anomalies(one["anomalies"]),
            drift=collect.read_drift(one["drift"]),
            families=_families(one, features, exec_properties["label"], data),
            selection=collect.read_json(one["model"], artifacts.SELECTION),
            verdict=collect.read_json(one["verdict"], artifacts.VERDICT) or {},
            infra=collect.read_json(one["infra_blessing"], artifacts.INFRA_CHECK),
            pushed=pushed,
            pushed_to=one["pushed_model"].get_string_custom_property(artifacts.PUSHED_DESTINATION) if pushed else "",
            references=[collect.reference(name, artifact) for name, artifact in one.items()],
            versions=collect.library_versions(),
            digest=exec_properties["digest"],
            made_at=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        )
        report = artifact_utils.get_single_instance(output_dict["report"])
        fileio.makedirs(report.uri)
        with fileio.open(os.path.join(report.uri, REPORT_PAGE), "w") as file:
            file.write(render_report(run))


def _families(
    one: Mapping[str, types.Artifact], features: FeatureSet, label: str, data: Mapping[str, Any]
) -> list[Family]:
    """What each family that was trained has learned."""
    trained = [family for family in FAMILIES if f"{family}_model" in one]
    if not trained:
        return []
    [eval_rows] = [count["rows"] for count in data["splits"] if count["split"] == _SPLIT]
    rows = read_rows(one["examples"], _SPLIT, features, label, eval_rows)
    return [_family(family, one, rows) for family in trained]


def _family(name: str, one: Mapping[str, types.Artifact], rows: RawRows) -> Family:
    importance, problem = None, ""
    try:
        importance = permutation_importance(path_utils.serving_model_path(one[f"{name}_model"].uri), rows)
    except MODEL_ERRORS as error:  # a model that cannot be served is something to report, not to fail by
        problem = f"importance could not be measured: the model raised {type(error).__name__}"
    if importance is not None and not math.isfinite(importance.log_loss):
        importance, problem = None, "importance could not be measured: the model gives values that are no probabilities"
    run, hyperparameters = one.get(f"{name}_run"), one.get(f"{name}_hyperparameters")
    return Family(
        name=name,
        curves={_LOSSES[tag]: curve for tag, curve in read_curves(run.uri).items() if tag in _LOSSES} if run else {},
        importance=importance,
        problem=problem,
        hyperparameters=collect.read_hyperparameters(hyperparameters) if hyperparameters else None,
    )


class Report(base_component.BaseComponent):
    """Writes one static page on the run.

    Outputs:
        report: Report with `report.html`.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        anomalies: types.BaseChannel,
        drift: types.BaseChannel,
        model: types.BaseChannel,
        infra_blessing: types.BaseChannel,
        verdict: types.BaseChannel,
        pushed_model: types.BaseChannel,
        title: str,
        features: FeatureSet,
        label: str,
        digest: str,
        keras_model: types.BaseChannel | None = None,
        keras_run: types.BaseChannel | None = None,
        keras_hyperparameters: types.BaseChannel | None = None,
        xgboost_model: types.BaseChannel | None = None,
        xgboost_run: types.BaseChannel | None = None,
        xgboost_hyperparameters: types.BaseChannel | None = None,
    ):
        """Builds the component.

        Args:
            examples: raw Examples.
            anomalies: of ExampleValidator.
            drift: of DataGate.
            model: the challenger, of SelectModel.
            infra_blessing: its InfraBlessing.
            verdict: of the gate.
            pushed_model: of the Pusher.
            title: what the page is headed with: the data set's name.
            features: the features.
            label: the label's name.
            digest: of settings and code.
            keras_model: Model of the Keras family, if it was trained.
            keras_run: its ModelRun.
            keras_hyperparameters: those that a search found for it.
            xgboost_model: Model of the XGBoost family, if it was trained.
            xgboost_run: its ModelRun.
            xgboost_hyperparameters: those that a search found for it.
        """
        optional = {
            "keras_model": keras_model,
            "keras_run": keras_run,
            "keras_hyperparameters": keras_hyperparameters,
            "xgboost_model": xgboost_model,
            "xgboost_run": xgboost_run,
            "xgboost_hyperparameters": xgboost_hyperparameters,
        }
        super().__init__(
            ReportSpec(
                examples=examples,
                anomalies=anomalies,
                drift=drift,
                model=model,
                infra_blessing=infra_blessing,
                verdict=verdict,
                pushed_model=pushed_model,
                title=title,
                features=json.dumps(features.to_config()),
                label=label,
                digest=digest,
                report=types.Channel(type=artifacts.Report),
                **{name: channel for name, channel in optional.items() if channel is not None},
            )
        )
