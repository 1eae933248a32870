"""The end of a run: the verdict and its reason, metrics on the test split, where the model and everything else lies."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.artifacts import VERDICT
from pipeline.examples.data_summary import DATA_SUMMARY

_ROLES = ("challenger", "champion", "anchor")
_METRICS = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_slope", "observed_over_expected")


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What the newest run of a pipeline left, by ML Metadata.

    Attributes:
        artifacts: the newest run's output artifacts: URI by component and output.
        pushed: whether the Pusher pushed the model in this run.
        pushed_to: the folder, if it did.
    """

    artifacts: dict[tuple[str, str], str]
    pushed: bool
    pushed_to: str | None


def read_result(connection: metadata_store_pb2.ConnectionConfig) -> RunResult:
    """Reads the newest run's outputs from ML Metadata."""
    store = metadata_store.MetadataStore(connection)
    run = max(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)
    artifacts: dict[tuple[str, str], metadata_store_pb2.Artifact] = {}
    cached = set()
    for execution in store.get_executions_by_context(run.id):
        node = next(c.name for c in store.get_contexts_by_execution(execution.id) if c.type == "node")
        node = node.rsplit(".", 1)[-1]
        if execution.last_known_state == metadata_store_pb2.Execution.CACHED:
            cached.add(node)
        for event in store.get_events_by_execution_ids([execution.id]):
            if event.type in (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT):
                [artifact] = store.get_artifacts_by_id([event.artifact_id])
                artifacts[node, event.path.steps[0].key] = artifact
    pushed = artifacts.get(("Pusher", "pushed_model"))
    return RunResult(
        artifacts={key: artifact.uri for key, artifact in artifacts.items()},
        pushed=pushed is not None and pushed.custom_properties["pushed"].int_value == 1 and "Pusher" not in cached,
        pushed_to=pushed.custom_properties["pushed_destination"].string_value if pushed else None,
    )


def summary(result: RunResult, told: Sequence[str] = ()) -> list[str]:
    """The lines to show; warnings that were told before are left out."""
    verdict = read_verdict(result)
    lines = ["", _headline(result, verdict)]
    if verdict["metrics"]:
        lines += ["", "Metrics on the test split:", *_metrics(verdict)]
    lines += [f"warning: {text}" for text in data_report(result)["warnings"] if text not in told]
    if ("Report", "report") in result.artifacts:
        lines += ["", f"Report: {os.path.join(result.artifacts['Report', 'report'], 'report.html')}"]
    return lines


def read_verdict(result: RunResult) -> dict[str, Any]:
    """The gate's verdict."""
    return _read_json(result.artifacts["Evaluator", "verdict"], VERDICT)


def data_report(result: RunResult) -> dict[str, Any]:
    """What ExampleGen found in the rows."""
    return _read_json(result.artifacts["BigQueryExampleGen", "examples"], DATA_SUMMARY)


def _headline(result: RunResult, verdict: dict[str, Any]) -> str:
    said = f"{verdict['verdict'].upper()}: {verdict['reason']}"
    if result.pushed:
        return f"PUSHED to {result.pushed_to}\n{said}"
    if verdict["verdict"] == "blessed":
        return f"NOT PUSHED: this model was pushed by an earlier run\n{said}"
    return f"NOT PUSHED\n{said}"


def _metrics(verdict: dict[str, Any]) -> list[str]:
    roles = [role for role in _ROLES if verdict["metrics"].get(role)]
    lines = [f"  {'':<24}" + "".join(f"{role:>12}" for role in roles)]
    for name in _METRICS:
        values = [verdict["metrics"][role][name] for role in roles]
        lines.append(f"  {name:<24}" + "".join(f"{'-':>12}" if v is None else f"{v:>12.4f}" for v in values))
    data = verdict["data"]
    return [*lines, f"  on {data['rows']:,} rows, {data['positives']:,} of them positive"]


def _read_json(folder: str, name: str) -> dict[str, Any]:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)
