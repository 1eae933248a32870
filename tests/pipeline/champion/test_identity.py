import shutil

import pytest
from tfx.types import standard_artifacts

from pipeline.champion.identity import model_digest, model_version


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model" / "variables").mkdir(parents=True)
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "model" / "variables" / "data").write_bytes(b"weights" * 300_000)
    return tmp_path / "model"


def test_a_copy_has_the_same_digest(folder, tmp_path):
    digest = model_digest(str(folder))
    assert len(digest) == 64 and int(digest, 16) > 0
    shutil.copytree(folder, tmp_path / "copy")
    assert model_digest(str(tmp_path / "copy")) == model_digest(f"{folder}/") == digest


@pytest.mark.parametrize("change", ["content", "name", "folder", "another"])
def test_every_change_changes_the_digest(folder, change):
    digest = model_digest(str(folder))
    data = folder / "variables" / "data"
    if change == "content":
        data.write_bytes(data.read_bytes()[:-1] + b"S")
    elif change == "name":
        data.rename(folder / "variables" / "Data")
    elif change == "folder":
        data.rename(folder / "data")
    else:
        (folder / "assets").write_bytes(b"")
    assert model_digest(str(folder)) != digest


def test_the_version_is_the_id_here_and_the_name_on_vertex_ai():
    model = standard_artifacts.Model()
    model.id = 17
    assert model_version(model) == "17"
    model.name = "ga4:2026-01-05:SelectModel:model:0"
    assert model_version(model) == "17"
    model.name = "projects/1/locations/europe-west4/metadataStores/default/artifacts/99"
    assert model_version(model) == model.name
