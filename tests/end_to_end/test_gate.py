"""The gates on a small table: what is pushed, what is not and why, and what is not even trained."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from runners import local_runner
from tests.support import folder_digest, states, table


@pytest.fixture
def run(small, tmp_path, capfd):
    """Runs the pipeline on a table; returns exit code and what was shown."""

    def run_table(frame):
        data = tmp_path / "customers.parquet"
        # Not by pandas, which would write NaN as NULL.
        pq.write_table(pa.table({name: pa.array(frame[name].to_numpy()) for name in frame}), data)
        arguments = ["--dataset", "small", "--schema-root", str(small.parent), "--output", str(tmp_path / "output")]
        code = local_runner.main([*arguments, "--data", str(data)])
        return code, capfd.readouterr().out

    return run_table


def set_bounds(folder, bounds):
    document = yaml.safe_load((folder / "dataset.yaml").read_text())
    document["evaluation"] = {"bounds": bounds}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(document))


def test_a_good_model_is_pushed_and_drifted_data_then_stop_the_run(run, small, tmp_path):
    code, shown = run(table())
    assert code == 0
    assert "PUSHED: the model keeps every bound" in shown
    serving = folder_digest(tmp_path / "output" / "small" / "serving")

    set_bounds(small, {"roc_auc": {"min_change": 0.5}})
    code, shown = run(table())
    assert code == 0
    assert "NOT PUSHED: on the test split roc_auc changed by +0.0000 against the champion's" in shown
    assert folder_digest(tmp_path / "output" / "small" / "serving") == serving

    code, shown = run(table(spent=np.random.default_rng(1).normal(1000, 1, 3000)))
    assert code == 1
    assert "FAILED in DataGate: the data has anomalies that stop the run" in shown
    assert "split train, against the champion: feature 'spent'" in shown
    assert "split test, against the champion: feature 'spent'" in shown
    assert folder_digest(tmp_path / "output" / "small" / "serving") == serving
    nodes = states(tmp_path / "output" / "small")[-1]
    assert nodes["DataGate"] == "FAILED"
    assert "TrainKeras" not in nodes


def test_a_model_below_a_bound_is_not_pushed_and_the_reason_is_shown(run, small, tmp_path):
    set_bounds(small, {"roc_auc": {"lower": 0.9}})  # the labels of the table are random
    code, shown = run(table())
    assert code == 0, "a verdict is a result, not a failure"
    assert re.search(r"NOT PUSHED: on the test split roc_auc is 0\.\d{4}, the least allowed is 0\.9\n", shown), shown
    assert not list((tmp_path / "output" / "small").glob("serving/*"))


def test_suspicious_and_wide_columns_are_warned_of_and_not_refused(run):
    bought = np.arange(3000) % 2
    frame = table(bought=bought, spent=np.where(np.arange(3000) < 5, np.nan, bought * 10.0 + np.arange(3000) % 7))
    frame["country"] = [f"place {i % 50}" for i in range(3000)]
    code, shown = run(frame)
    assert code == 0
    assert "feature 'spent' alone predicts the label with ROC AUC" in shown
    assert "feature 'spent' is NaN in 5 rows" in shown
    assert "feature 'country' has 50 distinct values" in shown
