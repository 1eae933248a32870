"""make init on the daily tables of an export: what it writes, asks and refuses, and what UPDATE=1 shows."""

import json

import pytest
import yaml

from pipeline.raw_schema import check_schema
from pipeline.settings.dataset_folder import DatasetFolder
from runners import init
from tests.pipeline.proposal.odd_export import DAY, FIRST, add, odd_events, write_export


@pytest.fixture
def run(tmp_path, capsys):
    """Runs init; returns its exit code and what it said."""

    def run_init(data, *more, name="mine"):
        arguments = ["--dataset", name, "--data", str(data), "--schema-root", str(tmp_path / "schema")]
        code = init.main([*arguments, "--output", str(tmp_path / "output"), *more])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run_init


def test_a_folder_of_daily_tables_becomes_a_data_set(run, tmp_path):
    data = write_export(tmp_path / "events", odd_events(users=150))
    code, shown = run(data)
    assert code == 0
    folder = DatasetFolder.load(tmp_path / "schema" / "mine")
    check_schema(folder.path / "schema.pbtxt", folder.declared, "converted")
    assert folder.dataset.source.conversion_event == "sign_up"
    assert shown.rstrip().endswith(f"Next:\nmake run DATASET=mine DATA={data}")
    summary = shown[shown.index("  Conversion ") : shown.index("Wrote ")].splitlines()
    assert max(map(len, summary)) <= 110 and any(line.startswith(" " * 19) for line in summary)
    assert "Look at first:\n  1. " in shown and "  Conversion       sign_up; " in shown
    page = (tmp_path / "output" / "mine" / "profile.html").read_text(encoding="utf-8")
    for part in ("<b>sign_up</b>", "AS last_method,", "member_email", f"make run DATASET=mine DATA={data}"):
        assert part in page
    assert "person1" not in page + shown and "user-1" not in page + shown
    code, shown = run(data)
    assert code == 2 and "already exists" in shown


def test_update_shows_new_events_parameters_and_missing_days_and_changes_the_record_only(run, tmp_path):
    rows = odd_events(days=56, users=60)
    data = write_export(tmp_path / "events", [row for row in rows if row["event_date"] < f"{FIRST + 45 * DAY:%Y%m%d}"])
    assert run(data)[0] == 0
    folder = tmp_path / "schema" / "mine"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    code, shown = run(data, "--update")
    assert code == 0 and "Nothing has changed." in shown
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    newer = [row for row in rows if row["event_date"] >= f"{FIRST + 45 * DAY:%Y%m%d}"]
    for number, row in enumerate(newer):
        add(row, theme=["light", "dark"][number % 2])
        row["event_name"] = "share" if number % 5 == 0 else row["event_name"]
    write_export(data, newer, left_out=[FIRST + 50 * DAY])
    code, shown = run(data, "--update")
    assert code == 0
    assert "share " in shown.partition("New events:")[2] and "sign_up " not in shown.partition("New events:")[2]
    assert "ep.key = 'theme'" in shown
    assert "- {name: last_theme, kind: categorical, vocabulary: 10," in shown
    assert "source.missing_days does not list: 2024-04-23" in shown
    assert "Nothing was changed in" in shown and "but the record profile.json" in shown
    after = {path.name: path.read_text() for path in folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"profile.json"}
    assert "event_params.theme" in json.loads(after["profile.json"])["parameters"]


def test_a_question_stops_it_and_label_answers(run, tmp_path):
    data = write_export(tmp_path / "events", odd_events(users=80, conversion="quote_sent"))
    code, shown = run(data)
    assert code == 2 and not (tmp_path / "schema" / "mine").exists()
    assert f"Type: make init DATASET=mine DATA={data} LABEL=quote_sent" in shown
    code, shown = run(data, "--label", "quote")
    assert code == 2 and "did you mean 'quote_sent'?" in shown
    code, shown = run(data, "--label", "quote_sent")
    assert code == 0
    settings = yaml.safe_load((tmp_path / "schema" / "mine" / "dataset.yaml").read_text())
    assert settings["source"]["conversion_event"] == "quote_sent"


@pytest.mark.parametrize("wish", ["key", "date", "positive", "encoding"])
def test_wishes_for_a_table_are_refused(run, tmp_path, wish):
    data = write_export(tmp_path / "events", odd_events(days=5, users=30))
    code, shown = run(data, f"--{wish}", "x")
    assert code == 2 and f"{wish.upper()}= is for a table; " in shown and "LABEL= names an event" in shown


def test_folders_that_are_no_export(run, tmp_path):
    (tmp_path / "empty").mkdir()
    code, shown = run(tmp_path / "empty")
    assert code == 2 and "the folder is empty" in shown
    data = write_export(tmp_path / "two", odd_events(days=5, users=30))
    (data / "ga_sessions_20240101.parquet").write_bytes(b"")
    code, shown = run(data)
    assert code == 2 and "daily tables of two exports, events_YYYYMMDD and ga_sessions_YYYYMMDD" in shown
    (tmp_path / "ga360").mkdir()
    (tmp_path / "ga360" / "ga_sessions_20240101.parquet").write_bytes(b"")
    code, shown = run(tmp_path / "ga360")
    assert code == 2 and "ga360 is a Google Analytics 360 export" in shown
    assert "\n  cp -r schema/ga360 schema/mine\nIn schema/mine/dataset.yaml, set source.time_zone" in shown
    assert shown.endswith(f"Then type:\n  make run DATASET=mine DATA={tmp_path / 'ga360'}\n")
    assert not (tmp_path / "schema" / "mine").exists()


def test_another_kind_of_data_set_is_not_updated_from_an_export(run, tmp_path):
    data = write_export(tmp_path / "events", odd_events(days=5, users=30))
    folder = tmp_path / "schema" / "mine"
    folder.mkdir(parents=True)
    (folder / "dataset.yaml").write_text(
        "source: {kind: table, table: t}\ncolumns: {label: y}\nsplit: {test_percent: 20}\n"
    )
    (folder / "features.yaml").write_text("features:\n  - {name: x, kind: numeric}\n")
    (folder / "query.sql").write_text("SELECT y, x FROM `t` AS t")
    code, shown = run(data, "--update")
    assert code == 2 and "its source.kind is 'table'" in shown
