"""README and docs hold what they say: links, commands, settings, the SQL subset, and the example data set."""

import datetime
import importlib.util
import re
from pathlib import Path
from typing import get_args, get_type_hints

import duckdb
import pytest
import yaml

import schema
from models.config import validate_settings
from models.features import FeatureSet
from pipeline.gate.verdict import Judgement
from pipeline.settings.dataset import RESERVED_COLUMNS, SPLITS, Dataset
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.warehouse import features_table
from pipeline.warehouse.dialect import to_duckdb
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.interface import Column, Query, WarehouseError
from pipeline.warehouse.opening import open_warehouse
from pipeline.warehouse.snapshots import plan_snapshots

ROOT = Path(__file__).parent.parent
# The examples of docs/data.md; settings that users copy.
INVENTED = ("schema/trials/", "schema/sessions/", "runners/vertex.")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`` ?(.+?) ?``|`([^`]+)`")


def spans(text):
    return [double or single for double, single in SPAN.findall(text)]


def code(page):
    """All code of a page: fenced and indented lines, and spans."""
    text = page.read_text()
    fenced = [line for _, body in FENCE.findall(text) for line in body.splitlines()]
    rest = FENCE.sub("", text)
    return fenced + [line.strip() for line in rest.splitlines() if line.startswith("    ")] + spans(rest)


def anchors(page):
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows_below(text, heading):
    """Cells of each row of the table that follows a heading, without the table's own heading."""
    part = f"\n{text}".split(f"\n{heading}\n", 1)[1].split("\n## ")[0].split("\n### ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    return rows[2:]


# Links and commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    links = [link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]
    assert [file for file, _, _ in links if file and not (page.parent / file).is_file()] == []
    anchored = [(page.parent / file if file else page, anchor) for file, _, anchor in links if anchor]
    assert [anchor for target, anchor in anchored if anchor not in anchors(target)] == []


def test_readme_leads_to_every_page():
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in PAGES[1:] if f"(docs/{page.name})" not in readme] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = code(page)
    made = {target for line in commands for target in re.findall(r"^make ([a-z-]+)", line)}
    modules = {module for line in commands for module in re.findall(r"^\S*python -m ([\w.]+)", line)}
    assert made <= targets
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page):
    """Each code span that names a path of the repository, but for places that users fill in."""
    top = {path.name for path in ROOT.iterdir()} - {"data", "output"}
    paths = [span for span in spans(FENCE.sub("", page.read_text())) if re.fullmatch(r"[\w./-]+", span)]
    paths = [path for path in paths if path.partition("/")[0] in top and "/" in path]
    assert [path for path in paths if not (ROOT / path).exists() and not path.startswith(INVENTED)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml_blocks_load(page):
    kinds = {"source": Dataset, "features": FeatureSet, "warehouse": RunSettings}
    for language, body in FENCE.findall(page.read_text()):
        if language == "yaml":
            document = yaml.safe_load(body)
            [kind] = [kind for key, kind in kinds.items() if key in document]
            validate_settings(document, kind, origin=page.name)


# docs/glossary.md and docs/architecture.md


def test_the_glossary_is_in_order_and_names_each_thing_once():
    terms = [row[0] for row in rows_below((ROOT / "docs" / "glossary.md").read_text(), "# Glossary")]
    assert terms == sorted(set(terms))
    assert {"report", "data summary", "training record", "training data", "run summary", "evaluation"} <= set(terms)


def test_the_glossary_names_the_verdicts_and_the_splits():
    rows = dict(rows_below((ROOT / "docs" / "glossary.md").read_text(), "# Glossary"))
    assert set(spans(rows["verdict"])) == set(get_args(get_type_hints(Judgement)["verdict"]))
    assert set(spans(rows["split"])) == set(SPLITS)


def test_the_architecture_names_every_package():
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = [
        f"{folder.relative_to(ROOT)}/"
        for top in ("pipeline", "models")
        for folder in sorted((ROOT / top).iterdir())
        if (folder / "__init__.py").is_file()
    ]
    assert [package for package in packages if f"`{package}`" not in text] == []


def test_the_picture_names_components_of_the_pipeline():
    drawn = re.findall(r"<text [^>]*>([A-Z][a-z]+[A-Z]\w*)</text>", (ROOT / "docs" / "pipeline.svg").read_text())
    source = "".join(path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
    known = set(re.findall(r"\w+", source)) | {f"Train{title}" for title in ("Keras", "XGBoost")}
    assert len(drawn) >= 9
    assert [name for name in drawn if name not in known] == []


# docs/sql.md


SQL = (ROOT / "docs" / "sql.md").read_text()
COLUMNS = {
    "n": "5",
    "x": "2.25",
    "s": "'abc'",
    "d": "DATE '2024-01-31'",
    "ts": "TIMESTAMP_MICROS(1706700000000000)",
    "l": "['a', 'b']",
}


def on_duckdb(text, **columns):
    """The value of an expression over one row, or the first value of a SELECT from `t`, on DuckDB."""
    row = ", ".join(f"{value} AS {name}" for name, value in (COLUMNS | columns).items())
    select = text if text.startswith("SELECT") else f"SELECT {text} AS result FROM t"
    statement = to_duckdb(Query(f"WITH t AS (SELECT {row}) {select}"), lambda name: (name,))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(statement.sql).fetchall()[0][0]


def test_parameters_are_those_of_a_query_over_events():
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    days = [datetime.date(2025, 1, 1) + datetime.timedelta(days=day) for day in range(200)]
    plan = plan_snapshots([f"{day:%Y%m%d}" for day in days], folder.dataset, days[-1])
    given = features_table.inner_query(folder, plan).parameters
    assert {row[0] for row in rows_below(SQL, "## Parameters")} == {f"`@{name}`" for name in given}


def test_column_types_and_casts_are_those_of_the_check():
    rows = rows_below(SQL, "## Columns")
    for kind, place in (("numeric", 1), ("categorical", 2)):
        folder = DatasetFolder(
            name="d",
            dataset=validate_settings(
                {
                    "source": {"kind": "table", "table": "t"},
                    "columns": {"label": "y"},
                    "split": {"test_percent": 20},
                },
                Dataset,
                origin="test",
            ),
            features=FeatureSet.from_config([{"name": "x", "kind": kind}]),
            query="",
        )
        for row in rows:
            returned = [Column("y", "INT64"), Column("x", row[0])]
            if row[place] == "fits":
                assert features_table.check_columns(folder, returned) == []
            else:
                with pytest.raises(WarehouseError) as error:
                    features_table.check_columns(folder, returned)
                assert str(error.value).endswith(f"; write {row[place].strip('`')} AS x")


def test_reserved_columns_are_named():
    assert all(f"`{name}`" in SQL for name in RESERVED_COLUMNS)


@pytest.mark.parametrize(
    "text", [span for row in rows_below(SQL, "## What means the same on DuckDB") for span in spans(row[1])]
)
def test_what_means_the_same_runs_on_duckdb(text):
    on_duckdb(text)


@pytest.mark.parametrize("row", rows_below(SQL, "## What is refused on DuckDB"), ids=lambda row: row[0])
def test_what_is_refused_and_what_to_write_instead(row):
    refused, instead = spans(row[0]), spans(row[1])
    for text in refused:
        with pytest.raises((WarehouseError, duckdb.CatalogException, duckdb.BinderException)):
            on_duckdb(text)
    for text in instead:
        on_duckdb(text)


@pytest.mark.parametrize("row", rows_below(SQL, "## What differs and is not refused"), ids=lambda row: row[0])
def test_what_differs_and_is_not_refused_still_does(row):
    text, where, _, found, instead = row
    columns = dict(re.findall(r"`(\w)` is ([^`,]+(?:, 'b'\])?)", where))
    columns = {name: value.replace("NaN", "CAST('NaN' AS FLOAT64)") for name, value in columns.items()}
    assert str(on_duckdb(spans(text)[0], **columns)) == found.strip("`")
    on_duckdb(spans(instead)[-1], **columns)


# docs/data.md and docs/rows.md


DATA, ROWS = ((ROOT / "docs" / name).read_text() for name in ("data.md", "rows.md"))


def test_the_dates_of_the_example_are_those_of_the_plan():
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    first, newest = datetime.date(2025, 1, 1), datetime.date(2025, 11, 20)
    tables = [f"{first + datetime.timedelta(days=day):%Y%m%d}" for day in range((newest - first).days + 1)]
    plan = plan_snapshots(tables, folder.dataset, datetime.date(2025, 11, 21))
    dates = [re.findall(r"\d{4}-\d{2}-\d{2}", row[1]) for row in rows_below(ROWS, "### Which snapshots")]
    dates = [[datetime.date.fromisoformat(text) for text in found] for found in dates]
    assert dates[0] == [plan.as_of]
    assert dates[1] == [*plan.test_dates, plan.test_dates[-1] + datetime.timedelta(days=9)]
    assert dates[2] == [plan.train_dates[0], plan.train_dates[-1]]
    assert [f"{date:%Y%m%d}" for date in dates[3]] == [plan.first_suffix, plan.last_suffix]


@pytest.fixture
def example(tmp_path):
    """The example's folder and its data: the rows shown, many times over."""
    files = re.findall(r"^`schema/trials/([\w.]+)`:\n\n```\w+\n(.*?)^```$", DATA, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == ["dataset.yaml", "features.yaml", "query.sql"]
    folder = tmp_path / "trials"
    folder.mkdir()
    for name, body in files:
        (folder / name).write_text(body)
    [csv] = [body for language, body in FENCE.findall(DATA) if language == "csv"]
    header, *rows = csv.splitlines()
    accounts = (f"{account},{row.split(',', 1)[1]}" for account, row in enumerate(rows * 50))
    data = tmp_path / "trials.csv"
    data.write_text("\n".join([header, *accounts]) + "\n")
    return DatasetFolder.load(folder), data


def test_the_example_makes_a_features_table(example):
    folder, data = example
    run = RunSettings.model_validate({"warehouse": {"engine": "duckdb"}, "data": data})
    with open_warehouse(run, folder.dataset) as warehouse:
        extraction = resolve(warehouse, folder)
        report = make_features_table(warehouse, extraction)
        rows = [
            row for batch in warehouse.read(extraction.table, extraction.example_columns) for row in batch.to_pylist()
        ]
    assert report.rows == len(rows) == 200
    assert {row["split"] for row in rows if row["trial_ended"] >= datetime.date(2025, 9, 1)} == {"test"}
    assert {row["split"] for row in rows if row["trial_ended"] < datetime.date(2025, 9, 1)} == {"train", "eval"}
    assert report.missing == {"logins": 0, "minutes_active": 50, "plan": 0, "country": 50}
    assert report.warnings == ()
