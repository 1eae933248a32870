"""The compiled job: what TFX emits, and what is added to it."""

import json
from pathlib import Path

import pytest
import yaml
from tfx.utils import import_utils

import runners
import schema
from models.config import SettingsError
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run_parameters import RunParameters
from runners import vertex_runner
from runners.vertex import dataflow, requests
from runners.vertex.kinds import SCORING, TRAINING
from runners.vertex.settings import load_vertex_settings
from tests.runners.cloud.vertex import check_run

EXAMPLE = Path(runners.__file__).with_name("vertex.yaml")
SCORING_PARAMETERS = {"as_of", "first_date", "last_date", "snapshot_date", "replace", "data_fingerprint"}
PARAMETERS = {"as_of", "sample_percent", "accept_incompatible_champion", "data_fingerprint"}


def compiled(overrides=None, dataset="ga4", dataset_overrides=None, kind=TRAINING):
    folder = DatasetFolder.load(schema.ROOT / dataset, dataset_overrides)
    return vertex_runner.compile_job(folder, load_vertex_settings(EXAMPLE, overrides), kind)


@pytest.fixture(scope="module")
def job():
    return compiled()


@pytest.fixture(scope="module")
def scoring_job():
    return compiled(kind=SCORING)


def tasks(job):
    return vertex_runner.tasks_of(job["pipelineSpec"])


def container(job, step):
    return job["pipelineSpec"]["deploymentSpec"]["executors"][f"{step}_executor"]["container"]


def test_every_parameter_is_declared_and_has_a_value(job):
    assert job["pipelineSpec"]["schemaVersion"] == "2.1.0"
    assert set(job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]) == PARAMETERS
    assert set(job["runtimeConfig"]["parameterValues"]) == PARAMETERS
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://my-bucket/propensity/ga4"


def test_the_service_takes_it(job):
    folder, settings = DatasetFolder.load(schema.ROOT / "ga4"), load_vertex_settings(EXAMPLE)
    check_run(requests.run_document(job, folder, settings, RunParameters(), caching=False))


def test_every_parameter_of_scoring_but_the_run_id_is_given_to_each_run(scoring_job):
    assert set(scoring_job["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]) == SCORING_PARAMETERS
    assert set(scoring_job["runtimeConfig"]["parameterValues"]) == SCORING_PARAMETERS
    given = tasks(scoring_job)["Scorer"]["inputs"]["parameters"]["run_id"]
    assert given == {"runtimeValue": {"constant": "{{$.pipeline_job_name}}"}}, (
        "the whole value, or it is no placeholder"
    )


def test_the_service_takes_the_scoring_job(scoring_job):
    folder, settings = DatasetFolder.load(schema.ROOT / "ga4"), load_vertex_settings(EXAMPLE)
    parameters = SCORING.default_parameters(folder, settings)
    run = requests.run_document(scoring_job, folder, settings, parameters, caching=True, kind=SCORING)
    check_run(run)
    cached = {name for name, task in tasks(run).items() if task.get("cachingOptions", {}).get("enableCache")}
    assert {"Scorer", "StatisticsGen"} <= cached
    assert "ScoreWriter" not in cached, "it changes the score table"


def test_a_step_of_either_pipeline_may_be_named_for_both(scoring_job):
    machines = {"resources.Scorer": {"cpu": 16}, "retries.ScoreWriter": {"count": 5}, "retries.Transform": {"count": 1}}
    assert tasks(compiled(machines))["Transform"]["retryPolicy"]["maxRetryCount"] == 1
    job = compiled(machines, kind=SCORING)
    assert container(job, "Scorer")["resources"]["cpuLimit"] == 16
    assert tasks(job)["ScoreWriter"]["retryPolicy"]["maxRetryCount"] == 5
    assert tasks(scoring_job)["ScoreWriter"]["retryPolicy"]["maxRetryCount"] == 2


def test_the_score_table_of_duckdb_is_a_file_of_the_bucket(scoring_job):
    def table_path(job):
        return tasks(job)["ScoreWriter"]["inputs"]["parameters"]["table_path"]["runtimeValue"]["constant"]

    assert table_path(scoring_job) == ""
    embedded = compiled({"warehouse": {"engine": "duckdb"}, "data": "/gcs/my-bucket/data"}, kind=SCORING)
    assert table_path(embedded) == "/gcs/my-bucket/propensity/ga4/scores.duckdb"


@pytest.mark.parametrize(
    ("made", "ours"),
    [
        ("job", {"propensity.Verdict", "propensity.Report"}),
        ("scoring_job", {"propensity.Scores", "propensity.WrittenScores"}),
    ],
)
def test_steps_can_import_the_type_of_every_artifact(made, ours, request):
    """A step's entry point takes the title of a type that is not TFX's own for the path of its class."""
    titles = set()
    for component in request.getfixturevalue(made)["pipelineSpec"]["components"].values():
        for direction in ("inputDefinitions", "outputDefinitions"):
            for artifact in component.get(direction, {}).get("artifacts", {}).values():
                titles.add(yaml.safe_load(artifact["artifactType"]["instanceSchema"])["title"])
    found = {title for title in titles if not title.startswith("tfx.")}
    assert found >= ours
    assert {import_utils.import_class_by_path(title).TYPE_NAME for title in found} == found


@pytest.mark.parametrize("topic", ["projects/p/topics/alerts", None])
def test_a_step_finds_each_of_its_parameters_in_its_own_parent(topic):
    spec = compiled({"alert_topic": topic})["pipelineSpec"]
    parents = [spec["root"], *(component for component in spec["components"].values() if "dag" in component)]
    used = set()
    for parent in parents:
        for task in parent["dag"]["tasks"].values():
            for value in task.get("inputs", {}).get("parameters", {}).values():
                if name := value.get("componentInputParameter"):
                    assert name in parent["inputDefinitions"]["parameters"]
                    used.add(name)
    assert used == PARAMETERS
    assert ("AlertOnFailure" in spec["root"]["dag"]["tasks"]) == bool(topic)


def test_containers_are_retried_as_the_settings_say(job):
    retried = {name: task["retryPolicy"]["maxRetryCount"] for name, task in tasks(job).items() if "retryPolicy" in task}
    assert retried["Transform"] == 2
    assert retried["Evaluator"] == 1
    assert "DataGate" not in retried
    assert not {name for name in retried if "resolver" in name}
    assert tasks(job)["Transform"]["retryPolicy"] == {
        "maxRetryCount": 2,
        "backoffDuration": "60s",
        "backoffFactor": 2,
        "backoffMaxDuration": "3600s",
    }


def test_a_step_has_the_machine_of_the_settings(job):
    assert container(job, "TrainKeras")["resources"] == {"cpuLimit": 8, "memoryLimit": 32}
    machine = container(
        compiled({"resources.TrainKeras": {"accelerator": "NVIDIA_TESLA_T4", "accelerators": 2}}), "TrainKeras"
    )["resources"]
    assert machine["accelerator"] == {"type": "NVIDIA_TESLA_T4", "count": "2"}


def test_every_step_runs_in_the_image(job):
    executors = job["pipelineSpec"]["deploymentSpec"]["executors"].values()
    images = {executor["container"]["image"] for executor in executors if "container" in executor}
    assert images == {"us-central1-docker.pkg.dev/my-project/propensity/pipeline:latest"}


@pytest.mark.parametrize("made", ["job", "scoring_job"])
def test_dataflow_is_for_the_steps_that_grow_alone(made, request):
    job = request.getfixturevalue(made)
    for step in tasks(job):
        if f"{step}_executor" in job["pipelineSpec"]["deploymentSpec"]["executors"] and "resolver" not in step:
            runners_named = [arg for arg in container(job, step)["args"] if arg.startswith("--runner=")]
            assert runners_named == (["--runner=DataflowRunner"] if step in dataflow.STEPS else [])
    in_process = container(compiled({"dataflow": None}), "Transform")["args"]
    assert next(arg for arg in in_process if arg.startswith("--runner=")).endswith("FnApiRunner")


def test_trainers_run_in_a_custom_job_where_the_settings_say_so(job):
    of_job = compiled({"trainer_job": {"machine_type": "n1-highmem-8", "accelerator": "NVIDIA_TESLA_T4"}})
    for step in ("TrainKeras", "TrainXGBoost"):
        assert "pipeline.components.trainer.Executor" in container(job, step)["args"]
        assert "pipeline.training.trainer_job.Executor" in container(of_job, step)["args"]
        config = json.loads(tasks(of_job)[step]["inputs"]["parameters"]["custom_config"]["runtimeValue"]["constant"])
        [worker] = config["ai_platform_training_args"]["job_spec"]["worker_pool_specs"]
        assert worker["machine_spec"]["machine_type"] == "n1-highmem-8"
        assert worker["container_spec"]["image_uri"] == container(job, step)["image"]


def test_models_are_pushed_to_cloud_storage(job):
    destination = tasks(job)["Pusher"]["inputs"]["parameters"]["push_destination"]["runtimeValue"]["constant"]
    assert json.loads(destination)["filesystem"]["base_directory"] == "gs://my-bucket/propensity/serving/ga4"


def test_nothing_of_this_machine_is_in_the_job(job, scoring_job):
    assert str(schema.ROOT.parent) not in json.dumps([job, scoring_job])


def test_settings_may_name_steps_that_another_data_set_has():
    assert "TrainKeras" not in tasks(compiled(dataset_overrides={"training.families": ["xgboost"]}))


def test_a_step_that_is_not_there_is_refused():
    with pytest.raises(SettingsError, match=r"retries.TrainForest.*TrainKeras"):
        compiled({"retries.TrainForest": {}})


def test_hyperparameters_of_an_earlier_run_are_on_cloud_storage(tmp_path):
    import shutil

    shutil.copytree(schema.ROOT / "online_shoppers", tmp_path / "shop")
    file = tmp_path / "shop" / "dataset.yaml"
    file.write_text(file.read_text() + "\ntraining: {tuning: {hyperparameters: {xgboost: output/earlier/17}}}\n")
    with pytest.raises(
        SettingsError, match=r"hyperparameters.xgboost: a run on Vertex AI cannot read output/earlier/17"
    ):
        vertex_runner.load_dataset(tmp_path / "shop")


def test_the_command_prints_the_steps_and_the_path_of_the_job_last(tmp_path, capfd):
    assert vertex_runner.main(["--dataset", "online_shoppers", "--output", str(tmp_path)]) == 0
    *steps, path = capfd.readouterr().out.splitlines()
    assert json.loads(Path(path).read_text())["displayName"] == "propensity-online-shoppers"
    assert path == str(tmp_path / "online_shoppers" / "vertex" / "pipeline.json")
    named = [line.split()[0] for line in steps]
    assert named[-1] == "AlertOnFailure"
    assert named.index("Transform") < named.index("TrainKeras") < named.index("Evaluator") < named.index("Pusher")


def test_settings_that_cannot_be_are_refused_before_tfx_is_imported(tmp_path, capsys):
    file = tmp_path / "vertex.yaml"
    file.write_text("project: my-project\n")
    assert vertex_runner.main(["--settings", str(file)]) == 2
    assert f"{file}: key 'region' is required" in capsys.readouterr().err
