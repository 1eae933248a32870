"""Small jobs, as KubeflowV2DagRunner writes them, and an engine whose commands are Python functions."""

import json

from tools.local_vertex.launcher import Launcher
from tools.local_vertex.store import Store

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
BLESSING = {"instanceSchema": "title: tfx.ModelBlessing\ntype: object\n"}
BUCKET = "gs://bucket"


def job(tasks, components=None, executors=None, parameters=None, values=None):
    """A job whose root has these tasks; components and executors that are not given run the container `image`."""
    spec = {
        "pipelineInfo": {"name": "pipe"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": parameters or {}}},
        "components": {},
        "deploymentSpec": {"executors": {}},
    }
    names = {inner for part in (components or {}).values() for inner in part.get("dag", {}).get("tasks", {})}
    for name in {*tasks, *names, *(components or {})}:
        component = (components or {}).get(name, {})
        spec["components"][name] = component if "dag" in component else {"executorLabel": name, **component}
        if "dag" not in component:
            spec["deploymentSpec"]["executors"][name] = (executors or {}).get(name, container())
    return {
        "pipelineSpec": spec,
        "runtimeConfig": {"gcsOutputDirectory": "/gcs/bucket/root", "parameterValues": values or {}},
    }


def task(name, *after, parameters=None, artifacts=None, **more):
    inputs = {"parameters": parameters or {}, "artifacts": artifacts or {}}
    return {"componentRef": {"name": name}, "dependentTasks": list(after), "inputs": inputs, **more}


def container(*args, command=("run",), **more):
    return {"container": {"image": "image", "command": list(command), "args": list(args) or ["{{$}}"], **more}}


def of(producer, key):
    return {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": key}}


def constant(value):
    return {"runtimeValue": {"constant": value}}


def outputs(**kinds):
    return {"outputDefinitions": {"artifacts": {key: {"artifactType": kind} for key, kind in kinds.items()}}}


def images(*names):
    return {name: {"container": container()["container"] | {"image": name}} for name in names}


def training_job(**more):
    """SelectModel, an Evaluator and the two resolvers that TFX makes of a LatestBlessedModelStrategy."""
    blessing_query = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1'
    model_query = (
        'schema_title="tfx.Model" AND state=LIVE AND '
        "name=\"{{$.inputs.artifacts['input'].metadata['current_model_id']}}\""
    )
    return job(
        {
            "Champion-model-blessing-resolver": task("Champion-model-blessing-resolver"),
            "Champion-model-resolver": task(
                "Champion-model-resolver", artifacts={"input": of("Champion-model-blessing-resolver", "model_blessing")}
            ),
            "SelectModel": task("SelectModel", artifacts={"champion": of("Champion-model-resolver", "model")}),
            "Evaluator": task("Evaluator", "SelectModel", artifacts={"model": of("SelectModel", "model")}),
        },
        components={
            "Champion-model-blessing-resolver": outputs(model_blessing=BLESSING),
            "Champion-model-resolver": outputs(model=MODEL),
            "SelectModel": outputs(model=MODEL),
            "Evaluator": outputs(blessing=BLESSING),
        },
        executors={
            "Champion-model-blessing-resolver": {
                "resolver": {"outputArtifactQueries": {"model_blessing": {"filter": blessing_query}}}
            },
            "Champion-model-resolver": {"resolver": {"outputArtifactQueries": {"model": {"filter": model_query}}}},
            **images("SelectModel", "Evaluator"),
        },
        **more,
    )


def judge(blessed):
    def answer(given):
        model = given["inputs"]["artifacts"]["model"]["artifacts"][0]["name"]
        metadata = {"blessed": float(blessed), "current_model_id": model}
        return {"artifacts": {"blessing": {"artifacts": [{"metadata": metadata}]}}}

    return answer


class FakeEngine:
    """Calls `behaviour[image](executor input or arguments)`; what it returns is written as the executor's output."""

    mount = "/gcs"

    def __init__(self, storage, behaviour=None):
        self.storage = storage
        self.behaviour = behaviour or {}
        self.commands = []

    def run(self, command, log):
        self.commands.append(command)
        given = json.loads(command.args[0]) if command.args[0].startswith("{") else command.args
        answer = self.behaviour.get(command.image, lambda given: {})(given)
        if isinstance(answer, int):
            log.write_text(f"line of {command.image}\n")
            return answer
        if answer:
            path = given["outputs"]["outputFile"].removeprefix(self.mount).lstrip("/")
            (self.storage / path).write_text(json.dumps(answer))
        return 0


def launch(folder, job, behaviour=None, *, run_id="run-1", **options):
    """Runs a job; returns the launcher, whether it succeeded, the engine, and what was said."""
    engine, said, waits = FakeEngine(folder / "gcs", behaviour), [], []
    launcher = Launcher(
        job,
        run_id,
        engine=engine,
        store=Store(folder / "metadata.json"),
        logs=folder / "logs",
        say=said.append,
        wait=waits.append,
        **options,
    )
    launcher.succeeded = launcher.run()
    launcher.engine, launcher.said, launcher.waits = engine, "\n".join(said), waits
    return launcher
