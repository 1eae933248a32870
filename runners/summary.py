"""The run summary: the verdict and its reason, the metrics on the test split, and where to find the model."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.artifacts import PUSHED, PUSHED_CHAMPION, PUSHED_DESTINATION, VERDICT
from pipeline.examples.data_summary import DATA_SUMMARY

_ROLES = ("challenger", "champion", "anchor")
_METRICS = ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_slope", "observed_over_expected")


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What the newest run of a pipeline left, as ML Metadata has it.

    Attributes:
        artifacts: URIs of the run's output artifacts, by component and output.
        pushed: whether the Pusher pushed a model in this run.
        pushed_to: the folder it pushed to, if it did.
        pushed_champion: whether that was the champion, whose earlier push had failed.
    """

    artifacts: dict[tuple[str, str], str]
    pushed: bool
    pushed_to: str | None
    pushed_champion: bool = False


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
        pushed=pushed is not None and pushed.custom_properties[PUSHED].int_value == 1 and "Pusher" not in cached,
        pushed_to=pushed.custom_properties[PUSHED_DESTINATION].string_value if pushed else None,
        pushed_champion=pushed is not None and pushed.custom_properties[PUSHED_CHAMPION].int_value == 1,
    )


def summary(result: RunResult, told: Sequence[str] = ()) -> list[str]:
    """The lines to show, without the warnings that were shown before (`told`)."""
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
    """ExampleGen's findings about the rows."""
    return _read_json(result.artifacts["BigQueryExampleGen", "examples"], DATA_SUMMARY)


def _headline(result: RunResult, verdict: dict[str, Any]) -> str:
    said = f"{verdict['verdict'].upper()}: {verdict['reason']}"
    if result.pushed and result.pushed_champion:
        return f"PUSHED the champion to {result.pushed_to}: the serving folder did not hold it\n{said}"
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
