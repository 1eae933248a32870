"""Beam steps on Dataflow: the requests of the compiled job's steps, up to the point where the service would take over.

Each step runs by its own entry point and arguments, on a tiny artifact. Beam's own client sends its request to a local
server, without credentials; there is no Cloud Storage, so that what would be staged is kept.
"""

import contextlib
import dataclasses
import json
import re
from pathlib import Path

import pytest

import runners
from models.config import validate_settings
from pipeline.champion import challenger, training_record
from pipeline.settings.dataset import Dataset
from pipeline.settings.dataset_folder import DatasetFolder
from runners import vertex_runner
from runners.vertex import dataflow
from runners.vertex.kinds import SCORING, TRAINING
from runners.vertex.settings import load_vertex_settings
from tests.pipeline.small_models import FEATURES, raw_rows, save_small_model, write_examples
from tests.runners.cloud.vertex import Refusal, serving

RUN = "propensity-small-20260105060000"
IMAGE = "us-central1-docker.pkg.dev/my-project/propensity/dataflow:1.2"
WORKERS = "workers@my-project.iam.gserviceaccount.com"
SUBNETWORK = "regions/europe-west1/subnetworks/private"
KEY = "projects/my-project/locations/europe-west1/keyRings/ring/cryptoKeys/key"
SETTINGS = {
    "kms_key": KEY,
    "labels": {"application": "propensity", "team": "growth"},
    "dataflow": {
        "region": "europe-west1",
        "temp_location": "gs://my-bucket/beam",
        "image": IMAGE,
        "machine_type": "n2-highmem-8",
        "disk_gb": 70,
        "max_workers": 23,
        "service_account": WORKERS,
        "subnetwork": SUBNETWORK,
        "private_ips": True,
    },
}
DATASET = {
    "source": {"kind": "table", "table": "t"},
    "columns": {"label": "bought", "key": "customer"},
    "split": {"test_percent": 20},
    "scoring": {"reasons": 0},  # the small model gives none
}
SCHEMA = """
feature { name: "visits" type: FLOAT }
feature { name: "country" type: BYTES }
feature { name: "bought" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
"""


def compiled(settings, kind=TRAINING):
    folder = DatasetFolder("small", validate_settings(DATASET, Dataset, origin="test"), FEATURES, "SELECT")
    delivered = Path(runners.__file__).with_name("vertex.yaml")
    return vertex_runner.compile_job(folder, load_vertex_settings(delivered, settings), kind)["pipelineSpec"]


@pytest.fixture(scope="module")
def job():
    return compiled(SETTINGS)


@pytest.fixture(scope="module")
def scoring_job():
    return compiled(SETTINGS, SCORING)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Input artifacts by the step's input: their URI and metadata."""
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
    from tfx.types import artifact_utils

    folder = tmp_path_factory.mktemp("artifacts")
    splits = ("train", "eval", "test")
    for split in splits:
        write_examples(folder / "examples", raw_rows(400), split=split)
    Path(folder, "schema").mkdir()
    Path(folder, "schema", "schema.pbtxt").write_text(SCHEMA)
    model = folder / "model"
    save_small_model(model / "Format-Serving")
    columns = schema_pb2.Schema(feature=[schema_pb2.Feature(name=name) for name in FEATURES.names])
    report = {"splits": [{"split": "train", "rows": 1000, "positives": 400}], "test_split": {"by": "hash"}, "dates": []}
    report["trained_through"] = None
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    training_record.write(str(model), statistics=statistics, schema=columns, summary=report)
    return {
        "examples": (folder / "examples", {"split_names": artifact_utils.encode_split_names(list(splits))}),
        "schema": (folder / "schema", {}),
        "model": (model, {challenger.SOURCE_URI: "trained/keras"}),
        "infra_blessing": (folder, {"blessed": 1}),
        "baseline_model": None,
    }


def executor_input(component, task, given, folder):
    """ExecutorInput, as Vertex AI makes it for a task."""
    definitions = component["inputDefinitions"]
    artifacts = {}
    for name, definition in definitions["artifacts"].items():
        uri, metadata = given[name] or (None, None)
        runtime = {
            "name": f"artifacts/{name}",
            "uri": str(uri),
            "type": definition["artifactType"],
            "metadata": metadata,
        }
        artifacts[name] = {"artifacts": [runtime] if uri else []}
    values = {"accept_incompatible_champion": 0, "snapshot_date": "2026-01-05"}
    for name, value in task["inputs"]["parameters"].items():
        if "runtimeValue" in value:
            values[name] = value["runtimeValue"]["constant"]
    outputs = {
        name: {"artifacts": [{"name": name, "uri": str(folder / name), "type": definition["artifactType"]}]}
        for name, definition in component["outputDefinitions"]["artifacts"].items()
    }
    return {
        "inputs": {
            "artifacts": artifacts,
            "parameterValues": {name: values[name] for name in definitions["parameters"]},
        },
        "outputs": {"artifacts": outputs, "outputFile": str(folder / "executor_output.json")},
    }


@pytest.fixture(scope="module")
def given_scorer(given, tmp_path_factory):
    """The same model, and rows to score: with a key, without a label."""
    from tfx.types import artifact_utils

    folder = tmp_path_factory.mktemp("to_score")
    rows = [{**row, "customer": f"c{number}"} for number, row in enumerate(raw_rows(400))]
    for row in rows:
        row.pop("bought", None)
    write_examples(folder, rows, split="score")
    return {**given, "examples": (folder, {"split_names": artifact_utils.encode_split_names(["score"])})}


@pytest.fixture(scope="module")
def sent(job, scoring_job, given, given_scorer, tmp_path_factory):
    return {
        step: submit(
            *((scoring_job, step, given_scorer) if step == "Scorer" else (job, step, given)),
            tmp_path_factory.mktemp(step),
        )
        for step in dataflow.STEPS
    }


def submit(job, step, given, folder):
    """Runs a step by its arguments until its request is sent, which the server refuses."""
    with pytest.MonkeyPatch.context() as patch, recorded(patch) as found:
        with pytest.raises(Exception, match="this is as far as it goes"):
            run(job, step, given, folder, found.endpoint)
        return found


def run(job, step, given, folder, endpoint):
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    component = job["components"][step]
    document = json.dumps(executor_input(component, vertex_runner.tasks_of(job)[step], given, folder))
    arguments = [
        document if argument == "{{$}}" else argument.replace(dataflow.RUN_ID_PLACEHOLDER, RUN)
        for argument in arguments_of(job, step)
    ]
    flags = ["run_executor", *arguments, "--no_auth", f"--dataflow_endpoint={endpoint}"]
    kubeflow_v2_run_executor.main(kubeflow_v2_run_executor._parse_flags(flags))


def arguments_of(job, step):
    return job["deploymentSpec"]["executors"][job["components"][step]["executorLabel"]]["container"]["args"]


@dataclasses.dataclass
class Recorded:
    """What a step does: its requests, what it stages by path, and the classes of its Beam pipelines' runners."""

    endpoint: str
    requests: list = dataclasses.field(default_factory=list)
    staged: dict = dataclasses.field(default_factory=dict)
    runners: set = dataclasses.field(default_factory=set)


@contextlib.contextmanager
def recorded(patch):
    """A Dataflow service that refuses each job, and ears where a Beam pipeline is run and where a file is staged."""
    import apache_beam
    from apache_beam.runners.dataflow.internal import apiclient

    real_run = apache_beam.Pipeline.run
    with serving() as cloud:
        # Beam takes a server for a local one, without TLS, if it is called by this name.
        found = Recorded(cloud.url.replace("127.0.0.1", "localhost"))

        def run_pipeline(self, *args, **kwargs):
            found.runners.add(type(self.runner).__name__)
            return real_run(self, *args, **kwargs)

        def stage_file(self, folder, name, stream, *args, **kwargs):
            found.staged[f"{folder}/{name}"] = stream.read()

        def create_job(cloud, match, call):
            found.requests.append(call)
            raise Refusal(400, "this is as far as it goes")

        cloud.add("POST", r"/v1b3/projects/([^/]+)/locations/([^/]+)/jobs", create_job)
        cloud.objects["my-bucket"] = {}
        patch.setattr(apache_beam.Pipeline, "run", run_pipeline)
        patch.setattr(apiclient.DataflowApplicationClient, "stage_file", stage_file)
        patch.setenv("STORAGE_EMULATOR_HOST", cloud.url)
        patch.setenv("NO_GCE_CHECK", "true")
        yield found


each_step = pytest.mark.parametrize("step", dataflow.STEPS)


@each_step
def test_no_beam_pipeline_runs_in_the_step(sent, step):
    assert sent[step].runners == {"DataflowRunner"}
    assert len(sent[step].requests) == 1


@each_step
def test_the_request_is_for_the_settings_project_and_region(sent, step):
    [request] = sent[step].requests
    assert request.path == "/v1b3/projects/my-project/locations/europe-west1/jobs"
    assert "authorization" not in request.headers


@each_step
def test_the_job_is_found_by_the_runs_name(sent, step):
    [request] = sent[step].requests
    assert request.body["name"] == f"{RUN}-{step.lower()}"
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,1022}[a-z0-9])?", request.body["name"])
    labels = request.body["labels"]
    assert labels["propensity_run"] == RUN
    assert (labels["application"], labels["team"]) == ("propensity", "growth")
    assert all(re.fullmatch(r"[a-z0-9_-]{1,63}", text) for pair in labels.items() for text in pair)


@each_step
def test_the_workers_are_those_of_the_settings(sent, step):
    [request] = sent[step].requests
    environment = request.body["environment"]
    assert environment["serviceAccountEmail"] == WORKERS
    assert environment["serviceKmsKeyName"] == KEY
    assert environment["version"]["job_type"] == "FNAPI_BATCH"
    [workers] = environment["workerPools"]
    assert workers["machineType"] == "n2-highmem-8"
    assert workers["diskSizeGb"] == 70
    assert workers["autoscalingSettings"]["maxNumWorkers"] == 23
    assert workers["autoscalingSettings"]["algorithm"] in ("AUTOSCALING_ALGORITHM_BASIC", 2)
    assert workers["subnetwork"] == SUBNETWORK
    assert workers["ipConfiguration"] in ("WORKER_IP_PRIVATE", 2)
    assert {image["containerImage"] for image in workers["sdkHarnessContainerImages"]} == {IMAGE}


@each_step
def test_files_go_to_the_temp_location(sent, step):
    [request] = sent[step].requests
    assert request.body["environment"]["tempStoragePrefix"].startswith(
        f"storage.googleapis.com/my-bucket/beam/small/{RUN}-{step.lower()}."
    )
    assert all(path.startswith("gs://my-bucket/beam/small/staging/") for path in sent[step].staged)
    # The image has all code: neither packages nor a pickled session are staged.
    names = {path.rpartition("/")[2] for path in sent[step].staged}
    assert names <= {"pipeline.pb", "submission_environment_dependencies.txt"}


@each_step
def test_the_pipeline_names_the_image(sent, step):
    from apache_beam.portability.api import beam_runner_api_pb2

    [request] = sent[step].requests
    url = request.body["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    pipeline = beam_runner_api_pb2.Pipeline.FromString(sent[step].staged[url])
    images = {
        beam_runner_api_pb2.DockerPayload.FromString(environment.payload).container_image
        for environment in pipeline.components.environments.values()
    }
    assert images == {IMAGE}
    assert len(pipeline.components.transforms) > 20


@pytest.mark.parametrize("made", ["job", "scoring_job"])
def test_exactly_the_steps_that_grow_have_dataflows_options(made, request):
    job = request.getfixturevalue(made)
    containers = [
        step
        for step, component in job["components"].items()
        if "container" in job["deploymentSpec"]["executors"].get(component.get("executorLabel"), {})
    ]
    beams = {}
    for step in containers:
        arguments = arguments_of(job, step)
        beams[step] = arguments[arguments.index("--json_serialized_inputs_spec_args") + 2 :]
    grow = set(dataflow.STEPS) & set(beams)
    assert {step for step, options in beams.items() if options} == grow < set(beams)
    assert len(grow) > 1 and all("--runner=DataflowRunner" in beams[step] for step in grow)


def test_without_dataflow_the_step_runs_its_pipeline_itself(given, tmp_path):
    in_process = compiled({**SETTINGS, "dataflow": None})
    with pytest.MonkeyPatch.context() as patch, recorded(patch) as found:
        run(in_process, "StatisticsGen", given, tmp_path, found.endpoint)
    assert found.runners == {"FnApiRunner"}
    assert (found.requests, found.staged) == ([], {})
    assert list(tmp_path.glob("statistics/Split-train/*"))
