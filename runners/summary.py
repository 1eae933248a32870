"""The end of a run: verdict and reason, metrics on the test split, where the model and everything else lies."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.components.example_gen import DATA_REPORT
from pipeline.evaluation import METRICS


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What the newest run of a pipeline left, by ML Metadata.

    Attributes:
        artifacts: the newest run's output artifacts: URI by component and output.
        blessed: whether the Evaluator blessed the model.
        pushed: whether the Pusher pushed it.
        pushed_to: the folder, if it did.
    """

    artifacts: dict[tuple[str, str], str]
    blessed: bool
    pushed: bool
    pushed_to: str | None


def read_result(connection: metadata_store_pb2.ConnectionConfig) -> RunResult:
    """Reads the newest run's outputs from ML Metadata."""
    store = metadata_store.MetadataStore(connection)
    run = max(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)
    artifacts: dict[tuple[str, str], metadata_store_pb2.Artifact] = {}
    for execution in store.get_executions_by_context(run.id):
        node = next(c.name for c in store.get_contexts_by_execution(execution.id) if c.type == "node")
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type in (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT):
                [artifact] = store.get_artifacts_by_id([event.artifact_id])
                artifacts[node.rsplit(".", 1)[-1], event.path.steps[0].key] = artifact
    blessing = artifacts.get(("Evaluator", "blessing"))
    pushed = artifacts.get(("Pusher", "pushed_model"))
    return RunResult(
        artifacts={key: artifact.uri for key, artifact in artifacts.items()},
        blessed=blessing is not None and blessing.custom_properties["blessed"].int_value == 1,
        pushed=pushed is not None and pushed.custom_properties["pushed"].int_value == 1,
        pushed_to=pushed.custom_properties["pushed_destination"].string_value if pushed else None,
    )


def summary(result: RunResult, told: Sequence[str] = ()) -> list[str]:
    """The lines to show; warnings that were told before are left out."""
    evaluation = result.artifacts["Evaluator", "evaluation"]
    lines = ["", _verdict(result, evaluation)]
    lines += ["", "Metrics on the test split:", *_metrics(evaluation)]
    lines += [f"warning: {text}" for text in data_report(result)["warnings"] if text not in told]
    return lines


def data_report(result: RunResult) -> dict[str, Any]:
    """What ExampleGen found in the rows."""
    with open(os.path.join(result.artifacts["BigQueryExampleGen", "examples"], DATA_REPORT), encoding="utf-8") as file:
        return json.load(file)


def overall_metrics(evaluation: str) -> dict[str, dict[str, float]]:
    """Scalar metrics of the whole test split by model ("candidate", and "baseline" if there is a champion) and name."""
    has_champion = len(tfma.load_eval_results(evaluation).get_results()) > 1
    models = (tfma.CANDIDATE_KEY, tfma.BASELINE_KEY) if has_champion else (tfma.CANDIDATE_KEY,)
    found = {}
    for model in models:
        name = model if has_champion else None  # a model that is alone has no name
        metrics = tfma.load_eval_result(evaluation, model_name=name).get_metrics_for_slice(()) or {}
        found[model] = {key: value["doubleValue"] for key, value in metrics.items() if "doubleValue" in value}
    return found


def _verdict(result: RunResult, evaluation: str) -> str:
    if result.pushed:
        return f"PUSHED: the model keeps every bound. It is in {result.pushed_to}"
    if result.blessed:
        return "NOT PUSHED: the model is blessed, and was pushed by an earlier run."
    slices = tfma.load_validation_result(evaluation).metric_validations_per_slice
    reasons = [_reason(failure) for metrics in slices for failure in metrics.failures]
    return "NOT PUSHED: on the test split " + ("; ".join(sorted(reasons)) or "nothing could be measured; see the log")


def _reason(failure: Any) -> str:
    """One bound that was broken, in words; `failure` is TFMA's ValidationFailure."""
    name, value = failure.metric_key.name, failure.metric_value.double_value.value
    bound, change = failure.metric_threshold.value_threshold, failure.metric_threshold.change_threshold
    if failure.metric_threshold.HasField("change_threshold"):
        least = change.direction == tfma.MetricDirection.HIGHER_IS_BETTER
        limit = f"the {'least' if least else 'most'} allowed is {change.absolute.value:+g}"
        return f"{name.removesuffix('_diff')} changed by {value:+.4f} against the champion's, {limit}"
    if bound.HasField("lower_bound") and value < bound.lower_bound.value:
        return f"{name} is {value:.4f}, the least allowed is {bound.lower_bound.value:g}"
    return f"{name} is {value:.4f}, the most allowed is {bound.upper_bound.value:g}"


def _metrics(evaluation: str) -> list[str]:
    metrics = overall_metrics(evaluation)
    titles = {tfma.CANDIDATE_KEY: "challenger", tfma.BASELINE_KEY: "champion"}
    lines = [f"  {'':<16}" + "".join(f"{titles[model]:>12}" for model in metrics)]
    for name in [*METRICS, "mean_label", "mean_prediction", "example_count"]:
        values = [_number(name, of_model[name]) for of_model in metrics.values()]
        lines.append(f"  {name:<16}" + "".join(f"{value:>12}" for value in values))
    return lines


def _number(name: str, value: float) -> str:
    return f"{value:,.0f}" if name == "example_count" else f"{value:.4f}"
