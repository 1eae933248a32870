"""A Trainer as a Vertex AI custom job: the request that TFX's extension sends, without sending it."""

import json

import pytest
from google.cloud.aiplatform_v1.types import CustomJob
from tfx.extensions.google_cloud_ai_platform import runner
from tfx.types import standard_artifacts

from pipeline.training import trainer_job

JOB = trainer_job.TrainerJob(
    project="my-project",
    region="europe-west1",
    job_spec={
        "worker_pool_specs": [
            {
                "machine_spec": {"machine_type": "n1-standard-8"},
                "replica_count": 1,
                "container_spec": {"image_uri": "image:1"},
            }
        ],
        "service_account": "pipeline@my-project.iam.gserviceaccount.com",
    },
    labels={"team": "growth"},
    kms_key="projects/p/locations/l/keyRings/r/cryptoKeys/k",
)


@pytest.fixture
def launched(monkeypatch):
    """What was launched: project, job and region."""
    found = []
    monkeypatch.setattr(
        runner,
        "_launch_cloud_training",
        lambda project, training_job, enable_vertex, vertex_region: found.append(
            (project, training_job, enable_vertex, vertex_region)
        ),
    )
    monkeypatch.setattr("google.cloud.aiplatform_v1.JobServiceClient.__init__", lambda self, **options: None)
    monkeypatch.setattr("google.cloud.aiplatform.gapic.JobServiceClient.__init__", lambda self, **options: None)
    return found


def artifact(kind, uri):
    made = kind()
    made.uri = uri
    return made


def test_the_step_starts_a_job_in_which_our_trainer_runs(launched):
    config = {"features": [], **JOB.custom_config("Keras")}
    trainer_job.Executor().Do(
        {"examples": [artifact(standard_artifacts.Examples, "gs://bucket/examples")]},
        {"model": [artifact(standard_artifacts.Model, "gs://bucket/model")]},
        {"custom_config": json.dumps(config), "run_fn": "pipeline.training.run_fn.run_fn"},
    )
    [(project, job, on_vertex, region)] = launched
    assert (project, on_vertex, region) == ("my-project", True, "europe-west1")
    request = CustomJob(job)  # raises for a field that the service does not know
    assert request.display_name == "TrainKeras"
    assert request.encryption_spec.kms_key_name == JOB.kms_key
    assert request.labels["team"] == "growth"
    assert request.job_spec.service_account == "pipeline@my-project.iam.gserviceaccount.com"
    [worker] = request.job_spec.worker_pool_specs
    assert worker.machine_spec.machine_type == "n1-standard-8"
    assert worker.container_spec.image_uri == "image:1"
    command = list(worker.container_spec.command)
    assert command[:3] == ["python", "-m", "tfx.scripts.run_executor"]
    arguments = dict(zip(command[3::2], command[4::2], strict=True))
    assert arguments["--executor_class_path"] == "pipeline.components.trainer.Executor"
    assert "gs://bucket/model" in arguments["--outputs"]
    assert "pipeline.training.run_fn.run_fn" in arguments["--exec-properties"]
