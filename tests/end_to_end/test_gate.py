"""What is pushed on a small table, what is not and why, what is not even trained, and the way back."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from tfx.dsl.io import fileio

from runners import local_runner, rollback
from tests.support import ROWS, folder_digest, states, table


@pytest.fixture
def run(small, tmp_path, capfd):
    """Runs the pipeline on a table; returns exit code and what was shown."""

    def run_table(frame, *more):
        data = tmp_path / "customers.parquet"
        # Not by pandas, which would write NaN as NULL.
        pq.write_table(pa.table({name: pa.array(frame[name].to_numpy()) for name in frame}), data)
        arguments = ["--dataset", "small", "--schema-root", str(small.parent), "--output", str(tmp_path / "output")]
        code = local_runner.main([*arguments, "--data", str(data), *more])
        return code, capfd.readouterr().out

    return run_table


@pytest.fixture
def home(tmp_path):
    return tmp_path / "output" / "small"


def change(folder, **sections):
    document = yaml.safe_load((folder / "dataset.yaml").read_text())
    (folder / "dataset.yaml").write_text(yaml.safe_dump(document | sections))


def no_space(*_):
    raise OSError(28, "No space left on device")


def test_the_life_of_a_champion(run, small, home, tmp_path, capfd, monkeypatch):
    # A push that fails leaves nothing in the serving folder, and the next run makes up for it.
    with monkeypatch.context() as full:
        full.setattr(fileio, "rename", no_space)
        code, shown = run(table())
    assert code == local_runner.FAILED
    assert f"FAILED in Pusher: no space left on the disk of {home}" in shown
    assert "Nothing was pushed." in shown
    assert list((home / "serving").iterdir()) == []
    code, shown = run(table(), "--require-push")
    assert code == 0, shown
    assert f"is not in {home}/serving: its push failed" in shown
    assert "PUSHED the champion to " in shown and "UNCHANGED: " in shown
    [first] = (home / "serving").iterdir()
    assert folder_digest(first) == folder_digest(Path(local_champion(home).uri, "Format-Serving"))

    # A model that is far worse is refused, and the exit code says so only on demand.
    change(small, training={"families": ["xgboost"], "xgboost": {"max_depth": 1, "max_rounds": 2}})
    code, shown = run(table(), "--require-push")
    assert code == local_runner.NOT_PUSHED, shown
    assert "NOT PUSHED\nREFUSED: " in shown
    assert list((home / "serving").iterdir()) == [first]

    # A fresher one of about equal worth replaces the champion, which it was compared with.
    change(small, training={"families": ["xgboost"]}, gate={"margin": 0.05})
    code, shown = run(table(2 * ROWS), "--require-push")
    assert code == 0, shown
    assert "PUSHED" in shown and "BLESSED: " in shown
    assert "champion" in shown
    second = max((home / "serving").iterdir(), key=lambda path: int(path.name))
    assert folder_digest(second) != folder_digest(first)

    # The way back: metadata, both resolvers and the serving folder agree.
    arguments = ["--dataset", "small", "--schema-root", str(small.parent), "--output", str(tmp_path / "output")]
    assert rollback.main([*arguments, "--reason", " "]) == local_runner.REFUSED
    assert "needs a reason" in capfd.readouterr().err
    assert rollback.main([*arguments, "--reason", "complaints"]) == 0
    shown = capfd.readouterr().out
    assert "ROLLED BACK" in shown and "complaints" in shown
    restored = max((home / "serving").iterdir(), key=lambda path: int(path.name))
    assert folder_digest(restored) == folder_digest(first)
    assert local_champion(home).uri == vertex_champion(home).uri == models(home)[0].uri
    assert local_champion(home).id == vertex_champion(home).id
    assert not vertex_blessing(home).custom_properties["baseline_model_id"].int_value

    # The withdrawn model comes back, trained again on the same rows, and stays withdrawn.
    code, shown = run(table(2 * ROWS))
    assert code == 0
    assert "REFUSED: A rollback withdrew this model (complaints)." in shown
    assert max((home / "serving").iterdir(), key=lambda path: int(path.name)) == restored

    assert rollback.main([*arguments, "--reason", "more complaints"]) == local_runner.REFUSED
    assert "none to go back to" in capfd.readouterr().out


def store(home):
    from ml_metadata.metadata_store import metadata_store
    from tfx.orchestration import metadata

    return metadata_store.MetadataStore(metadata.sqlite_metadata_connection_config(str(home / "metadata.sqlite")))


def models(home):
    """The models that were pushed, or might have been, oldest first."""
    return [
        model
        for model in sorted(store(home).get_artifacts_by_type("Model"), key=lambda model: model.id)
        if "source_model_uri" in model.custom_properties
    ]


def local_champion(home):
    """As the resolver of the pipeline finds it."""
    from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
    from tfx.types import artifact_utils

    known = {
        name: [
            artifact_utils.deserialize_artifact(store(home).get_artifact_type(name), artifact)
            for artifact in store(home).get_artifacts_by_type(name)
        ]
        for name in ("Model", "ModelBlessing")
    }
    return LatestBlessedModelStrategy().resolve_artifacts(None, known)["Model"][0]


def vertex_blessing(home):
    """As the resolver that KubeflowV2DagRunner compiles asks for it: the newest that blesses."""
    blessings = store(home).get_artifacts_by_type("ModelBlessing")
    blessed = [blessing for blessing in blessings if blessing.custom_properties["blessed"].int_value == 1]
    return max(blessed, key=lambda blessing: blessing.create_time_since_epoch)


def vertex_champion(home):
    """The model that the newest blessing names."""
    [model] = store(home).get_artifacts_by_id([vertex_blessing(home).custom_properties["current_model_id"].int_value])
    return model


def test_data_that_do_not_fit_the_champion_stop_the_run(run, small, home):
    code, shown = run(table())
    assert code == 0, shown
    serving = folder_digest(home / "serving")

    # Drifted data; what is merely suspicious in them is warned of.
    bought = np.arange(ROWS) % 2
    spent = np.where(np.arange(ROWS) < 5, np.nan, 1000 + bought * 10.0 + np.arange(ROWS) % 7)
    code, shown = run(table(bought=bought, spent=spent, country=[f"place {i % 50}" for i in range(ROWS)]))
    assert "feature 'spent' alone predicts the label with ROC AUC" in shown
    assert "feature 'spent' is NaN in 5 rows" in shown
    assert "feature 'country' has 50 distinct values" in shown
    assert code == local_runner.FAILED
    assert "FAILED in DataGate: the data has anomalies that stop the run" in shown
    assert "split train, against the champion: feature 'spent'" in shown
    assert "split test, against the champion: feature 'spent'" in shown
    nodes = states(home)[-1]
    assert nodes["DataGate"] == "FAILED"
    assert "TrainXGBoost" not in nodes

    # A champion that may have been trained on what are test rows now, unless that is accepted.
    change(small, split={"test_percent": 20, "salt": "another:"}, evaluation={"bounds": {"roc_auc": {"lower": 0.99}}})
    code, shown = run(table())
    assert code == local_runner.FAILED
    assert "FAILED in DataGate: the champion cannot be compared" in shown
    assert "salt=v1:" in shown and "salt=another:" in shown
    code, shown = run(table(), "--accept-incompatible-champion")
    assert code == 0, "a verdict is a result, not a failure"
    assert re.search(r"NOT PUSHED\nREFUSED: .*roc_auc is 0\.\d{4}, but must be at least 0\.99", shown), shown
    [*_, newest] = sorted((home / "artifacts/Evaluator/verdict").iterdir(), key=lambda path: int(path.name))
    verdict = json.loads((newest / "verdict.json").read_text())
    assert verdict["comparability"]["accepted"]
    assert "salt=v1:" in verdict["comparability"]["problems"][0]
    assert verdict["models"]["champion"] is None
    assert folder_digest(home / "serving") == serving
