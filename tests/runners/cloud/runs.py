"""The command line of Vertex AI against a local server: settings, a compiled job, and each command once."""

import contextlib
import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from google.auth.credentials import AnonymousCredentials

import runners
import schema
from models.config import read_yaml
from pipeline.settings.dataset_folder import DatasetFolder
from runners import vertex_jobs
from runners.vertex.clients import Clients
from runners.vertex.dataflow import beam_options
from runners.vertex.kinds import KINDS, TRAINING, PipelineKind
from runners.vertex.settings import VertexSettings, load_vertex_settings
from tests.runners.cloud.vertex import PARENT, FakeCloud, serving

EXAMPLE = Path(runners.__file__).with_name("vertex.yaml")
PIPELINE = "propensity-ga4"
BLESSED = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1'
FEATURES_TABLE = "features_ga4_0123456789abcdef"
PARAMETERS = {
    "as_of": "STRING",
    "sample_percent": "NUMBER_INTEGER",
    "accept_incompatible_champion": "NUMBER_INTEGER",
    "data_fingerprint": "STRING",
}
SCORING_PARAMETERS = {
    "as_of": "STRING",
    "first_date": "STRING",
    "last_date": "STRING",
    "snapshot_date": "STRING",
    "replace": "NUMBER_INTEGER",
    "data_fingerprint": "STRING",
}


@dataclass(frozen=True)
class Place:
    """A folder with settings and a compiled job, and the clients of a local server."""

    folder: Path
    settings_file: Path
    settings: VertexSettings
    clients: Clients
    cloud: FakeCloud

    @property
    def dataset(self) -> DatasetFolder:
        return DatasetFolder.load(schema.ROOT / "ga4")

    @property
    def compiled(self) -> Path:
        return self.settings.compiled("ga4")

    def run(self, *arguments: str) -> int:
        """Runs a command; those of `schedule` are two words."""
        words = 2 if arguments[0] == "schedule" else 1
        common = ["--settings", str(self.settings_file)]
        return vertex_jobs.main([*arguments[:words], *common, *arguments[words:]], self.clients)

    def with_settings(self, **changes: object) -> "Place":
        """The same place after its settings have changed, and the job was compiled again."""
        return make_place(self.folder, self.cloud, **changes)


@contextlib.contextmanager
def place_in(folder: Path, **changes: object) -> Iterator[Place]:
    """A place with a local server; `changes` replace values of the example's settings."""
    with serving() as cloud:
        yield make_place(folder, cloud, **changes)


def make_place(folder: Path, cloud: FakeCloud, **changes: object) -> Place:
    file = folder / "vertex.yaml"
    document = {**read_yaml(EXAMPLE), "output": str(folder / "output"), **changes}
    file.write_text(yaml.safe_dump({key: value for key, value in document.items() if value is not None}))
    settings = load_vertex_settings(file)
    settings.compiled("ga4").parent.mkdir(parents=True, exist_ok=True)
    for kind in KINDS.values():
        settings.compiled("ga4", kind.job_file).write_text(json.dumps(small_job(settings, kind)))
    clients = Clients(settings, endpoints={"*": cloud.url}, credentials=AnonymousCredentials())
    return Place(folder, file, settings, clients, cloud)


def small_job(settings: VertexSettings, kind: PipelineKind = TRAINING) -> dict:
    """A job of the form of the compiled one: an exit handler, a DAG of steps in it, resolvers, a step on Dataflow."""
    parameters = PARAMETERS if kind is TRAINING else SCORING_PARAMETERS
    steps = {
        "Champion-model-blessing-resolver": {},
        "Champion-model-resolver": {},
        "BigQueryExampleGen": {"cachingOptions": {"enableCache": True}, "retryPolicy": {"maxRetryCount": 2}},
        "StatisticsGen": {"cachingOptions": {"enableCache": True}, "dependentTasks": ["BigQueryExampleGen"]},
    }
    handler = {
        "dependentTasks": ["tfx-dag"],
        "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        "inputs": {"parameters": {"final_status": {"taskFinalStatus": {"producerTask": "tfx-dag"}}}},
    }
    handed = {"parameters": {name: {"componentInputParameter": name} for name in parameters}}
    declared = {"parameters": {name: {"parameterType": type_} for name, type_ in parameters.items()}}
    beam = beam_options(settings, "ga4", "StatisticsGen") if settings.dataflow else []
    containers = {
        name: {"container": {"image": settings.image, "args": beam if name == "StatisticsGen" else []}}
        for name in ("BigQueryExampleGen", "StatisticsGen", "AlertOnFailure")
    }
    dag = {"tasks": {name: _task(name, task) for name, task in steps.items()}}
    return {
        "displayName": f"{PIPELINE}{kind.suffix}",
        "labels": {"tfx_version": "1-2-3"},
        "runtimeConfig": {"gcsOutputDirectory": settings.root_of("ga4"), "parameterValues": {}},
        "pipelineSpec": {
            "pipelineInfo": {"name": PIPELINE},
            "schemaVersion": "2.1.0",
            "sdkVersion": "tfx-1.2.3",
            "root": {
                "inputDefinitions": declared,
                "dag": {
                    "tasks": {
                        "tfx-dag": _task("tfx-dag", {"inputs": handed}),
                        "AlertOnFailure": _task("AlertOnFailure", handler),
                    }
                },
            },
            "components": {
                "tfx-dag": {"inputDefinitions": declared, "dag": dag},
                **{name: {"executorLabel": f"{name}_executor"} for name in (*steps, "AlertOnFailure")},
            },
            "deploymentSpec": {
                "executors": {
                    "Champion-model-resolver_executor": {"resolver": {}},
                    "Champion-model-blessing-resolver_executor": {
                        "resolver": {"outputArtifactQueries": {"model_blessing": {"filter": BLESSED}}}
                    },
                    **{f"{name}_executor": executor for name, executor in containers.items()},
                }
            },
        },
    }


def _task(name: str, task: dict) -> dict:
    return {"taskInfo": {"name": name}, "componentRef": {"name": name}, **task}


def finished_run(run_id: str, **changes: object) -> dict:
    """What a run that failed in a step has to show, as JSON of the service."""
    jobs = f"{PARENT}/customJobs"

    def task(number: int, name: str, state: str, parent: int = 1, **more: object) -> dict:
        moments = {"createTime": f"2026-01-05T06:0{number}:00Z", "startTime": f"2026-01-05T06:0{number}:10Z"}
        ended = {"endTime": f"2026-01-05T06:0{number}:55Z"} if state != "RUNNING" else {}
        return {"taskId": number, "parentTaskId": parent, "taskName": name, "state": state, **moments, **ended, **more}

    failed = {
        "error": {"code": 9, "message": "The replica workerpool0-0 exited\n with a non-zero status of 1."},
        "executorDetail": {"containerDetail": {"mainJob": f"{jobs}/33", "failedMainJobs": [f"{jobs}/32"]}},
    }
    tasks = [
        task(5, "StatisticsGen", "FAILED", 3, **failed),
        task(1, run_id, "FAILED", 0),
        task(3, "tfx-dag", "FAILED"),
        task(4, "BigQueryExampleGen", "SKIPPED", 3),
        task(6, "AlertOnFailure", "SUCCEEDED", executorDetail={"containerDetail": {"mainJob": f"{jobs}/40"}}),
    ]
    return {
        "state": "PIPELINE_STATE_FAILED",
        "startTime": "2026-01-05T06:01:10Z",
        "endTime": "2026-01-05T06:06:55Z",
        "error": {"code": 9, "message": "The DAG failed because some tasks failed.\nThe failed tasks are: [tfx-dag]."},
        "jobDetail": {"taskDetails": tasks},
        **changes,
    }


def dataflow_job(number: int, run_id: str, **changes: object) -> dict:
    """A job of StatisticsGen on Dataflow."""
    return {
        "id": f"2026-01-05_{number}",
        "projectId": "my-project",
        "location": "us-central1",
        "name": f"{run_id}-statisticsgen",
        "type": "JOB_TYPE_BATCH",
        "currentState": "JOB_STATE_FAILED",
        "createTime": "2026-01-05T06:05:20.123456Z",
        "labels": {"application": "propensity", "propensity_run": run_id},
        **changes,
    }


def all_requests(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Method and path of every request of each command, in a state in which it does all that it can do."""
    asked: dict[str, list[tuple[str, str]]] = {}
    with place_in(folder) as place:
        cloud = place.cloud

        def run(*arguments: str) -> None:
            cloud.calls.clear()
            place.run(*arguments)
            asked[" ".join(arguments)] = cloud.seen()

        run("submit", "--run-id", "first")
        cloud.dataflow.append(dataflow_job(2, "first", currentState="JOB_STATE_RUNNING"))
        run("cancel", "first")
        cloud.runs[f"{PARENT}/pipelineJobs/first"].update(finished_run("first"))
        cloud.dataflow.append(dataflow_job(1, "first"))
        run("status")
        run("status", "first", "--wait")
        run("schedule", "apply")
        later = place.with_settings(schedule={"cron": "0 7 * * 1"})
        cloud.calls.clear()
        later.run("schedule", "apply")
        asked["schedule apply (changed)"] = cloud.seen()
        run("schedule", "list")
        run("schedule", "pause")
        run("schedule", "resume")
        run("schedule", "delete")
        run("schedule", "apply")
        place.run("submit", "--run-id", "second")
        cloud.tables["my-project", "propensity"] = [FEATURES_TABLE]
        cloud.objects["my-bucket"]["propensity/ga4/run/StatisticsGen/stats"] = b"statistics"
        run("teardown", "--runs", "--artifacts", "--yes")
    return asked


def utc(*parts: int) -> datetime.datetime:
    return datetime.datetime(*parts, tzinfo=datetime.timezone.utc)
