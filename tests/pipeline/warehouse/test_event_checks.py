"""Events as other exporters write them: what works, what a run warns of and what it refuses."""

import datetime
import math
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import schema
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.interface import WarehouseError
from tests.schema.ga4_events import GA4_SCHEMA, event

DAY = datetime.timedelta(days=1)
TRAIN, TEST = datetime.date(2024, 3, 4), datetime.date(2024, 3, 25)
LAST = TEST + 9 * DAY
OVERRIDES = {
    "windows.settle_days": 0,
    "snapshots.train_dates": [str(TRAIN)],
    "snapshots.test_dates": [str(TEST)],
    "split.eval_percent": 30,
}


def base_events():
    """Thirty users with a session before each snapshot; every third buys in both label windows."""
    events = []
    for number in range(30):
        for snapshot in (TRAIN, TEST):
            events.append(event(f"user-{number}", snapshot - 2 * DAY, session=number + 1, session_number=1))
            if number % 3 == 0:
                bought = {"transaction": f"T-{number}-{snapshot}", "revenue": 10.0}
                events.append(event(f"user-{number}", snapshot + 4 * DAY, "purchase", **bought))
    return events


def write_days(folder, events, schema_=GA4_SCHEMA, name="events_{day}.parquet"):
    """Daily tables of the days with events, and of the last day."""
    days = {str(row["event_date"]).replace("-", "") for row in events} | {f"{LAST:%Y%m%d}"}
    for day in days:
        of_day = [row for row in events if str(row["event_date"]).replace("-", "") == day]
        pq.write_table(pa.Table.from_pylist(of_day, schema=schema_), folder / name.format(day=day))


def days_without_table(folder):
    first = TRAIN - 30 * DAY
    days = [first + number * DAY for number in range((LAST - first).days + 1)]
    return [str(day) for day in days if not list(folder.glob(f"events_{day:%Y%m%d}*.parquet"))]


def extract(folder, *, query=None, key=None, **overrides):
    """Warnings, and the rows of the features table by key and date."""
    overrides = {"source.missing_days": days_without_table(folder), **OVERRIDES, **overrides}
    data_set = DatasetFolder.load(schema.ROOT / "ga4", overrides)
    if query:
        columns = data_set.dataset.columns.model_copy(update={"key": key or data_set.dataset.columns.key})
        data_set = DatasetFolder(
            data_set.name, data_set.dataset.model_copy(update={"columns": columns}), data_set.features, query
        )
    settings = DuckDBSettings(engine="duckdb", memory_limit="500MB", threads=2)
    with DuckDBWarehouse(settings, folder, data_set.dataset.source) as warehouse:
        extraction = resolve(warehouse, data_set)
        summary = make_features_table(warehouse, extraction)
        key = data_set.dataset.columns.key
        names = [key, *extraction.example_columns]
        rows = [row for batch in warehouse.read(extraction.table, names) for row in batch.to_pylist()]
    return [*extraction.notes, *summary.warnings], {(row[key], row["snapshot_date"]): row for row in rows}


def with_values(events, key, make):
    """The events with another value in the parameter `key`."""
    return [
        {
            **row,
            "event_params": [
                {"key": item["key"], "value": make(item["value"]["int_value"])} if item["key"] == key else item
                for item in row["event_params"]
            ],
        }
        for row in events
    ]


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ordinary")
    write_days(folder, base_events())
    return extract(folder)


def test_an_ordinary_export_has_no_warning_and_a_session_for_each_user(ordinary):
    warnings, rows = ordinary
    assert [text for text in warnings if "base rate" not in text and "has no value" not in text] == []
    assert {row["sessions_1_7"] for row in rows.values()} == {1} and len(rows) == 60


@pytest.mark.parametrize(
    "make",
    [
        lambda value: {"string_value": str(value)},
        lambda value: {"string_value": f" {value}.0 "},
        lambda value: {"double_value": float(value)},
        lambda value: {"float_value": float(value)},
    ],
    ids=["text", "decimal text", "double", "float"],
)
def test_session_ids_are_read_from_whichever_field_is_filled(tmp_path, ordinary, make):
    write_days(tmp_path, with_values(base_events(), "ga_session_id", make))
    assert extract(tmp_path) == ordinary


def test_the_share_of_session_ids_that_are_not_numbers_is_warned_of(tmp_path):
    events = base_events()
    broken = {f"user-{number}" for number in range(12)}  # 40 %
    odd = [row for row in events if row["user_pseudo_id"] in broken]
    rest = [row for row in events if row["user_pseudo_id"] not in broken]
    write_days(tmp_path, [*rest, *with_values(odd, "ga_session_id", lambda value: {"string_value": f"s-{value}"})])
    warnings, rows = extract(tmp_path)
    assert (
        "ga_session_id is set but is not a finite number in events of 24 of 60 rows (40.0%); these values count as "
        "missing"
    ) in warnings
    assert sum(row["sessions_1_7"] == 0 for row in rows.values()) == 24


def test_other_parameters_as_doubles_and_texts(tmp_path):
    extra = [
        event("user-1", TEST - DAY, session=7, session_number=3, engagement_ms=1500, engaged=1),
        event("user-2", TEST - DAY, session=8, session_number=3, engagement_ms=2500, engaged=1),
    ]
    for key in ("engagement_time_msec", "session_engaged"):
        extra = [
            *with_values(extra[:1], key, lambda value: {"double_value": float(value)}),
            *with_values(extra[1:], key, lambda value: {"string_value": f"{value}.0"}),
        ]
    bad = with_values(
        [event("user-4", TEST - DAY, session=9, engagement_ms=1)],
        "engagement_time_msec",
        lambda value: {"double_value": math.nan},
    )
    write_days(tmp_path, [*base_events(), *extra, *bad])
    warnings, rows = extract(tmp_path)
    for user, seconds in (("user-1", 1.5), ("user-2", 2.5), ("user-4", 0.0)):
        assert rows[user, TEST]["engagement_s_1_7"] == seconds
    assert rows["user-1", TEST]["engaged_session_share"] == rows["user-2", TEST]["engaged_session_share"] == 1 / 3
    assert [text for text in warnings if "engagement_time_msec" in text and "1 of 60 rows" in text]


def test_transaction_ids_that_stand_for_none(tmp_path):
    ids = ["undefined", "NULL", " null ", "0", "none", "(not set)", "", "n/a"]
    bought = [event("user-1", TEST - 5 * DAY, "purchase", transaction=text, revenue=1.0) for text in ids for _ in "ab"]
    same = [event("user-2", TEST - 5 * DAY, "purchase", transaction="nil", revenue=1.0) for _ in range(3)]
    write_days(tmp_path, [*base_events(), *bought, *same])
    _, rows = extract(tmp_path)
    assert (rows["user-1", TEST]["purchases_1_30"], rows["user-2", TEST]["purchases_1_30"]) == (16, 1)
    _, rows = extract(tmp_path, **{"source.unknown_ids": ["NIL"]})
    assert (rows["user-1", TEST]["purchases_1_30"], rows["user-2", TEST]["purchases_1_30"]) == (9, 3)


def test_a_key_that_stands_for_none_is_no_user(tmp_path):
    nobody = [event(user, TEST - 3 * DAY, session=1) for user in ("", "null", "(not set)", " NULL", None) for _ in "ab"]
    write_days(tmp_path, [*base_events(), *nobody])
    warnings, rows = extract(tmp_path)
    assert len(rows) == 60
    assert "10 events have no user_pseudo_id and were left out" in warnings


@pytest.mark.parametrize("name", ["user_key", "user_id"])
def test_stitched_keys(tmp_path, name):
    ga4_schema = GA4_SCHEMA.append(pa.field("user_id", pa.string()))
    events = [{**row, "user_id": None} for row in base_events()]
    for row in events[:20]:
        row["user_pseudo_id"], row["user_id"] = f"other-{row['user_pseudo_id']}", row["user_pseudo_id"]
    events += [{**event(None, TEST - 3 * DAY, session=1), "user_id": user} for user in (None, None, "member")]
    write_days(tmp_path, events, ga4_schema)
    query = (schema.ROOT / "ga4" / "query.sql").read_text()
    stitched = "COALESCE(e.user_id, e.user_pseudo_id)"
    query = query.replace("    e.user_pseudo_id,\n", f"    {stitched} AS {name},\n")
    query = query.replace("AND e.user_pseudo_id IS NOT NULL", f"AND {stitched} IS NOT NULL")
    query = re.sub(r"(?<!\be\.)\buser_pseudo_id", name, query)
    warnings, rows = extract(tmp_path, query=query, key=name)
    assert len(rows) == 61 and ("member", TEST) in rows
    assert f"2 events have no {name} and were left out" in warnings


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"event_timestamp": lambda value: value // 1000}, "event_timestamp is not in microseconds .* like millisec"),
        ({"event_timestamp": lambda value: value // 10**6}, "event_timestamp is not in microseconds .* like seconds"),
        ({"event_timestamp": lambda value: value * 1000}, "event_timestamp is not in microseconds .* like nanosec"),
        (
            {"user_first_touch_timestamp": lambda _: 1_700_000_000_000},
            "user_first_touch_timestamp is not in microseconds .* like milliseconds",
        ),
        ({"event_date": lambda value: f"{value[:4]}-{value[4:6]}-{value[6:]}"}, "event_date is not .* YYYYMMDD in 80"),
    ],
)
def test_days_and_times_in_another_form_are_refused_by_name(tmp_path, change, problem):
    events = [{**row, **{name: make(row[name]) for name, make in change.items()}} for row in base_events()]
    write_days(tmp_path, events)
    with pytest.raises(WarehouseError, match=problem):
        extract(tmp_path)


@pytest.mark.parametrize(
    ("column", "type_", "value", "problem"),
    [
        ("event_date", pa.date32(), None, "column 'event_date' is DATE; expected STRING"),
        ("event_params", pa.string(), "[]", r"column 'event_params' is STRING; expected ARRAY<STRUCT<key STRING"),
        ("event_timestamp", pa.timestamp("us"), None, "column 'event_timestamp' is DATETIME; expected INT64"),
        ("device", pa.string(), "{}", "column 'device' is STRING; expected STRUCT"),
    ],
)
def test_columns_of_another_type_are_refused_by_name(tmp_path, column, type_, value, problem):
    fields = [pa.field(column, type_) if field.name == column else field for field in GA4_SCHEMA]
    events = base_events()
    for row in events:
        day = datetime.datetime.strptime(row["event_date"], "%Y%m%d")
        row[column] = value or (day.date() if column == "event_date" else day)
    write_days(tmp_path, events, pa.schema(fields))
    with pytest.raises(WarehouseError, match=problem):
        extract(tmp_path)


def test_revenue_that_is_no_amount_is_unknown_and_large_amounts_work(tmp_path):
    amounts = {"user-1": math.nan, "user-2": math.inf, "user-4": -math.inf, "user-5": 9.3e12, "user-7": -5.25}
    bought = [
        event(user, TEST - 3 * DAY, "purchase", transaction=f"X-{user}", revenue=amount)
        for user, amount in amounts.items()
    ]
    write_days(tmp_path, [*base_events(), *bought])
    warnings, rows = extract(tmp_path)
    found = {user: rows[user, TEST]["revenue_1_30"] for user in amounts}
    assert found == {"user-1": 0.0, "user-2": 0.0, "user-4": 0.0, "user-5": 9.3e12, "user-7": -5.25}
    assert all(rows[user, TEST]["purchases_1_30"] == 1 for user in amounts)
    assert (
        "purchase_revenue is set but is not a finite number in events of 3 of 60 rows (5.0%); these values count as "
        "missing"
    ) in warnings


def test_value_fields_that_an_exporter_left_out_are_empty(tmp_path, ordinary):
    value = pa.struct([("string_value", pa.string()), ("int_value", pa.int64())])
    narrow = pa.list_(pa.struct([("key", pa.string()), ("value", value)]))
    fields = [pa.field("event_params", narrow) if field.name == "event_params" else field for field in GA4_SCHEMA]
    write_days(tmp_path, base_events(), pa.schema(fields))
    assert extract(tmp_path) == ordinary


def test_the_label_of_a_snapshot_does_not_depend_on_the_others(tmp_path):
    """A purchase in the gap arrives again in the label window: no new conversion."""
    again = [
        event("user-1", TEST + days * DAY, "purchase", transaction="AGAIN", revenue=1.0) for days in (1, 4)
    ]  # in the gap, then in the label window
    write_days(tmp_path, [*base_events(), *again])
    for test_dates in ([TEST], [TEST - 7 * DAY, TEST]):
        _, rows = extract(tmp_path, **{"snapshots.test_dates": [str(date) for date in test_dates]})
        assert rows["user-1", TEST]["converted"] == 0
        assert rows["user-0", TEST]["converted"] == 1


def test_shards_of_a_day(tmp_path, ordinary):
    write_days(tmp_path, base_events()[::2], name="events_{day}-000000000000.parquet")
    write_days(tmp_path, base_events()[1::2], name="events_{day}-000000000001.parquet")
    assert extract(tmp_path) == ordinary
    (tmp_path / "events_20240301.csv").write_text("")
    warnings, _ = extract(tmp_path)
    assert "not read, because the name is not events_YYYYMMDD: events_20240301.csv" in " ".join(warnings)


def test_an_export_of_purchases_alone_goes_on_without_the_features_of_sessions(tmp_path):
    bought = [
        event(f"user-{number}", snapshot - 2 * DAY, "purchase", transaction=f"P-{number}-{snapshot}", revenue=1.0)
        for number in range(30)
        for snapshot in (TRAIN, TEST)
    ]
    write_days(tmp_path, [*(row for row in base_events() if row["event_name"] == "purchase"), *bought])
    out = ["device_category", "session_number_max", "events_per_session"]
    warnings, rows = extract(tmp_path, **{"features.leave_out": out})
    assert rows and not any(name in row for row in rows.values() for name in out)
    assert not any(name in text for text in warnings for name in out)
    assert any("'browser' has no value" in text and "leave_out: [browser]" in text for text in warnings)
