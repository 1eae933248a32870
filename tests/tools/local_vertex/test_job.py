import json

import pytest

from tests.tools.local_vertex.jobs import MODEL, constant, job, of, outputs, task
from tools.local_vertex.job import JobError, check_job, load_job


def test_cloud_storage_becomes_the_mounted_folder(tmp_path):
    text = json.dumps({"data": "/gcs/bucket/sample", "path": "/x/gcs/y"})
    whole = job({"A": task("A", parameters={"config": constant(text), "serving": constant("gs://bucket/serving")})})
    whole["runtimeConfig"]["gcsOutputDirectory"] = "gs://bucket/root"
    (tmp_path / "job.json").write_text(json.dumps(whole))

    loaded = load_job(tmp_path / "job.json", buckets="/here/gcs")
    inputs = loaded["pipelineSpec"]["root"]["dag"]["tasks"]["A"]["inputs"]["parameters"]
    config = json.loads(inputs["config"]["runtimeValue"]["constant"])
    assert loaded["runtimeConfig"]["gcsOutputDirectory"] == "/here/gcs/bucket/root"
    assert inputs["serving"]["runtimeValue"]["constant"] == "/here/gcs/bucket/serving"
    assert config == {"data": "/here/gcs/bucket/sample", "path": "/x/gcs/y"}


def spec_of(version):
    whole = job({"A": task("A")})
    whole["pipelineSpec"]["schemaVersion"] = version
    return whole


SCOPED = {"dag": {"tasks": {"B": task("B", parameters={"rows": {"componentInputParameter": "rows"}})}}}
ROWS = {"rows": {"parameterType": "STRING"}}


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        (spec_of("2.0.0"), "pipeline spec 2.0.0 is not supported, only 2.1"),
        (job({"A": task("A", triggerPolicy={"condition": "inputs.x > 1"})}), "task 'A': conditions .*inputs.x > 1"),
        (job({"A": task("A", triggerPolicy={"strategy": "ANY"})}), "task 'A': trigger strategy ANY"),
        (job({"A": task("A", artifactIterator={})}), "task 'A': iterators"),
        (job({"A": task("A", parameterIterator={})}), "task 'A': iterators"),
        (job({"A": task("A", "B")}), "task 'A' waits for 'B', but component 'root' has no such task"),
        (job({"A": task("A", artifacts={"x": of("B", "model")})}), "task 'A' waits for 'B'"),
        (
            job({"A": task("A"), "B": task("B", artifacts={"x": of("A", "model")})}, {"A": outputs(other=MODEL)}),
            "task 'B': 'A' has no output 'model'",
        ),
        (
            job({"A": task("A", parameters={"x": {"componentInputParameter": "rows"}})}),
            "'root' has no parameter 'rows'",
        ),
        # A task sees the parameters of the component that it is part of, not those of the root.
        (job({"D": task("D")}, {"D": SCOPED}, parameters=ROWS, values={"rows": "1"}), "'D' has no parameter 'rows'"),
        (job({"A": task("A", artifacts={"x": {"componentInputArtifact": "y"}})}), "'x' of kind componentInputArtifact"),
        (
            job({"A": task("A")}, {"A": {"inputDefinitions": {"parameters": ROWS}}}),
            "task 'A': its input 'rows' has no value",
        ),
        (job({"A": task("A")}, None, {"A": {"customJob": {}}}), "task 'A': executors of kind customJob"),
        (job({"A": task("A")}, None, {"A": {"container": {"lifecycle": {}}}}), "task 'A': drivers"),
        (job({"A": task("A", "B"), "B": task("B", "A")}), "wait for each other"),
    ],
)
def test_what_is_not_valid_or_not_supported_is_named(whole, message):
    with pytest.raises(JobError, match=message):
        check_job(whole)


def test_a_valid_job_passes():
    given = {"rows": {"componentInputParameter": "rows"}}
    dag = SCOPED | {"inputDefinitions": {"parameters": ROWS}}
    check_job(job({"D": task("D", parameters=given)}, {"D": dag}, parameters=ROWS, values={"rows": "1"}))
