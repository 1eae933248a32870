"""make init on awkward tables: each choice against that of a careful person, and a run's own checks of the result."""

import datetime

import pytest
import yaml

from pipeline.raw_schema import check_schema
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings, RunSettings
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.opening import open_warehouse
from runners import init
from tests.runners import awkward_tables


class Made:
    """What init did with a table."""

    def __init__(self, folder, data, shown):
        self.folder = DatasetFolder.load(folder)
        self.data = data
        self.shown = shown
        self.dataset = self.folder.dataset
        self.query = self.folder.query
        self.text = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
        self.features = {feature.name: feature for feature in self.folder.declared.features}

    @property
    def columns(self):
        return self.dataset.columns.model_dump(exclude_none=True)

    @property
    def left_out(self):
        return set(self.dataset.features.leave_out)

    @property
    def kinds(self):
        return {name: feature.kind.value for name, feature in self.features.items()}

    @property
    def unused(self):
        return {
            line.split()[2].removeprefix("t.").strip(":`") for line in self.query.splitlines() if " -- without " in line
        }

    def vocabularies(self):
        return {
            name: feature.vocabulary for name, feature in self.features.items() if feature.kind.value == "categorical"
        }


@pytest.fixture
def make_init(tmp_path, capsys):
    """Runs init on a table; returns what it did, or what it said if it stopped."""

    def run(data, name="made", **wishes):
        arguments = ["--dataset", name, "--data", str(data), "--schema-root", str(tmp_path / "schema")]
        arguments += ["--output", str(tmp_path / "output")]
        arguments += [part for key, value in wishes.items() for part in (f"--{key}", value)]
        code = init.main(arguments)
        captured = capsys.readouterr()
        if code:
            assert code == 2
            assert not (tmp_path / "schema" / name).exists()
            return captured.err
        assert (tmp_path / "output" / name / "profile.html").is_file()
        return Made(tmp_path / "schema" / name, data, captured.out)

    return run


@pytest.fixture
def made(make_init, tmp_path):
    """Runs init on one of the awkward tables, and checks what it wrote as a run does."""

    def run(table, **wishes):
        found = make_init(getattr(awkward_tables, table)(tmp_path), **wishes)
        check_as_a_run_does(found)
        return found

    return run


def check_as_a_run_does(found):
    check_schema(found.folder.schema_path, found.folder.declared, found.dataset.columns.label)
    run = RunSettings(warehouse=DuckDBSettings(engine="duckdb"), data=found.data)
    with open_warehouse(run, found.dataset) as warehouse:
        summary = make_features_table(warehouse, resolve(warehouse, found.folder))
    assert [text for text in summary.warnings if "the others share one bucket" not in text] == []
    test = next(split for split in summary.splits if split.split == "test")
    assert test.positives >= found.dataset.gate.min_positives
    assert found.shown.splitlines()[-1].startswith("make run DATASET=made DATA=")


def test_identifiers_that_are_integers(made):
    found = made("integer_ids")
    assert found.columns == {"key": "CustomerId", "label": "Churned"}
    assert "CAST(t.CustomerId AS STRING) AS CustomerId,  -- the key" in found.query
    assert "CASE t.Churned WHEN 'Yes' THEN 1 WHEN 'No' THEN 0 END AS Churned" in found.query
    assert found.kinds == {
        "RegionCode": "categorical",
        "store_id": "categorical",
        "n_orders": "numeric",
        "spent": "numeric",
        "plan": "categorical",
    }
    assert found.features["n_orders"].missing.value == "zero"
    assert found.unused == {"last_order_id"}
    assert found.left_out == set()
    assert found.vocabularies() == {"RegionCode": 10, "store_id": 50, "plan": 3}
    assert (found.dataset.split.test_percent, found.dataset.split.test_from) == (23, None)
    assert found.dataset.evaluation.operating_share == 0.44
    assert "150000" not in str(found.text) + found.shown, "an identifier is shown"


def test_columns_that_leak_repeat_or_hold_nothing(made):
    found = made("leaking_columns")
    assert found.columns == {"label": "target"}
    assert found.left_out == {"refund_amount", "cancel_reason", "plan_code", "spent_eur"}
    assert found.unused == {"country", "fax", "remark"}
    assert set(found.folder.features.names) == {"visits", "spent", "plan"}
    assert "- cancel_reason  # leaks: it is filled only where the label is 1" in found.text["dataset.yaml"]
    assert "- spent_eur  # a copy of spent" in found.text["dataset.yaml"]
    assert "- plan_code  # it tells the same as plan, under other values" in found.text["dataset.yaml"]
    assert "refund_amount is left out: alone it ranks the label with a ROC AUC of" in " ".join(found.shown.split())


def test_one_word_brings_a_leak_back(made):
    found = made("leaking_columns")
    path = found.folder.path / "dataset.yaml"
    lines = found.text["dataset.yaml"].splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "- refund_amount" not in line))
    again = DatasetFolder.load(found.folder.path)
    assert "refund_amount" in again.features.names
    with open_warehouse(RunSettings(warehouse={"engine": "duckdb"}, data=found.data), again.dataset) as warehouse:
        make_features_table(warehouse, resolve(warehouse, again))


def test_dates_in_text(made):
    found = made("dates_in_text")
    assert found.columns == {"date": "order_date", "label": "returned"}
    assert "PARSE_DATE('%d.%m.%Y', t.order_date) AS order_date" in found.query
    assert "DATE_DIFF(PARSE_DATE('%d.%m.%Y', t.order_date), PARSE_DATE('%b %d %Y'," in found.query
    assert found.kinds == {
        "days_since_signed_up": "numeric",
        "items": "numeric",
        "value": "numeric",
        "plan": "categorical",
    }
    assert datetime.date(2024, 8, 1) < found.dataset.split.test_from < datetime.date(2024, 9, 5)
    assert found.dataset.split.test_percent is None


def test_korean_and_quoted_names(made):
    found = made("korean")
    assert found.columns == {"key": "column_1", "date": "column_2", "label": "column_8"}
    assert "t.`고객번호` AS column_1" in found.query
    assert "CASE t.`구매 여부` WHEN '예' THEN 1 WHEN '아니오' THEN 0 END AS column_8" in found.query
    described = {name: feature.description for name, feature in found.features.items()}
    assert described == {
        "column_3": "지역",
        "column_4": "등급",
        "column_5": '방문, "최근" 30일',
        "column_6": "구매 금액(원)",
        "select": "",
    }
    assert found.kinds["column_6"] == "numeric", "thousands with commas"
    assert found.left_out == set()
    assert found.dataset.split.test_from is not None
    assert found.shown.splitlines()[-1].endswith("고객.csv'") or found.shown.splitlines()[-1].endswith("고객.csv")


def test_semicolons_and_decimal_commas(made):
    found = made("decimal_commas")
    assert found.columns == {"key": "Kundennummer", "label": "gekauft"}
    assert found.kinds == {
        "Umsatz": "numeric",
        "Preis_pro_Stuck": "numeric",
        "Rabatt": "numeric",
        "Besuche": "numeric",
        "Tarif": "categorical",
        "PLZ": "categorical",
    }
    assert "-" in found.dataset.source.missing_values
    assert "NA" in found.dataset.source.missing_values
    assert "CAST(REPLACE(t.`Preis pro Stück`, ',', '.') AS FLOAT64) AS Preis_pro_Stuck" in found.query
    assert "WHEN 'ja' THEN 1" in found.query


def test_a_wide_category(made):
    found = made("wide_category")
    assert found.columns == {"label": "clicked"}
    assert 10 <= found.features["search_term"].vocabulary <= 40
    assert "values; the" in found.text["features.yaml"]
    assert found.features["city"].vocabulary == 100
    assert found.unused == {"landing_page"}


def test_a_key_and_several_dates(made):
    found = made("key_and_dates")
    assert found.columns == {"key": "user_id", "date": "snapshot_date", "label": "converted"}
    assert found.dataset.split.test_from == datetime.date(2025, 6, 1)
    assert found.left_out == {"days_since_contract_end"}
    assert set(found.folder.features.names) == {
        "days_since_signup",
        "days_since_last_visit",
        "days_since_birthday",
        "visits",
        "spent",
        "plan",
    }
    assert "DATE_DIFF(t.snapshot_date, t.signup_date, DAY) AS days_since_signup" in found.query


def test_two_candidates_stop_with_a_question(made, make_init, tmp_path):
    shown = make_init(awkward_tables.two_labels(tmp_path))
    assert "2 columns could be the label" in shown
    assert "churned   'yes' in " in shown
    assert "upgraded  '1' in " in shown
    assert shown.rstrip().endswith("Which one do you want to predict? Add LABEL=<one of: churned, upgraded>")
    found = made("two_labels", label="churned")
    assert found.columns == {"label": "churned"}
    assert set(found.folder.features.names) == {"visits", "spent", "plan", "newsletter", "upgraded"}


def test_the_uci_sessions(make_init, online_shoppers_csv):
    found = make_init(online_shoppers_csv)
    assert found.columns == {"label": "Revenue"}
    categories = {name for name, kind in found.kinds.items() if kind == "categorical"}
    assert categories == {"OperatingSystems", "Browser", "Region", "TrafficType", "Month", "VisitorType", "Weekend"}
    assert len(found.kinds) == 17
    assert {name for name, feature in found.features.items() if feature.slice} == {"VisitorType", "Weekend"}
    check_as_a_run_does(found)


def test_each_choice_has_its_reason_on_one_line(made):
    found = made("leaking_columns")
    for line in found.text["features.yaml"].splitlines()[3:]:
        assert "  # " in line
    settings = yaml.safe_load(found.text["dataset.yaml"])
    assert set(settings) == {"source", "columns", "split", "features", "evaluation"}
