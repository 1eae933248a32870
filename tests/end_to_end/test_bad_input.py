"""Bad input: a clear error that names the culprit, before training, and nothing pushed or half-written."""

import datetime
import shutil

import numpy as np
import pytest
import yaml

import schema
from runners import local_runner
from tests.support import ROWS, folder_digest, states, table


@pytest.fixture
def refused(tmp_path, capfd):
    """Runs the pipeline, and asserts that it ends before training and leaves the serving folder as it was."""
    output = tmp_path / "output"

    def run(dataset, data, schema_root=schema.ROOT, code=None, output=output):
        home = output / dataset
        if output == tmp_path / "output":
            (home / "serving" / "1").mkdir(parents=True)
            (home / "serving" / "1" / "saved_model.pb").write_bytes(b"the model in production")
            before = folder_digest(home / "serving")
        arguments = ["--dataset", dataset, "--schema-root", str(schema_root), "--output", str(output)]
        arguments += ["--accept-incompatible-champion"]  # ML Metadata does not know the model in production
        returned = local_runner.main([*arguments, *(["--data", str(data)] if data else [])])
        captured = capfd.readouterr()
        shown = captured.out + captured.err
        assert returned != 0, shown
        assert code in (None, returned), shown
        if output == tmp_path / "output":
            assert folder_digest(home / "serving") == before
            for nodes in states(home):
                assert not any(node.startswith("Train") for node in nodes), nodes
        assert "customer-" not in shown, "a key is shown"
        assert "Traceback" not in shown
        return shown

    return run


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def run_table(refused, small, frame, tmp_path, **kwargs):
    data = tmp_path / "customers.parquet"
    frame.to_parquet(data, index=False)
    return refused("small", data, schema_root=small.parent, **kwargs)


def test_a_misspelt_setting(refused, small, tmp_path):
    edit(small / "dataset.yaml", "test_percent", "test_procent")
    shown = run_table(refused, small, table(), tmp_path, code=2)
    assert "dataset.yaml: unknown key 'split.test_procent'; allowed here: eval_percent, salt, test_from" in shown


def test_hyperparameters_that_are_not_there(refused, small, tmp_path):
    document = yaml.safe_load((small / "dataset.yaml").read_text())
    document["training"] = {"tuning": {"hyperparameters": {"xgboost": "absent/17"}}}
    (small / "dataset.yaml").write_text(yaml.safe_dump(document))
    shown = run_table(refused, small, table(), tmp_path, code=2)
    assert "training.tuning.hyperparameters.xgboost: absent/17 is not a folder" in shown


def test_a_feature_that_the_query_does_not_return(refused, small, tmp_path):
    edit(small / "query.sql", "visits, ", "")
    shown = run_table(refused, small, table(), tmp_path, code=2)
    assert "does not return the feature 'visits'" in shown


@pytest.mark.parametrize(
    ("expression", "type_name"),
    [
        ("DATE '2025-01-01'", "DATE"),
        ("CAST('2025-01-01 10:00:00' AS DATETIME)", "DATETIME"),
        ("TIMESTAMP '2025-01-01 00:00:00+00'", "TIMESTAMP"),
        ("CAST(visits AS NUMERIC)", "NUMERIC"),
        ("STRUCT(visits AS a)", "STRUCT"),
        ("CAST(visits AS STRING)", "STRING"),
    ],
)
def test_a_type_that_does_not_fit(refused, small, tmp_path, expression, type_name):
    edit(small / "query.sql", "visits, ", f"{expression} AS visits, ")
    shown = run_table(refused, small, table(), tmp_path, code=2)
    assert f"'visits' is {type_name}" in shown
    assert "; write " in shown


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"bought": 1}, "all 2"),
        ({"bought": np.arange(ROWS) % 3}, "label 'bought' is neither 0 nor 1 in 1000 rows"),
        ({"spent": np.where(np.arange(ROWS) < 7, np.inf, 1.0)}, "feature 'spent' is infinite in 7 rows"),
        ({"customer": [f"customer-{i // 2}" for i in range(ROWS)]}, "key 'customer'"),
    ],
    ids=["one class", "label out of range", "infinities", "duplicated keys"],
)
def test_rows_that_are_not_fit(refused, small, tmp_path, columns, message):
    assert message in run_table(refused, small, table(**columns), tmp_path, code=1)


def test_a_category_for_a_number(refused, small, tmp_path):
    shown = run_table(refused, small, table(country=1), tmp_path, code=2)
    assert "'country' is INT64, not STRING; write CAST(country AS STRING) AS country" in shown


def test_an_empty_table(refused, small, tmp_path):
    with (small / "query.sql").open("a") as query:
        query.write("\nWHERE visits > 1000")
    assert "the features table is empty" in run_table(refused, small, table(), tmp_path, code=1)


def test_a_csv_with_ragged_rows(refused, small, tmp_path):
    data = tmp_path / "customers.csv"
    table().to_csv(data, index=False)
    lines = data.read_text().splitlines()
    lines[1234] += ",surplus"
    data.write_text("\n".join(lines))
    shown = refused("small", data, schema_root=small.parent)
    assert "customers.csv" in shown
    assert "1235" in shown, "the row"


def write_commas(small, tmp_path, expression):
    """Writes a CSV file whose `spent` has a decimal comma, and a query that returns it by this expression."""
    edit(small / "query.sql", "spent, ", f"{expression} AS spent, ")
    data = tmp_path / "customers.csv"
    frame = table()
    frame["spent"] = [f"{value:.2f}".replace(".", ",") for value in frame["spent"]]
    frame.to_csv(data, index=False)
    return data


def test_numbers_with_a_decimal_comma(refused, small, tmp_path):
    shown = refused("small", write_commas(small, tmp_path, "spent"), schema_root=small.parent, code=2)
    assert "column 'spent', a numeric feature, is text: its values are numbers with a decimal comma" in shown
    assert "write CAST(REPLACE(spent, ',', '.') AS FLOAT64) AS spent" in shown


def test_a_feature_that_a_cast_has_emptied(refused, small, tmp_path):
    data = write_commas(small, tmp_path, "SAFE_CAST(spent AS FLOAT64)")
    shown = refused("small", data, schema_root=small.parent, code=1)
    assert f"SAFE_CAST(spent AS FLOAT64) is NULL in {ROWS:,} of {ROWS:,} rows that hold a value" in shown
    assert "feature 'spent' has no value in the train split" in shown
    assert "leave_out: [spent]" in shown


def test_a_column_that_is_returned_twice(refused, small, tmp_path):
    (small / "query.sql").write_text("SELECT c.*, IF(c.visits > 3, 1, 0) AS bought FROM `customers` AS c")
    shown = run_table(refused, small, table(), tmp_path, code=2)
    assert "the column 'bought' is returned twice" in shown


def test_an_output_folder_that_cannot_be_written(refused, small, tmp_path):
    (tmp_path / "file").write_text("")
    shown = run_table(refused, small, table(), tmp_path, code=2, output=tmp_path / "file" / "output")
    assert "output folder" in shown
    assert "OUTPUT=" in shown


def test_data_that_are_not_there(refused, small, tmp_path):
    assert "absent.parquet" in refused("small", tmp_path / "absent.parquet", schema_root=small.parent, code=2)


@pytest.fixture
def ga4(tmp_path, sample):
    """A copy of the data set ga4 and links to the sample's tables, both to be spoilt."""
    data = tmp_path / "events"
    data.mkdir()
    for file in sample.glob("events_*.parquet"):
        (data / file.name).symlink_to(file)
    return shutil.copytree(schema.ROOT / "ga4", tmp_path / "schema" / "ga4"), data


def set_snapshots(folder, **snapshots):
    document = yaml.safe_load((folder / "dataset.yaml").read_text())
    document["snapshots"] = snapshots
    (folder / "dataset.yaml").write_text(yaml.safe_dump(document))


def test_a_missing_day(refused, ga4):
    folder, data = ga4
    missing = sorted(data.iterdir())[50]
    missing.unlink()
    day = datetime.datetime.strptime(missing.stem[-8:], "%Y%m%d").date()
    shown = refused("ga4", data, schema_root=folder.parent, code=2)
    assert f"no events table for {day}" in shown
    assert "source.missing_days" in shown


def test_no_events_table(refused, ga4, tmp_path):
    folder, _ = ga4
    (tmp_path / "empty").mkdir()
    assert "events_" in refused("ga4", tmp_path / "empty", schema_root=folder.parent, code=2)


def test_no_events_table_in_the_range(refused, ga4):
    folder, data = ga4
    set_snapshots(folder, train_dates=["2024-01-01"], test_dates=["2024-01-15"])
    assert "no events table in the range 2023-12-02" in refused("ga4", data, schema_root=folder.parent, code=2)


def test_a_snapshot_whose_labels_are_not_settled(refused, ga4):
    folder, data = ga4
    set_snapshots(folder, train_dates=["2025-10-06"], test_dates=["2025-11-10"])
    shown = refused("ga4", data, schema_root=folder.parent, code=2)
    assert "snapshot 2025-11-10: its label window ends on 2025-11-19, but the newest settled day is" in shown


def test_overlapping_train_and_test_snapshots(refused, ga4):
    folder, data = ga4
    set_snapshots(folder, train_dates=["2025-10-20"], test_dates=["2025-10-27"])
    shown = refused("ga4", data, schema_root=folder.parent, code=2)
    assert "train_dates and test_dates overlap" in shown


def test_a_window_longer_than_the_lookback(refused, ga4):
    folder, data = ga4
    edit(folder / "dataset.yaml", "lookback_days: 30", "lookback_days: 21")
    assert "looks back 30 days" in refused("ga4", data, schema_root=folder.parent, code=2)


def test_events_without_users(refused, ga4, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, data = ga4
    for link in data.iterdir():
        rows = pq.read_table(link)
        nobody = pa.nulls(rows.num_rows, pa.string())
        link.unlink()
        pq.write_table(rows.set_column(rows.schema.get_field_index("user_pseudo_id"), "user_pseudo_id", nobody), link)
    shown = refused("ga4", data, schema_root=folder.parent, code=1)
    assert "the features table is empty: no user had an event between" in shown
