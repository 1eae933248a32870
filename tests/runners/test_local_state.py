"""Metadata, artifacts and the serving folder before a run: in agreement, or brought into it, or refused."""

import io
import json
from pathlib import Path

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.types import standard_artifacts

from models.config import SettingsError
from pipeline import serving_folder
from pipeline.champion.current import read_blessed_models
from pipeline.rollback import restoration_of
from runners.console import Console
from runners.local_home import LocalHome
from runners.local_state import prepare
from runners.metadata_file import last_execution


@pytest.fixture
def home(tmp_path):
    found = LocalHome(tmp_path / "out #1 %20", "small")
    found.check_writable()
    return found


@pytest.fixture
def state(home):
    """Prepares the folder; returns the nodes that must be executed, and what was shown."""

    def run(*, accept=False):
        stream = io.StringIO()
        uncached = prepare(
            home, "small", last_execution(home), accept=accept, terminal=Console(stream), check=lambda: None
        )
        return uncached, stream.getvalue()

    return run


def write_model(home, number, *, anchor=False):
    """A Model artifact as SelectModel leaves it."""
    folder = Path(home.artifacts, "SelectModel", "model", str(number))
    for serving in (folder, *([folder / "anchor"] if anchor else [])):
        (serving / "Format-Serving").mkdir(parents=True)
        (serving / "Format-Serving" / "saved_model.pb").write_text(f"model {number}")
    candidate = {"family": "xgboost", "model_id": number - 1, "uri": f"TrainXGBoost/model/{number - 1}"}
    selection = {"chosen": "xgboost", "candidates": [{"family": "keras", "model_id": 1, "uri": "k"}, candidate]}
    (folder / "selection.json").write_text(json.dumps(selection))
    return folder


def bless(home, model):
    """Puts a model and its blessing into the metadata; returns the model's id, and how to put more."""
    store = metadata_store.MetadataStore(home.connection())
    found = store.get_context_by_type_and_name("pipeline", "small")
    if found is None:
        kind = store.put_context_type(metadata_store_pb2.ContextType(name="pipeline"))
        store.put_contexts([metadata_store_pb2.Context(type_id=kind, name="small")])
        found = store.get_context_by_type_and_name("pipeline", "small")
    execution_type = store.put_execution_type(metadata_store_pb2.ExecutionType(name="SelectModel"))
    for _ in range(int(model.name) - last_execution(home)):
        store.put_executions([metadata_store_pb2.Execution(type_id=execution_type)])

    def put(kind, uri, **properties):
        artifact = metadata_store_pb2.Artifact(type_id=store.put_artifact_type(kind().artifact_type), uri=uri)
        artifact.state = metadata_store_pb2.Artifact.LIVE
        for name, value in properties.items():
            field = "int_value" if isinstance(value, int) else "string_value"
            setattr(artifact.custom_properties[name], field, value)
        [number] = store.put_artifacts([artifact])
        association = metadata_store_pb2.Attribution(artifact_id=number, context_id=found.id)
        store.put_attributions_and_associations([association], [])
        return number

    number = put(standard_artifacts.Model, str(model))
    put(standard_artifacts.ModelBlessing, "blessing", blessed=1, current_model_id=number)
    return number, put


def champion(home):
    blessed = read_blessed_models(metadata_store.MetadataStore(home.connection()), "small")
    return blessed[max(blessed)]


def push(home, model):
    return serving_folder.push(home.serving, str(model / "Format-Serving"))


def test_before_the_first_run_there_is_nothing_to_do(state):
    assert state() == ((), "")


def test_a_champion_in_production_needs_nothing(home, state):
    model = write_model(home, 2)
    bless(home, model)
    push(home, model)
    assert state() == ((), "")


def test_a_champion_that_was_never_pushed_is_named_and_its_pusher_executed(home, state):
    number, _ = bless(home, write_model(home, 2))
    uncached, shown = state()
    assert uncached == ("Pusher",)
    assert f"The champion, model {number}, is not in {home.serving}: its push failed, or" in shown


def test_a_champion_below_another_version_is_not_in_production(home, state):
    model = write_model(home, 2)
    bless(home, model)
    push(home, model)
    push(home, write_model(home, 1))
    assert state()[0] == ("Pusher",)


def test_a_lost_champion_is_named_with_its_copy_and_the_setting(home, state):
    model = write_model(home, 2)
    number, put = bless(home, model)
    version = push(home, model)
    put(standard_artifacts.PushedModel, "pushed", pushed=1, pushed_destination=version)
    put(standard_artifacts.PushedModel, "pushed", pushed=0)
    (model / "Format-Serving" / "saved_model.pb").unlink()
    with pytest.raises(SettingsError) as told:
        state()
    assert f"the files of the champion, model {number}, are gone: {model}." in str(told.value)
    assert f"Its copy in {version} is still in production." in str(told.value)
    assert "--accept-incompatible-champion" in str(told.value)
    assert state(accept=True) == ((), "")


@pytest.mark.parametrize("anchor", [False, True])
def test_lost_metadata_gets_the_model_in_production_as_champion(home, state, anchor):
    push(home, write_model(home, 2))
    model = write_model(home, 9, anchor=anchor)
    version = push(home, model)
    home.metadata.write_bytes(b"")
    uncached, shown = state()
    assert uncached == ()
    assert f"Artifacts that {home.metadata} does not list were moved to " in shown
    assert f"Adopted as the champion: the model in {version}" in shown
    assert not model.exists(), "or a new execution would get its folder"
    found = champion(home)
    assert Path(found.model.uri, "Format-Serving", "saved_model.pb").read_text() == "model 9"
    assert found.model.custom_properties["source_model_uri"].string_value == "TrainXGBoost/model/8"
    assert found.model.custom_properties["family"].string_value == "xgboost"
    assert found.blessing.custom_properties["anchor_replaced"].int_value == int(not anchor)
    assert state() == ((), ""), "once is enough"


def test_an_older_metadata_file_gets_the_model_in_production_above_its_own_champion(home, state):
    old = write_model(home, 2)
    number, _ = bless(home, old)
    push(home, old)
    push(home, write_model(home, 30))
    assert state()[0] == ()
    found = champion(home)
    assert Path(found.model.uri, "Format-Serving", "saved_model.pb").read_text() == "model 30"
    assert found.model.id > number
    assert old.exists()
    blessed = read_blessed_models(metadata_store.MetadataStore(home.connection()), "small")
    assert restoration_of(blessed).model_id == number, "a rollback leads to the champion before"


def test_a_model_in_production_that_nothing_is_known_of_stops_the_run(home, state):
    model = write_model(home, 2)
    version = push(home, model)
    (model / "Format-Serving" / "saved_model.pb").write_text("another")
    with pytest.raises(SettingsError, match=r"is in production, but .* does not know it") as told:
        state()
    assert str(told.value).startswith(version)
    assert "--accept-incompatible-champion" in str(told.value)
    assert state(accept=True)[0] == ()
