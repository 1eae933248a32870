"""Compiles a pipeline for Vertex AI with KubeflowV2DagRunner: `python -m runners.vertex_runner --help`.

This needs neither credentials nor a network. It adds what TFX does not emit: retries, and the parameters of a run when
there is an exit handler.
"""

from __future__ import annotations

import argparse
import graphlib
import json
import sys
from pathlib import Path
from typing import Any

if not __package__:  # `tfx` executes this as a file; then sys.path begins with its folder, not the repository's
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import schema
from models.config import SettingsError
from pipeline.raw_schema import check_schema
from pipeline.settings.dataset_folder import DatasetFolder
from runners import tfx_command
from runners.console import console
from runners.vertex import dataflow
from runners.vertex.compiled import tasks_of
from runners.vertex.kinds import KINDS, SCORING, TRAINING, PipelineKind
from runners.vertex.settings import VertexSettings, load_vertex_settings

REFUSED = 2
_LONGEST_TITLE = 48  # a run's id has at most 63 characters: the title and a time


def main(arguments: list[str] | None = None) -> int:
    """Compiles the pipeline and prints the path of the job on the last line.

    Returns:
        The exit code: 0 for success, 2 if the settings were refused.
    """
    args = _parser().parse_args(arguments)
    tfx_command.is_compiling("vertex")  # refuses any other engine
    try:
        settings = load_vertex_settings(args.settings, {"output": args.output} if args.output else None)
        kind = KINDS[args.pipeline]
        folder = load_dataset(args.schema_root / args.dataset, kind)
        path = kind.compiled(folder, settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        with console(path.with_name("compile.log"), verbose=args.verbose):
            job, path = _compile(folder, settings, kind)
        path.write_text(json.dumps(job, indent=1, sort_keys=True), encoding="utf-8")
    except (SettingsError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return REFUSED
    for line in _steps(job):
        print(line)
    print(path)
    return 0


def load_dataset(path: Path, kind: PipelineKind = TRAINING) -> DatasetFolder:
    """The data set, with its curated schema checked. Raises SettingsError."""
    folder = DatasetFolder.load(path)
    if len(kind.title(folder)) > _LONGEST_TITLE:
        raise SettingsError(
            f"data set '{folder.name}': the name of its pipeline, '{kind.title(folder)}', is part of the names of "
            f"runs and Dataflow jobs, and may have at most {_LONGEST_TITLE} characters; give the folder a shorter name"
        )
    if folder.pipeline_name.endswith(SCORING.suffix):
        raise SettingsError(
            f"data set '{folder.name}': its schedule would have the name of another data set's scoring schedule; give "
            "the folder a name that does not end in 'scoring'"
        )
    if folder.schema_path:
        check_schema(folder.schema_path, folder.declared, folder.dataset.columns.label)
    for family, uri in folder.dataset.training.tuning.hyperparameters.items():
        if not uri.startswith(("gs://", "/gcs/")):
            raise SettingsError(
                f"training.tuning.hyperparameters.{family}: a run on Vertex AI cannot read {uri}; copy it to Cloud "
                "Storage (gs://...)"
            )
    return folder


def compile_job(folder: DatasetFolder, settings: VertexSettings, kind: PipelineKind = TRAINING) -> dict[str, Any]:
    """A pipeline as a Vertex AI PipelineJob of pipeline spec 2.1, as JSON.

    Raises:
        SettingsError: the settings name a step that is in neither pipeline.
    """
    return _compile(folder, settings, kind)[0]


def _compile(folder: DatasetFolder, settings: VertexSettings, kind: PipelineKind) -> tuple[dict[str, Any], Path]:
    """The job and its path: that of the settings, or the one that `tfx pipeline create` and `update` ask for."""
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    from pipeline.family_nodes import OPTIONAL_STEPS

    pipelines = {each: each.create(folder, settings) for each in KINDS.values()}  # vertex.yaml names steps of both
    steps = {component.id for pipeline in pipelines.values() for component in pipeline.components}
    settings.check_steps({*steps, *OPTIONAL_STEPS})
    for component in pipelines[kind].components:
        _place(component, folder.name, settings)
    path = kind.compiled(folder, settings)
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image=settings.image, use_pipeline_spec_2_1=True),
        output_dir=str(path.parent),
        output_filename=path.name,
    )
    if settings.alert_topic:
        runner.set_exit_handler(_exit_handler(settings.alert_topic))
    values = kind.default_parameters(folder, settings).values_at_run_time()
    job = runner.run(pipelines[kind], parameter_values=values, write_out=False)
    job["displayName"] = kind.title(folder)
    _pass_parameters_on(job["pipelineSpec"])
    _adjust_tasks(job["pipelineSpec"], settings, kind)
    return job, Path(runner._output_dir, runner._output_filename)  # `tfx` sets these two when `run` starts


def _place(component: Any, dataset: str, settings: VertexSettings) -> None:
    """Sets the machine of a step, and where its Beam pipelines run."""
    from kfp.pipeline_spec import pipeline_spec_pb2
    from tfx.dsl.components.base import base_beam_component, base_component

    if not isinstance(component, base_component.BaseComponent):
        return  # resolvers and importers have no container
    resources = settings.resources_of(component.id)
    if resources:
        container = pipeline_spec_pb2.PipelineDeploymentConfig.PipelineContainerSpec
        machine = container.ResourceSpec(cpu_limit=resources.cpu or 0, memory_limit=resources.memory_gb or 0)
        if resources.accelerator:
            machine.accelerator.type = resources.accelerator
            machine.accelerator.count = resources.accelerators
        component.with_platform_config(machine)
    if settings.dataflow and component.id in dataflow.STEPS:
        component.with_beam_pipeline_args(dataflow.beam_options(settings, dataset, component.id))
    elif isinstance(component, base_beam_component.BaseBeamComponent):
        component.with_beam_pipeline_args(settings.beam_options())


def _exit_handler(topic: str) -> Any:
    from tfx.orchestration.kubeflow.decorators import FinalStatusStr

    from pipeline.components.alert import AlertOnFailure

    return AlertOnFailure(final_status=FinalStatusStr(), topic=topic)


def _pass_parameters_on(spec: dict[str, Any]) -> None:
    """Passes the parameters to the inner DAG that an exit handler creates. TFX leaves them at the root."""
    from pipeline.fast.compat import kubeflow_utils as utils

    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if utils.TFX_DAG_NAME not in spec["components"] or not declared:
        return
    spec["components"][utils.TFX_DAG_NAME]["inputDefinitions"] = {"parameters": declared}
    spec["root"]["dag"]["tasks"][utils.TFX_DAG_NAME]["inputs"] = {
        "parameters": {name: {"componentInputParameter": name} for name in declared}
    }


def _adjust_tasks(spec: dict[str, Any], settings: VertexSettings, kind: PipelineKind) -> None:
    """Adds retries to each step with a container, and switches the cache off for some. The compiler does neither."""
    executors = spec["deploymentSpec"]["executors"]
    for name, task in tasks_of(spec).items():
        component = spec["components"][task["componentRef"]["name"]]
        retry = settings.retry_of(name)
        if retry.count and "container" in executors.get(component.get("executorLabel"), {}):
            task["retryPolicy"] = {
                "maxRetryCount": retry.count,
                "backoffDuration": f"{retry.backoff_seconds}s",
                "backoffFactor": retry.backoff_factor,
                "backoffMaxDuration": f"{retry.max_backoff_seconds}s",
            }
        if name in kind.uncached:
            task["cachingOptions"] = {"enableCache": False}


def _steps(job: dict[str, Any]) -> list[str]:
    """A line per step, in the order of execution: machine, retries, and whether its Beam pipelines run on Dataflow."""
    spec = job["pipelineSpec"]
    tasks = tasks_of(spec)
    components = {name: spec["components"][task["componentRef"]["name"]] for name, task in tasks.items()}
    # A DAG ends when all of its tasks have ended; then its exit handler may start.
    waits_for = {
        name: {*task.get("dependentTasks", ()), *components[name].get("dag", {}).get("tasks", ())}
        for name, task in tasks.items()
    }
    lines = []
    for name in graphlib.TopologicalSorter(waits_for).static_order():
        label = components[name].get("executorLabel")
        if label is None:
            continue  # the DAG of all steps
        container = spec["deploymentSpec"]["executors"][label].get("container")
        what = _machine(container, tasks[name]) if container else "looked up by Vertex AI"
        lines.append(f"  {name:<33}{what}")
    return lines


def _machine(container: dict[str, Any], task: dict[str, Any]) -> str:
    resources = container.get("resources", {})
    cpu, memory, accelerator = (resources.get(key) for key in ("cpuLimit", "memoryLimit", "accelerator"))
    said = [f"{cpu:g} cores"] if cpu else []
    said += [f"{memory:g} GB"] if memory else []
    said += [f"{accelerator['count']} x {accelerator['type']}"] if accelerator else []
    said += ["Dataflow"] if "--runner=DataflowRunner" in container["args"] else []
    retries = task.get("retryPolicy", {}).get("maxRetryCount", 0)
    said += [f"{retries} {'retry' if retries == 1 else 'retries'}"] if retries else []
    return ", ".join(said)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default=tfx_command.default_dataset(), help="a folder below schema/")
    parser.add_argument(
        "--pipeline", choices=tuple(KINDS), default=TRAINING.name, help="which pipeline (default: training)"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        default=tfx_command.default_settings("vertex.yaml"),
        help="settings of Vertex AI",
    )
    parser.add_argument("--output", type=Path, help="folder of the compiled job; replaces `output` of the settings")
    parser.add_argument("--verbose", action="store_true", help="show the log of TFX here")
    parser.add_argument("--schema-root", type=Path, default=schema.ROOT, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
