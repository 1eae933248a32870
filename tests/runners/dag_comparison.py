"""One plain structure for a pipeline's local IR and for its compiled Vertex AI job, so that they can be compared."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
from collections.abc import Iterable
from typing import Any

import yaml

# A Resolver of the latest blessed model is two tasks on Vertex AI: the blessing, then the model that it names.
BLESSING_TASK, MODEL_TASK = "-model-blessing-resolver", "-model-resolver"
LATEST_BLESSED = (
    "tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy.LatestBlessedModelStrategy",
    {
        BLESSING_TASK: 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1',
        MODEL_TASK: 'schema_title="tfx.Model" AND state=LIVE AND '
        "name=\"{{$.inputs.artifacts['input'].metadata['current_model_id']}}\"",
    },
)
_YAML_TYPES = {"integer": "INT", "string": "STRING", "number": "DOUBLE"}
_PARAMETER_TYPES = {"NUMBER_INTEGER": "INT", "STRING": "STRING", "NUMBER_DOUBLE": "DOUBLE"}
_VALUE_TYPES = {"int_value": "INT", "string_value": "STRING", "double_value": "DOUBLE"}


@dataclasses.dataclass
class Node:
    """A step, resolver or importer.

    Attributes:
        executor: its class; of a resolver its strategy.
        inputs: by name `[producer, its output, artifact type]`, one for each channel.
        after: nodes that must have ended before it, but give it no input.
        outputs: by name the artifact type and the types of its properties.
        properties: execution properties, by name the type and the value; JSON is parsed, also within JSON.
        parameters: execution properties whose value is given to each run, by name the runtime parameter's name.
        beam_args: Beam options.
        driver: class that runs before the executor.
        cached: whether the cache is used where the run allows it.
    """

    executor: str = ""
    inputs: dict[str, list[list[str]]] = dataclasses.field(default_factory=dict)
    after: list[str] = dataclasses.field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    properties: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    beam_args: list[str] = dataclasses.field(default_factory=list)
    driver: str = ""
    cached: bool = False


@dataclasses.dataclass
class Dag:
    """A pipeline: its name, its root and its nodes."""

    name: str
    root: str
    nodes: dict[str, Node]

    def flat(self) -> dict[str, Any]:
        """Every value by its path, such as `Evaluator.inputs.model`; a list is one value."""
        return {"name": self.name, "root": self.root, **_flat(dataclasses.asdict(self)["nodes"])}


def differences(one: Dag, other: Dag) -> dict[str, tuple[Any, Any]]:
    """Both values of each path at which the two differ; None where one has no such path."""
    left, right = one.flat(), other.flat()
    return {
        path: (left.get(path), right.get(path))
        for path in sorted(left.keys() | right.keys())
        if left.get(path) != right.get(path)
    }


def unexplained(found: dict[str, tuple[Any, Any]], expected: Iterable[str]) -> list[str]:
    """Paths of differences that match no expected pattern, and patterns that match no difference."""
    expected = list(expected)
    paths = [path for path in found if not any(fnmatch.fnmatchcase(path, pattern) for pattern in expected)]
    return paths + [pattern for pattern in expected if not any(fnmatch.fnmatchcase(path, pattern) for path in found)]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _parsed(value: Any) -> Any:
    """JSON in texts parsed, however deep; dicts and lists only, so that a text is never taken for a number."""
    if isinstance(value, str):
        try:
            inner = json.loads(value)
        except json.JSONDecodeError:
            return value
        return _parsed(inner) if isinstance(inner, dict | list) else value
    if isinstance(value, dict):
        return {key: _parsed(inner) for key, inner in value.items()}
    return [_parsed(inner) for inner in value] if isinstance(value, list) else value


# The local IR


def from_ir(ir: Any) -> Dag:
    """Reads a `tfx.orchestration.Pipeline` message."""
    from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2

    deployment = pipeline_pb2.IntermediateDeploymentConfig()
    ir.deployment_config.Unpack(deployment)
    nodes = {}
    for holder in ir.nodes:
        node = holder.pipeline_node
        name = node.node_info.id
        found = nodes[name] = Node(
            outputs={key: _ir_type(output.artifact_spec.type) for key, output in node.outputs.outputs.items()},
            properties={key: _ir_value(value.field_value) for key, value in node.parameters.parameters.items()},
            cached=node.execution_options.caching_options.enable_cache,
        )
        if name in deployment.executor_specs:
            found.executor, found.beam_args = _ir_executor(deployment.executor_specs[name])
        if name in deployment.custom_driver_specs:
            driver = executable_spec_pb2.PythonClassExecutableSpec()
            deployment.custom_driver_specs[name].Unpack(driver)
            found.driver = driver.class_path
        if node.inputs.input_graphs:
            _read_resolver(node, found)
            continue
        for key, value in node.inputs.inputs.items():
            found.inputs[key] = [
                [channel.producer_node_query.id, channel.output_key, channel.artifact_query.type.name]
                for channel in value.channels
            ]
        found.after = _after(node.upstream_nodes, found)
    root = ir.runtime_spec.pipeline_root
    return Dag(ir.pipeline_info.id, root.runtime_parameter.default_value.string_value, nodes)


def _read_resolver(node: Any, found: Node) -> None:
    [graph] = node.inputs.input_graphs.values()
    found.executor = graph.nodes[graph.result_node].op_node.op_type
    for value in node.inputs.inputs.values():
        for channel in value.channels:
            kind = channel.artifact_query.type
            [key] = [
                key
                for dictionary in graph.nodes.values()
                for key, source in dictionary.dict_node.node_ids.items()
                if node.inputs.inputs[graph.nodes[source].input_node.input_key] == value
            ]
            found.outputs[key] = _ir_type(kind)


def _ir_type(kind: Any) -> dict[str, Any]:
    from ml_metadata.proto import metadata_store_pb2

    properties = {key: metadata_store_pb2.PropertyType.Name(value) for key, value in kind.properties.items()}
    return {"type": kind.name, "properties": properties}


def _ir_value(value: Any) -> dict[str, Any]:
    field = value.WhichOneof("value")
    return {"type": _VALUE_TYPES[field], "value": _parsed(getattr(value, field))}


def _ir_executor(spec: Any) -> tuple[str, list[str]]:
    from tfx.proto.orchestration import executable_spec_pb2

    beam, plain = executable_spec_pb2.BeamExecutableSpec(), executable_spec_pb2.PythonClassExecutableSpec()
    if spec.Unpack(beam):
        return beam.python_executor_spec.class_path, list(beam.beam_pipeline_args)
    spec.Unpack(plain)
    return plain.class_path, []


# The compiled job


def from_job(job: dict[str, Any]) -> Dag:
    """Reads a Vertex AI PipelineJob as JSON, of pipeline spec 2.1, with its exit handler as a node like others."""
    spec = job["pipelineSpec"]
    values = job["runtimeConfig"]["parameterValues"]
    nodes: dict[str, Node] = {}
    resolvers: dict[str, dict[str, str]] = {}
    for name, task, scope in _tasks(spec, values):
        component = spec["components"][task["componentRef"]["name"]]
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        if "resolver" in executor:
            suffix = next(suffix for suffix in (BLESSING_TASK, MODEL_TASK) if name.endswith(suffix))
            found = nodes.setdefault(_node_of(name), Node(cached=True))
            [(output, query)] = executor["resolver"]["outputArtifactQueries"].items()
            found.outputs[output] = _job_type(component["outputDefinitions"]["artifacts"][output])
            resolvers.setdefault(_node_of(name), {})[suffix] = query["filter"]
            continue
        nodes[name] = _job_node(task, component, executor, scope)
    for name, filters in resolvers.items():
        strategy, expected = LATEST_BLESSED
        nodes[name].executor = strategy if filters == expected else f"unknown: {filters}"
    return Dag(spec["pipelineInfo"]["name"], job["runtimeConfig"]["gcsOutputDirectory"], nodes)


def _tasks(spec: dict[str, Any], values: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each task that has an executor, with the values of the parameters that its parent component declares."""
    found = []
    for name, task in spec["root"]["dag"]["tasks"].items():
        component = spec["components"][task["componentRef"]["name"]]
        scope = {key: (key, values[key]) for key in spec["root"].get("inputDefinitions", {}).get("parameters", {})}
        if "dag" not in component:
            found.append((name, task, scope))
            continue
        given = task.get("inputs", {}).get("parameters", {})
        inner = {
            key: scope[given[key]["componentInputParameter"]]
            for key in component.get("inputDefinitions", {}).get("parameters", {})
        }
        found += [(inner_name, inner_task, inner) for inner_name, inner_task in component["dag"]["tasks"].items()]
    return found


def _job_node(task: dict[str, Any], component: dict[str, Any], executor: dict[str, Any], scope: dict[str, Any]) -> Node:
    inputs = task.get("inputs", {})
    declared = component.get("inputDefinitions", {})
    found = Node(
        outputs={
            key: _job_type(kind) for key, kind in component.get("outputDefinitions", {}).get("artifacts", {}).items()
        },
        cached=task.get("cachingOptions", {}).get("enableCache", False),
    )
    if "container" in executor:
        arguments = executor["container"]["args"]
        found.executor = arguments[arguments.index("--executor_class_path") + 1]
        # After the flags of TFX's entry point and their values come Beam's options.
        found.beam_args = arguments[arguments.index("--json_serialized_inputs_spec_args") + 2 :]
        found.driver = "preCacheCheck" if "lifecycle" in executor["container"] else ""
    for key, value in inputs.get("artifacts", {}).items():
        source = value["taskOutputArtifact"]
        kind = _job_type(declared["artifacts"][key])["type"]
        found.inputs[key] = [[_node_of(source["producerTask"]), source["outputArtifactKey"], kind]]
    for key, value in inputs.get("parameters", {}).items():
        if "componentInputParameter" in value:
            found.parameters[key], given = scope[value["componentInputParameter"]]
        else:
            given = value.get("runtimeValue", {}).get("constant", value)
        kind = _PARAMETER_TYPES[declared["parameters"][key]["parameterType"]]
        found.properties[key] = {"type": kind, "value": _parsed(given)}
    if "importer" in executor:  # Vertex AI takes the place from here
        found.properties["artifact_uri"]["value"] = executor["importer"]["artifactUri"]["constant"]
    found.after = _after([_node_of(name) for name in task.get("dependentTasks", [])], found)
    return found


def _job_type(definition: dict[str, Any]) -> dict[str, Any]:
    schema = yaml.safe_load(definition["artifactType"]["instanceSchema"])
    properties = {key: _YAML_TYPES[value["type"]] for key, value in schema.get("properties", {}).items()}
    return {"type": schema["title"].removeprefix("tfx."), "properties": properties}


def _node_of(task: str) -> str:
    """The node that a task belongs to: of a resolver's two tasks, the resolver."""
    return task.removesuffix(BLESSING_TASK).removesuffix(MODEL_TASK)


def _after(upstream: Any, found: Node) -> list[str]:
    producers = {producer for channels in found.inputs.values() for producer, _, _ in channels}
    return sorted(set(upstream) - producers)
