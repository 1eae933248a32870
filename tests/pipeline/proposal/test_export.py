"""What init proposes for exports: the whole way from daily tables to a folder that a run takes as it is."""

import dataclasses
import datetime
import re

import pyarrow as pa
import pytest
import yaml

import schema
from models.config import SettingsError
from pipeline.proposal.export import export_settings, propose_export
from pipeline.proposal.export_kind import kind_of_export, kind_of_folder
from pipeline.proposal.export_update import update_export
from pipeline.raw_schema import check_schema, updated_text
from pipeline.sample.events import SampleParameters, write_sample
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.interface import Query, WarehouseError
from tests.pipeline.proposal.odd_export import DAY, FIRST, SCHEMA, add, odd_events, write_export

ENGINE = DuckDBSettings(engine="duckdb", memory_limit="1GB")


def propose(folder, name="mine", **wishes):
    with DuckDBWarehouse(ENGINE, folder, export_settings().source) as warehouse:
        return propose_export(warehouse, name, str(folder), **wishes)


def write(proposal, root, name="mine"):
    """The written folder, loaded and checked as a run does."""
    folder = root / name
    folder.mkdir(parents=True)
    for file, text in proposal.files.items():
        (folder / file).write_text(text, encoding="utf-8")
    loaded = DatasetFolder.load(folder)
    check_schema(folder / "schema.pbtxt", loaded.declared, loaded.dataset.columns.label)
    return loaded


def features_table(data, folder, *columns):
    """The summary of the features table, and these columns of its rows."""
    with DuckDBWarehouse(ENGINE, data, folder.dataset.source) as warehouse:
        extraction = resolve(warehouse, folder)
        summary = make_features_table(warehouse, extraction)
        selected = ", ".join(f"t.{column}" for column in ("split", "converted", *columns))
        return summary, warehouse.select(Query(f"SELECT {selected} FROM `{extraction.table}` AS t"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder, SampleParameters(users=2500))
    return folder


@pytest.fixture(scope="module")
def of_sample(sample):
    return propose(sample)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """45 days in Seoul without two of them; sign-ups, no sessions."""
    return write_export(
        tmp_path_factory.mktemp("odd") / "events", odd_events(), left_out=[FIRST + 20 * DAY, FIRST + 21 * DAY]
    )


@pytest.fixture(scope="module")
def of_odd(odd):
    return propose(odd)


def test_purchase_is_proposed_for_the_sample(of_sample):
    settings = yaml.safe_load(of_sample.files["dataset.yaml"])
    ga4 = yaml.safe_load((schema.ROOT / "ga4" / "dataset.yaml").read_text())
    assert settings["source"] == {**ga4["source"], "label_is": "conversion", "eligibility": "all"}
    assert settings["columns"] == ga4["columns"]
    assert settings["windows"] == {**ga4["windows"], "horizon_days": 14}  # so few users have too few positives in 7
    assert settings["snapshots"] == {"every_days": 7, "train": 3, "test": 3}  # what the sample's days allow
    assert "features" not in settings and of_sample.question is None


def test_each_setting_has_its_reason_beside_it(of_sample, of_odd):
    for proposal in (of_sample, of_odd):
        for line in proposal.files["dataset.yaml"].splitlines():
            if not line.startswith("#") and re.match(r"  [a-z_]+: ", line):
                assert re.search(r"  # \S", line), line


def test_the_copied_query_gives_ga4_s_rows_and_the_positives_that_were_announced(sample, of_sample, tmp_path):
    folder = write(of_sample, tmp_path)
    original = (schema.ROOT / "ga4" / "query.sql").read_text()
    tables = []
    for query in (folder.query, original):
        with DuckDBWarehouse(ENGINE, sample, folder.dataset.source) as warehouse:
            extraction = resolve(warehouse, dataclasses.replace(folder, query=query))
            assert extraction.notes == ()
            summary = make_features_table(warehouse, extraction)
            assert any("events have no user_pseudo_id" in warning for warning in summary.warnings)
            tables.append(warehouse.select(Query(f"SELECT * FROM `{extraction.table}` AS t")))
    assert tables[0] == tables[1] and len(tables[0]) > 1000
    test = [row["converted"] for row in tables[0] if row["split"] == "test"]
    announced = re.search(r"test: \d+  # ([\d,]+) test rows with ([\d,]+) positives", of_sample.files["dataset.yaml"])
    assert [int(number.replace(",", "")) for number in announced.groups()] == [len(test), sum(test)]


def test_the_proposed_lines_make_features(sample, of_sample, tmp_path):
    folder = write(of_sample, tmp_path)
    names = ["last_page_location", "max_value", "events_scroll"]
    for name in names:
        for file, line in (("query.sql", rf"-- (.*AS {name},)"), ("features.yaml", rf"# (- {{name: {name},.*)")):
            text, changes = re.subn(line, r"\1", (folder.path / file).read_text())
            assert changes == 1
            (folder.path / file).write_text(text)
    path = folder.path / "schema.pbtxt"
    changed = DatasetFolder.load(folder.path)
    assert list(changed.features.names[-3:]) == names
    path.write_text(updated_text(path, changed.declared, "converted"))
    check_schema(path, changed.declared, "converted")
    _, rows = features_table(sample, changed, *names)
    assert all(row["last_page_location"].startswith("https://shop.example.com/") for row in rows)
    assert all(row["events_scroll"] >= 0 for row in rows)
    values = [row["max_value"] for row in rows if row["max_value"] is not None]
    assert 0 < len(values) < len(rows) and len(set(values)) > 5 and min(values) > 0


def test_an_odd_export(of_odd):
    settings = yaml.safe_load(of_odd.files["dataset.yaml"])
    source = settings["source"]
    assert source["conversion_event"] == "sign_up" and source["eligibility"] == "never_converted"
    assert source["time_zone"] == "Asia/Tokyo"  # which is Seoul's
    assert "Asia/Seoul" in of_odd.files["dataset.yaml"]
    assert [str(day) for day in source["missing_days"]] == ["2024-03-24", "2024-03-25"]
    assert settings["windows"]["lookback_days"] == 14 and settings["snapshots"]["every_days"] == 1
    left_out = settings["features"]["leave_out"]
    assert {"sessions_1_7", "session_number_max", "browser", "purchases_1_30", "events_15_30"} <= set(left_out)
    assert not {"events_1_7", "page_views_8_14", "device_category", "country", "recency_days"} & set(left_out)
    told = "\n".join(of_odd.attention)
    assert "2 days have no table (2024-03-24 to 2024-03-25)" in told
    assert "make init proposes features that look back 30 days" in told


def test_the_folder_of_an_odd_export_gives_a_features_table(odd, of_odd, tmp_path):
    folder = write(of_odd, tmp_path)
    summary, rows = features_table(odd, folder)
    assert {row["split"] for row in rows} == {"train", "eval", "test"}
    assert not [warning for warning in summary.warnings if "without a value" in warning or "no value" in warning]


def test_values_of_persons_are_never_shown(of_odd, of_sample):
    for proposal in (of_odd, of_sample):
        shown = "\n".join([*proposal.lists, repr(proposal.decisions), *proposal.attention, *proposal.files.values()])
        assert "example.com" not in shown.replace("https://shop.example.com/p/", "")
        assert "person1" not in shown and "user-1" not in shown
    assert "member_email: looks like an identifier or personal data" in "\n".join(of_odd.lists)
    [method] = [line for line in of_odd.lists if line.startswith("method: filled in 100.0% of the events")]
    assert {"friend", "search", "advertisement", "form"} <= set(re.split(r"[ ,]+", method))


def test_the_lists_hold_events_and_base_rates(of_sample):
    [purchase] = [line for line in of_sample.lists if line.startswith("purchase ")]
    outcome = of_sample.profile.event("purchase").outcomes[7]
    assert f"{outcome.base_rate:.2%} ({outcome.positives:,})" in purchase
    head = next(line for line in of_sample.lists if line.startswith("event "))
    assert re.fullmatch(r"event +users +share +7 days +14 days +30 days", head)
    assert purchase in of_sample.files["dataset.yaml"]


def test_the_wish_decides(odd):
    proposal = propose(odd, label="page_view")
    assert yaml.safe_load(proposal.files["dataset.yaml"])["source"]["conversion_event"] == "page_view"
    with pytest.raises(
        SettingsError, match=r"no event 'signup' from .*; did you mean 'sign_up'\? .*page_view, sign_up"
    ):
        propose(odd, label="signup")


def test_no_event_with_a_known_name_is_a_question(tmp_path):
    data = write_export(tmp_path / "events", odd_events(days=60, conversion="quote_sent"))
    proposal = propose(data)
    assert proposal.files == {}
    assert f"make init DATASET=mine DATA={data} LABEL=quote_sent" in proposal.question
    assert re.search(r"quote_sent +\d+ +\d+\.\d%", proposal.question) and "page_view" not in proposal.question
    again = propose(data, label="quote_sent")
    assert "conversion_event: quote_sent  # as you asked" in again.files["dataset.yaml"]


def test_too_short_a_history_says_how_many_days_are_needed(tmp_path):
    data = write_export(tmp_path / "events", odd_events(days=20))
    proposal = propose(data)
    folder = write(proposal, tmp_path)
    assert folder.dataset.source.conversion_event == "sign_up"
    [told] = [line for line in proposal.attention if line.startswith("Too few days")]
    need, shorter = (
        int(number) for number in re.findall(r"needs (\d+)|From (\d+) days", told)[0:2] for number in number if number
    )
    assert "the export has 20" in told and 20 < shorter < need
    with (
        pytest.raises(WarehouseError, match="not enough days"),
        DuckDBWarehouse(ENGINE, data, folder.dataset.source) as warehouse,
    ):
        resolve(warehouse, folder)
    for days in (need, need - 1):  # it is the fewest, counted from a newest table of yesterday
        data = write_export(tmp_path / str(days), odd_events(days=days, users=20))
        with DuckDBWarehouse(ENGINE, data, folder.dataset.source) as warehouse:
            names = list(warehouse.source_tables("events_"))
        assert len(names) == days


def test_streamed_tables_are_read_where_there_are_no_daily_ones(tmp_path):
    data = write_export(tmp_path / "events", odd_events(users=60), name=lambda day: f"events_intraday_{day:%Y%m%d}")
    proposal = propose(data)
    source = yaml.safe_load(proposal.files["dataset.yaml"])["source"]
    assert source["tables"] == "intraday"
    write(proposal, tmp_path)


def test_the_kind_of_an_export():
    assert kind_of_export(["events_20240101.parquet", "readme.txt"], "x") == "ga4"
    assert kind_of_export(["events_intraday_20240101"], "x") == "ga4"
    assert kind_of_export(["events_20240101-000000000000.parquet"], "x") == "ga4"
    assert kind_of_export(["ga_sessions_20240101"], "x") == "ga360"
    assert kind_of_export(["events_2024.parquet", "part-0.parquet"], "x") is None
    with pytest.raises(SettingsError, match="two exports, events_YYYYMMDD and ga_sessions_YYYYMMDD"):
        kind_of_export(["events_20240101", "ga_sessions_20240101"], "x")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="the folder is empty"):
        kind_of_folder(tmp_path)


def test_a_table_of_a_day_to_come_is_refused(odd):
    before = datetime.datetime(2024, 4, 1, tzinfo=datetime.timezone.utc)
    with pytest.raises(WarehouseError, match="events_20240417 is the table of a day to come"):
        propose(odd, now=before)


def test_columns_that_another_exporter_leaves_out_are_read_as_null(tmp_path):
    without = pa.schema([field for field in SCHEMA if field.name not in ("device", "ecommerce", "user_properties")])
    data = write_export(tmp_path / "events", odd_events(days=50, users=100), schema=without)
    proposal = propose(data)
    folder = write(proposal, tmp_path)
    features_table(data, folder)
    assert {"device_category", "browser", "language"} <= set(folder.dataset.features.leave_out)
    [told] = [line for line in proposal.attention if line.startswith("The export has no ")]
    assert "device.web_info.browser" in told and "ecommerce.transaction_id" in told
    assert "CAST(NULL AS STRING) AS web_browser" in folder.query and "e.ecommerce" not in folder.query


def test_columns_without_which_there_are_no_rows_are_named(tmp_path):
    without = pa.schema([field for field in SCHEMA if field.name != "event_timestamp"])
    data = write_export(tmp_path / "events", odd_events(days=5, users=30), schema=without)
    with pytest.raises(WarehouseError, match=r"events_\*: no column event_timestamp; the tables must have"):
        propose(data)


def test_columns_of_another_type_are_refused_by_name(tmp_path):
    place = SCHEMA.get_field_index("event_timestamp")
    other = SCHEMA.set(place, SCHEMA.field(place).with_type(pa.string()))
    rows = [{**row, "event_timestamp": str(row["event_timestamp"])} for row in odd_events(days=5, users=30)]
    data = write_export(tmp_path / "events", rows, schema=other)
    refused = pytest.raises(WarehouseError, match="column 'event_timestamp' is STRING; expected INT64")
    with refused:
        propose(data)
    ga4 = DatasetFolder.load(schema.ROOT / "ga4")
    with DuckDBWarehouse(ENGINE, data, ga4.dataset.source) as warehouse, refused:
        update_export(warehouse, ga4, str(data))


def test_names_are_written_so_that_yaml_and_sql_read_them_back(tmp_path):
    rows = odd_events(days=40, users=60)
    odd = ["it's", 'quo"te', "new\nline", "null", "back\\slash", "\uc774\ubca4\ud2b8"]
    for number, row in enumerate(rows):
        add(row, **{f"{name} {number % 2}": f"v{number % 3}" for name in odd})
        row["event_name"] = odd[number % 6] if number % 5 == 0 else row["event_name"]
    data = write_export(tmp_path / "events", rows)
    for name in ("it's", "new\nline", "null"):
        proposal = propose(data, label=name)
        assert yaml.safe_load(proposal.files["dataset.yaml"])["source"]["conversion_event"] == name
    folder = write(proposal, tmp_path)
    for file, line in (("query.sql", r"^    -- (.*,)$"), ("features.yaml", r"^  # (- \{.*)$")):
        text, changes = re.subn(line, r"  \1", (folder.path / file).read_text(), flags=re.MULTILINE)
        assert changes > 12  # two parameters and an event for each name
        (folder.path / file).write_text(text)
    taken = DatasetFolder.load(folder.path)
    added = [name for name in taken.features.names if name not in folder.features.names]
    with DuckDBWarehouse(ENGINE, data, taken.dataset.source) as warehouse:
        rows = warehouse.select(resolve(warehouse, taken).query)
    assert all(any(row[name] is not None for row in rows) for name in added)


def test_tables_without_an_event_of_a_user_are_refused(tmp_path):
    rows = [{**row, "user_pseudo_id": None} for row in odd_events(days=5, users=30)]
    data = write_export(tmp_path / "events", rows)
    told = rf"no event of a user in the tables from 2024-03-04 to 2024-03-08; {len(rows)} events have no user_pseudo_id"
    with pytest.raises(WarehouseError, match=told):
        propose(data)
