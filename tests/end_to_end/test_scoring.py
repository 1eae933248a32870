"""make score on a small table: scores in a table, replaced as a whole, refused in one line, exported."""

import datetime
import json
import shutil

import duckdb
import numpy as np
import pytest
import yaml

from runners import local_runner, score
from tests.support import folder_digest, table, write_small_data_set

TODAY = datetime.datetime.now(datetime.timezone.utc).date()
_NEW = 500  # customers to score


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data set, its output with a champion, and new customers in a file without a label."""
    folder = tmp_path_factory.mktemp("scoring")
    write_small_data_set(folder / "schema")
    table().to_parquet(folder / "customers.parquet", index=False)
    table().tail(_NEW).drop(columns="bought").to_parquet(folder / "new.parquet", index=False)
    code = local_runner.main([*arguments(folder), "--data", str(folder / "customers.parquet"), "--require-push"])
    assert code == 0
    return folder


@pytest.fixture
def home(trained, tmp_path):
    """A copy of it, so that each test finds a champion and no scores. The artifacts stay where they were."""
    shutil.copytree(trained / "schema", tmp_path / "schema")
    (tmp_path / "output" / "small").mkdir(parents=True)
    shutil.copyfile(trained / "output/small/metadata.sqlite", tmp_path / "output/small/metadata.sqlite")
    shutil.copytree(trained / "output/small/serving", tmp_path / "output/small/serving")
    shutil.copyfile(trained / "new.parquet", tmp_path / "new.parquet")
    return tmp_path


def arguments(folder):
    return ["--dataset", "small", "--schema-root", str(folder / "schema"), "--output", str(folder / "output")]


def run(home, *more):
    return score.main([*arguments(home), "--data", str(home / "new.parquet"), *more])


def rows(home, sql):
    with duckdb.connect(str(home / "output/small/scores.duckdb"), read_only=True) as connection:
        return connection.sql(sql).fetchall()


def test_new_customers_are_scored_without_a_label_and_exported(home, capfd):
    assert run(home, "--export", str(home / "scores.csv")) == 0
    shown = capfd.readouterr().out
    assert f"SCORED {TODAY}: {_NEW} rows" in shown and "customer-" not in shown

    found = rows(home, "SELECT * FROM scores_small ORDER BY customer")
    assert len(found) == _NEW and len({row[0] for row in found}) == _NEW
    [(deciles, top, bottom)] = rows(
        home,
        "SELECT COUNT(DISTINCT decile), AVG(probability) FILTER (decile = 1), AVG(probability) FILTER (decile = 10) "
        "FROM scores_small_latest",
    )
    assert deciles == 10 and top > 3 * bottom
    reasons = rows(home, "SELECT DISTINCT UNNEST(reasons) FROM scores_small")
    assert {reason.split()[0] for (reason,) in reasons} <= {"visits", "spent", "country"}
    assert len((home / "scores.csv").read_text().splitlines()) == _NEW + 1

    [scores] = (home / "output/small/artifacts/Scorer/scores").iterdir()
    summary = json.loads((scores / "scores.json").read_text())
    assert summary["reasons"]["largest_error"] < 1e-4


def test_the_scores_are_those_of_the_pushed_model(home):
    import pandas as pd
    import tensorflow as tf

    assert run(home) == 0
    [version] = (home / "output/small/serving").iterdir()
    new = pd.read_parquet(home / "new.parquet").sort_values("customer")
    predict = tf.saved_model.load(str(version)).signatures["predict"]
    tensors = {name: tf.constant(new[name].astype(np.float32)) for name in ("visits", "spent")}
    expected = predict(country=tf.constant(new["country"]), **tensors)["probability"].numpy().ravel()
    found = [value for (value,) in rows(home, "SELECT probability FROM scores_small ORDER BY customer")]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_second_run_of_a_day_replaces_it_as_a_whole(home):
    assert run(home) == 0
    table().tail(40).drop(columns="bought").to_parquet(home / "new.parquet", index=False)
    assert run(home) == 0
    assert rows(home, "SELECT snapshot_date, COUNT(*) FROM scores_small GROUP BY 1") == [(TODAY, 40)]


def test_a_day_of_another_model_is_replaced_only_if_asked(home, capfd):
    assert run(home) == 0
    with duckdb.connect(str(home / "output/small/scores.duckdb")) as connection:
        connection.execute("UPDATE scores_small_runs SET model_digest = 'of another model'")
    before = rows(home, "SELECT * FROM scores_small ORDER BY customer")
    assert run(home) == 1
    assert "REPLACE=1" in capfd.readouterr().out
    assert rows(home, "SELECT * FROM scores_small ORDER BY customer") == before
    assert run(home, "--replace") == 0


def test_drift_stops_the_run_before_anything_is_written(home, capfd):
    frame = table().tail(_NEW).drop(columns="bought")
    frame.assign(spent=frame["spent"] + 100).to_parquet(home / "new.parquet", index=False)
    assert run(home) == 1
    shown = capfd.readouterr().out
    assert "FAILED in DataGate" in shown and "feature 'spent'" in shown and "The score table is as it was." in shown
    assert not (home / "output/small/scores.duckdb").exists()


def test_a_score_table_with_other_columns_is_refused_and_left_as_it_is(home, capfd):
    with duckdb.connect(str(home / "output/small/scores.duckdb")) as connection:
        connection.execute("CREATE TABLE scores_small (customer VARCHAR, score DOUBLE)")
    assert run(home) == 2
    assert "scores_small" in capfd.readouterr().out
    assert rows(home, "SELECT COUNT(*) FROM scores_small") == [(0,)]


def test_a_feature_that_the_file_lacks_is_named(home, capfd):
    table().tail(_NEW).drop(columns=["bought", "spent"]).to_parquet(home / "new.parquet", index=False)
    before = folder_digest(home / "output")
    assert run(home) == 2
    assert "spent" in capfd.readouterr().out
    assert {"metadata.sqlite", "serving"} <= {path.name for path in (home / "output/small").iterdir()} and before


def test_a_champion_that_needs_a_feature_that_is_gone_is_named(home, capfd):
    settings = home / "schema/small/dataset.yaml"
    changed = yaml.safe_load(settings.read_text()) | {"features": {"leave_out": ["spent"]}}
    settings.write_text(yaml.safe_dump(changed))
    assert run(home) == 1
    assert "needs spent, which the data set no longer declares" in capfd.readouterr().out
