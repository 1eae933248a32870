from pathlib import Path

import pytest
import yaml

from runners import vertex_release
from runners.vertex.settings import load_vertex_settings

SETTINGS = Path(__file__).parents[2] / "runners" / "vertex.yaml"
ROOT = "gs://my-bucket/propensity/jobs/ga4"


class Storage:
    """Stands for Cloud Storage: what was put there, in order."""

    def __init__(self):
        self.storage, self.objects, self._bucket = self, {}, ""

    def bucket(self, name):
        self._bucket = name
        return self

    def blob(self, name):
        self._name = f"gs://{self._bucket}/{name}"
        return self

    def upload_from_filename(self, path, content_type):
        assert content_type == "application/json"
        self.objects[self._name] = Path(path).read_text()


@pytest.fixture
def pinned(tmp_path):
    arguments = ["pin", f"--settings={SETTINGS}", "--image=r/pipeline:c0ffee", "--dataflow-image=r/dataflow:c0ffee"]
    assert vertex_release.main([*arguments, f"--to={tmp_path / 'new' / 'vertex.yaml'}"]) == 0
    return tmp_path / "new" / "vertex.yaml"


def test_pinned_settings_are_the_others_with_the_images_of_the_build(pinned):
    before, after = load_vertex_settings(SETTINGS), load_vertex_settings(pinned)
    assert after.image == "r/pipeline:c0ffee"
    assert after.dataflow == before.dataflow.model_copy(update={"image": "r/dataflow:c0ffee"})
    assert after.compiled("ga4") == pinned.parent / "ga4" / "vertex" / "pipeline.json"
    changed = {"image", "dataflow", "output"}
    assert after.model_dump(exclude=changed) == before.model_dump(exclude=changed)


def test_without_dataflow_there_is_no_image_of_it():
    assert "dataflow" not in vertex_release.pinned({}, image="a", dataflow_image="b", output="c")
    commented_out = {"dataflow": None}
    assert vertex_release.pinned(commented_out, image="a", dataflow_image="b", output="c")["dataflow"] is None


def test_settings_that_cannot_be_are_refused(tmp_path, capsys):
    document = {**yaml.safe_load(SETTINGS.read_text()), "region": "here"}
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(document))
    arguments = ["pin", f"--settings={tmp_path / 'bad.yaml'}", "--image=a", "--dataflow-image=b"]
    assert vertex_release.main([*arguments, f"--to={tmp_path / 'vertex.yaml'}"]) == 2
    assert "key 'region'" in capsys.readouterr().err
    assert not (tmp_path / "vertex.yaml").exists()


def upload(pinned, clients):
    request = f"--request={pinned.parent / 'request.json'}"
    return vertex_release.main(["upload", f"--settings={pinned}", request, "--commit=c0ffee"], clients)


def test_the_job_and_its_request_go_up(pinned):
    job = load_vertex_settings(pinned).compiled("ga4")
    job.parent.mkdir(parents=True)
    job.write_text("the job")
    (pinned.parent / "request.json").write_text("the request")
    storage = Storage()
    assert upload(pinned, storage) == 0
    assert list(storage.objects.items()) == [
        (f"{ROOT}/c0ffee/pipeline.json", "the job"),
        (f"{ROOT}/c0ffee/request.json", "the request"),
        (f"{ROOT}/request.json", "the request"),
    ]


def test_nothing_goes_up_where_a_file_is_missing(pinned, capsys):
    job = load_vertex_settings(pinned).compiled("ga4")
    job.parent.mkdir(parents=True)
    job.write_text("the job")
    storage = Storage()
    assert upload(pinned, storage) == 2
    assert "request.json: no such file" in capsys.readouterr().err
    assert storage.objects == {}


def test_errors_of_the_service_are_one_line(pinned, capsys):
    from google.api_core.exceptions import Forbidden

    class Refusing(Storage):
        def upload_from_filename(self, path, content_type):
            raise Forbidden("ci@p does not have storage.objects.create access to the bucket.")

    job = load_vertex_settings(pinned).compiled("ga4")
    job.parent.mkdir(parents=True)
    for path in (job, pinned.parent / "request.json"):
        path.write_text("")
    assert upload(pinned, Refusing()) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "storage.objects.create" in line


def test_an_object_of_the_request_is_no_place_of_artifacts(pinned):
    """The teardown of a data set's artifacts leaves what CI put up, and the other way round."""
    settings = load_vertex_settings(pinned)
    places = vertex_release.places(settings, "ga4", "c0ffee", Path("request.json"))
    assert not any(place.startswith(settings.root_of("ga4") + "/") for place in places)
