"""Report: writes the HTML page of a run, for every verdict."""

from __future__ import annotations

import datetime
import math
import os
import typing
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from models.families.contract import display
from models.features import FeatureSet
from pipeline import artifacts
from pipeline.components import specification
from pipeline.examples.data_summary import read_data_summary
from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.model import MODEL_ERRORS
from pipeline.report import collect
from pipeline.report.curves import read_curves
from pipeline.report.importance import RawRows, permutation_importance, read_rows, rows_to_measure
from pipeline.report.page import render_report
from pipeline.report.run_data import Family, RunData
from pipeline.settings.training import Family as FamilyName

FAMILIES = typing.get_args(FamilyName)
_SPLIT = "eval"  # the test split is for the gate alone


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
            input_dict: Report's inputs; of each family that was trained, its Model and ModelRun, and its
                HyperParameters if they were searched for.
            output_dict: `report`: one Report.
            exec_properties: Report's parameters.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        one = {name: input_dict[name][0] for name in Report.SPEC_CLASS.INPUTS if input_dict.get(name)}
        features = specification.read_settings(exec_properties, "features", FeatureSet)
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
            digest=exec_properties["run_digest"],
            made_at=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC",
        )
        report = artifact_utils.get_single_instance(output_dict["report"])
        fileio.makedirs(report.uri)
        with fileio.open(os.path.join(report.uri, artifacts.REPORT_PAGE), "w") as file:
            file.write(render_report(run))


def _families(
    one: Mapping[str, types.Artifact], features: FeatureSet, label: str, data: Mapping[str, Any]
) -> list[Family]:
    """What each trained family has learned."""
    trained = [family for family in FAMILIES if f"{family}_model" in one]
    if not trained:
        return []
    [eval_rows] = [count["rows"] for count in data["splits"] if count["split"] == _SPLIT]
    rows = read_rows(one["examples"], _SPLIT, features, label, eval_rows, most=rows_to_measure(len(features.features)))
    return [_family(family, one, rows) for family in trained]


def _family(name: str, one: Mapping[str, types.Artifact], rows: RawRows) -> Family:
    importance, problem = None, ""
    try:
        importance = permutation_importance(path_utils.serving_model_path(one[f"{name}_model"].uri), rows)
    except MODEL_ERRORS as error:  # the page reports a model that cannot be served
        problem = f"importance could not be measured: the model raised {type(error).__name__}"
    if importance is not None and not math.isfinite(importance.log_loss):
        importance, problem = (
            None,
            "importance could not be measured: the model returns values that are not probabilities",
        )
    run, hyperparameters = one.get(f"{name}_run"), one.get(f"{name}_hyperparameters")
    splits = display(name).curves
    return Family(
        name=name,
        curves={splits[tag]: curve for tag, curve in read_curves(run.uri).items() if tag in splits} if run else {},
        importance=importance,
        problem=problem,
        hyperparameters=collect.read_hyperparameters(hyperparameters) if hyperparameters else None,
    )


class Report(
    specification.Component,
    executor=Executor,
    inputs={
        "examples": standard_artifacts.Examples,
        "anomalies": standard_artifacts.ExampleAnomalies,
        "drift": standard_artifacts.ExampleAnomalies,
        "model": standard_artifacts.Model,
        "infra_blessing": standard_artifacts.InfraBlessing,
        "verdict": artifacts.Verdict,
        "pushed_model": standard_artifacts.PushedModel,
        **{
            f"{family}_{name}": specification.optional(kind)
            for family in FAMILIES
            for name, kind in (
                ("model", standard_artifacts.Model),
                ("run", standard_artifacts.ModelRun),
                ("hyperparameters", standard_artifacts.HyperParameters),
            )
        },
    },
    outputs={"report": artifacts.Report},
    parameters={"title": str, "label": str, "features": FeatureSet, "run_digest": str},
):
    """Writes one static page about the run.

    Inputs:
        examples: raw Examples.
        anomalies: ExampleAnomalies of ExampleValidator.
        drift: ExampleAnomalies of DataGate.
        model: the challenger, of SelectModel.
        infra_blessing: its InfraBlessing.
        verdict: Verdict of the gate.
        pushed_model: PushedModel of the Pusher.
        <family>_model: Model of a family, if it was trained; `<family>_run`: its ModelRun; `<family>_hyperparameters`:
            its HyperParameters, if a search found them.

    Parameters:
        title: the heading: the data set's name.
        label: the label's name.
        features: the features.
        run_digest: of the data set and of the code of all components; the page shows it.

    Outputs:
        report: Report with `report.html`.
    """
