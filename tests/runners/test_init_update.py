"""make init UPDATE=1: what has changed in a table, and lines that are added beside what a person wrote."""

import csv
import datetime

import pytest
import yaml

from pipeline.raw_schema import check_schema
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.opening import open_warehouse
from runners import init
from tests.runners import awkward_tables


@pytest.fixture
def table(tmp_path):
    """The table of identifiers, as lists by column."""
    path = awkward_tables.integer_ids(tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    return path, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


@pytest.fixture
def run(tmp_path, capsys):
    """Runs init; returns the exit code and what it showed."""

    def run(data, *more, dataset="made"):
        arguments = ["--dataset", dataset, "--data", str(data), "--schema-root", str(tmp_path / "schema")]
        code = init.main([*arguments, "--output", str(tmp_path / "output"), *more])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def texts(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_runs(folder, data):
    found = DatasetFolder.load(folder)
    check_schema(folder / "schema.pbtxt", found.declared, found.dataset.columns.label)
    with open_warehouse(RunSettings(warehouse={"engine": "duckdb"}, data=data), found.dataset) as warehouse:
        make_features_table(warehouse, resolve(warehouse, found))


def test_an_existing_folder_is_never_overwritten(run, table, tmp_path):
    data, _ = table
    assert run(data)[0] == 0
    before = texts(tmp_path / "schema" / "made")
    code, shown = run(data)
    assert code == 2
    assert "already exists" in shown
    assert "UPDATE=1" in shown
    assert texts(tmp_path / "schema" / "made") == before
    assert run(data, dataset="MADE")[0] == 2, "names that differ by case"


def test_nothing_has_changed(run, table, tmp_path):
    data, _ = table
    run(data)
    before = texts(tmp_path / "schema" / "made")
    code, shown = run(data, "--update")
    assert code == 0
    assert "has not changed since" in shown
    assert texts(tmp_path / "schema" / "made") == before


def test_new_columns_are_added_and_the_rest_is_told(run, table, tmp_path):
    data, columns = table
    run(data)
    folder = tmp_path / "schema" / "made"
    by_hand = {
        "query.sql": (folder / "query.sql").read_text().replace("  t.spent,", "  t.spent,  /* mine */").rstrip("\n"),
        "features.yaml": "# mine\n" + (folder / "features.yaml").read_text() + "\n# the end, mine\n",
    }
    for name, text in by_hand.items():
        (folder / name).write_text(text)
    settings = (folder / "dataset.yaml").read_bytes()
    rows = len(columns["spent"])
    del columns["store_id"]
    columns["plan"] = ["max" if place % 50 == 0 else plan for place, plan in enumerate(columns["plan"])]
    columns["spent"][7] = "99999"
    columns["n_orders"] = ["" if place % 5 == 0 else value for place, value in enumerate(columns["n_orders"])]
    columns["device type"] = ["phone" if place % 3 else "desktop" for place in range(rows)]
    columns["visit_id"] = [str(7_000_000 + 13 * place) for place in range(rows)]
    columns["answer"] = [str(int(value == "Yes")) for value in columns["Churned"]]
    awkward_tables.write_csv(data, columns)

    code, shown = run(data, "--update")
    assert code == 0
    assert "+ device type: category, 2 values" in shown
    assert "+ visit_id: new, but not added: an identifier" in shown
    assert "+ answer: new, but not added: leaks: alone it ranks the label" in shown
    assert "- store_id: no longer in" in shown
    assert "~ plan: new values: max" in shown
    assert "~ n_orders: 4.5% were missing" in shown
    assert "7000000" not in shown
    assert shown.splitlines()[-1].startswith("make run DATASET=made DATA=")

    query, features = (folder / "query.sql").read_text(), (folder / "features.yaml").read_text()
    assert "t.`device type` AS device_type  -- new on 2" in query
    assert "{name: device_type, kind: categorical, vocabulary: 2, description: device type}  # new on 2" in features
    kept = [line for line in features.splitlines() if "device_type" not in line]
    assert kept == by_hand["features.yaml"].splitlines()
    kept = [line for line in query.splitlines() if "device_type" not in line]
    assert [line.rstrip(",") for line in kept] == [line.rstrip(",") for line in by_hand["query.sql"].splitlines()]
    assert (folder / "dataset.yaml").read_bytes() == settings

    (folder / "query.sql").write_text("".join(line for line in query.splitlines(True) if "t.store_id" not in line))
    (folder / "features.yaml").write_text("".join(line for line in features.splitlines(True) if "store_id" not in line))
    schema = (folder / "schema.pbtxt").read_text()
    assert 'name: "device_type"' in schema
    assert "has not changed since" in run(data, "--update")[1], "told once"


def test_a_folder_written_by_hand_has_no_record(run, table, tmp_path):
    data, _ = table
    run(data)
    folder = tmp_path / "schema" / "made"
    (folder / "profile.json").unlink()
    features = yaml.safe_load((folder / "features.yaml").read_text())["features"]
    kept = [feature for feature in features if feature["name"] != "plan"]
    (folder / "features.yaml").write_text(yaml.safe_dump({"features": kept}))
    (folder / "query.sql").write_text(
        "with x as (select 1)\nSELECT c.CustomerId,\n IF(c.Churned = 'Yes', 1, 0) AS Churned, c.n_orders, c.store_id, "
        "c.RegionCode, c.spent from customers_2024 c where c.spent IS NOT NULL"
    )
    code, shown = run(data, "--update")
    assert code == 0
    assert "has no profile.json" in shown
    assert "+ plan: category, 3 values" in shown
    assert "c.plan" in (folder / "query.sql").read_text()
    check_runs(folder, data)


def test_a_query_without_a_place_for_new_columns(run, table, tmp_path):
    data, columns = table
    run(data)
    folder = tmp_path / "schema" / "made"
    query = (folder / "query.sql").read_text()
    (folder / "query.sql").write_text(f"SELECT * FROM (\n{query}\n) AS q")
    columns["channel"] = ["web" if place % 3 else "shop" for place in range(len(columns["plan"]))]
    awkward_tables.write_csv(data, columns)
    before = texts(folder)
    code, shown = run(data, "--update")
    assert code == 0
    assert "Nothing is added, since the outermost SELECT of query.sql does not read the table" in shown
    assert "  t.channel," in shown
    assert "{name: channel, kind: categorical, vocabulary: 2}" in shown
    assert texts(folder) == before


def test_there_is_nothing_to_update(run, table):
    code, shown = run(table[0], "--update", dataset="absent")
    assert code == 2
    assert "leave UPDATE=1 out to make it" in shown


def test_a_new_date_is_an_age_unless_it_lies_in_the_future(run, tmp_path):
    data = awkward_tables.dates_in_text(tmp_path)
    run(data)
    with data.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file, delimiter="\t")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    days = [datetime.datetime.strptime(day, "%d.%m.%Y").date() for day in columns["order_date"]]
    columns["paid_on"] = awkward_tables.days_before(days, [-9] * len(days))
    columns["last_seen"] = awkward_tables.days_before(days, [3 + place % 5 for place in range(len(days))])
    awkward_tables.write_csv(data, columns, delimiter="\t")
    code, shown = run(data, "--update")
    assert code == 0
    assert "+ paid_on: new, but not added: leaks: in 100.0% of the rows it lies after the row's date" in shown
    query = (tmp_path / "schema" / "made" / "query.sql").read_text()
    assert "DATE_DIFF(PARSE_DATE('%d.%m.%Y', t.order_date), t.last_seen, DAY) AS days_since_last_seen" in query
    check_runs(tmp_path / "schema" / "made", data)
