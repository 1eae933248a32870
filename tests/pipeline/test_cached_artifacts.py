"""Artifacts that lost files, in a store as TFX fills it."""

import shutil

import pytest
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline import cached_artifacts

EXECUTION, ARTIFACT, EVENT = metadata_store_pb2.Execution, metadata_store_pb2.Artifact, metadata_store_pb2.Event


@pytest.fixture
def store():
    config = metadata_store_pb2.ConnectionConfig()
    config.fake_database.SetInParent()
    return metadata_store.MetadataStore(config)


@pytest.fixture
def publish(store, tmp_path):
    """Publishes an execution of a node with one artifact, as TFX does; returns the artifact's id and folder."""

    def publish(node="Transform", kind="TransformGraph", files=("graph.pb", "assets/words.txt"), uri=None, **state):
        types = {
            "execution": store.put_execution_type(metadata_store_pb2.ExecutionType(name=node)),
            "artifact": store.put_artifact_type(metadata_store_pb2.ArtifactType(name=kind)),
            "context": store.put_context_type(metadata_store_pb2.ContextType(name="node")),
        }
        folder = tmp_path / node / "output" / str(len(store.get_executions()) + 1)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"what {name} holds")
        artifact = ARTIFACT(type_id=types["artifact"], uri=uri or str(folder), state=ARTIFACT.LIVE)
        execution = EXECUTION(type_id=types["execution"], last_known_state=state.get("state", EXECUTION.COMPLETE))
        context = metadata_store_pb2.Context(type_id=types["context"], name=f"small.{node}")
        path = EVENT.Path(steps=[EVENT.Path.Step(key="output"), EVENT.Path.Step(index=0)])
        _, [identity], _ = store.put_execution(
            execution, [(artifact, EVENT(type=EVENT.OUTPUT, path=path))], [context], reuse_context_if_already_exist=True
        )
        cached_artifacts.record_contents(store, "small", node)
        return identity, folder

    return publish


def withdrawn(store, node="Transform"):
    """The ids that are withdrawn; those and no others are no longer live."""
    found = [artifact.id for artifact in cached_artifacts.withdraw_broken(store, "small", node)]
    dead = [artifact.id for artifact in store.get_artifacts() if artifact.state == ARTIFACT.DELETED]
    assert sorted(found) == sorted(dead)
    return found


def cut(folder):
    for file in folder.rglob("*.*"):
        file.write_text("")


def test_whole_artifacts_stay(store, publish):
    publish()
    publish(node="DataGate", kind="ExampleAnomalies", files=())  # no drift on a first run: an empty folder, or none
    assert withdrawn(store) == withdrawn(store, "DataGate") == []


@pytest.mark.parametrize(
    "harm",
    [
        cut,
        shutil.rmtree,
        lambda folder: (folder / "graph.pb").unlink(),
        lambda folder: shutil.rmtree(folder / "assets"),
        lambda folder: (folder / "graph.pb").write_text("half"),
    ],
    ids=["all files emptied", "folder deleted", "a file deleted", "a folder in it deleted", "a file cut"],
)
def test_an_artifact_that_lost_something_is_withdrawn_and_no_other(store, publish, harm):
    broken, folder = publish()
    publish()
    publish(node="StatisticsGen", kind="ExampleStatistics")
    harm(folder)
    assert withdrawn(store) == [broken]


def test_it_is_withdrawn_once(store, publish):
    _, folder = publish()
    cut(folder)
    assert withdrawn(store) != []
    assert cached_artifacts.withdraw_broken(store, "small", "Transform") == []


def test_a_model_that_was_blessed_is_left_for_the_resolver_to_find(store, publish):
    champion, folder = publish(node="SelectModel", kind="Model")
    refused, other = publish(node="SelectModel", kind="Model")
    for model, blessed in ((champion, 1), (refused, 0)):
        identity, _ = publish(node="Evaluator", kind="ModelBlessing", files=("BLESSED",))
        [blessing] = store.get_artifacts_by_id([identity])
        blessing.custom_properties["blessed"].int_value = blessed
        blessing.custom_properties["current_model_id"].int_value = model
        store.put_artifacts([blessing])
    cut(folder)
    cut(other)
    assert withdrawn(store, "SelectModel") == [refused]


def test_what_was_imported_from_elsewhere_may_change(store, publish, tmp_path):
    elsewhere = tmp_path / "earlier" / "best_hyperparameters"
    elsewhere.mkdir(parents=True)
    publish(node="ImportKerasHyperparameters", uri=str(elsewhere))
    (elsewhere / "best.txt").write_text("{}")
    assert withdrawn(store, "ImportKerasHyperparameters") == []


def test_artifacts_of_runs_that_recorded_nothing_stay(store, publish, monkeypatch):
    monkeypatch.setattr(cached_artifacts, "record_contents", lambda *_: None)
    _, folder = publish()
    cut(folder)
    assert withdrawn(store) == []


def test_a_cached_execution_records_nothing(store, publish):
    """Its artifacts may have lost files since; they are those of an earlier execution."""
    identity, _ = publish(state=EXECUTION.CACHED)
    [artifact] = store.get_artifacts_by_id([identity])
    assert cached_artifacts.CONTENTS not in artifact.custom_properties
