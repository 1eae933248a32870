import datetime

import pytest

from models.config import SettingsError
from pipeline.settings.dataset import Dataset
from pipeline.warehouse.interface import WarehouseError
from pipeline.warehouse.snapshots import plan_snapshots, unknown_tables_note, usable_tables

DAY = datetime.timedelta(days=1)
NEWEST = datetime.date(2024, 4, 30)
TODAY = datetime.date(2024, 5, 1)


def dataset(source=None, windows=None, snapshots=None):
    return Dataset(
        source={"kind": "ga4", **(source or {})},
        columns={"label": "converted", "key": "user_pseudo_id", "date": "snapshot_date"},
        windows=windows or {},
        snapshots=snapshots or {},
    )


def days(count, newest=NEWEST, prefix=""):
    return [f"{prefix}{newest - back * DAY:%Y%m%d}" for back in range(count)]


def test_grid_dates_and_tables():
    plan = plan_snapshots(days(200), dataset(), TODAY)
    assert plan.as_of == datetime.date(2024, 4, 28)  # settled for three days on 1 May
    assert [str(date) for date in plan.test_dates] == ["2024-04-08", "2024-04-15"]
    assert [str(date) for date in plan.train_dates] == [
        *("2024-02-19", "2024-02-26", "2024-03-04", "2024-03-11", "2024-03-18"),
        "2024-03-25",
    ]
    assert all(date.weekday() == 0 for date in plan.snapshot_dates)
    assert plan.train_dates[-1] + (3 + 7 + 3) * DAY <= plan.test_dates[0]
    assert plan.first_suffix == "20240120" and plan.last_suffix == "20240424"
    assert len(plan.table_suffixes) == 96 and list(plan.table_suffixes) == sorted(plan.table_suffixes)


def test_newest_test_snapshot_waits_for_its_label():
    newest = {}
    for today in (TODAY + back * DAY for back in range(8)):
        plan = plan_snapshots(days(300, today - DAY), dataset(), today)
        last = plan.test_dates[-1]
        assert last + 9 * DAY <= plan.as_of < last + 16 * DAY
        newest[last] = today
    assert len(newest) == 2


def test_stale_tables_and_early_todays_move_the_newest_settled_day():
    assert plan_snapshots(days(200), dataset(), TODAY + 30 * DAY).as_of == datetime.date(2024, 4, 28)
    assert plan_snapshots(days(200), dataset(), TODAY - 10 * DAY).as_of == datetime.date(2024, 4, 18)
    as_of = {"as_of": datetime.date(2024, 4, 20)}
    assert plan_snapshots(days(200), dataset(snapshots=as_of), TODAY).test_dates[-1] == datetime.date(2024, 4, 8)


def test_other_grid_and_windows():
    plan = plan_snapshots(
        days(400),
        dataset(
            windows={"lookback_days": 10, "gap_days": 0, "horizon_days": 1, "settle_days": 0},
            snapshots={"every_days": 1, "train": 3, "test": 1},
        ),
        TODAY,
    )
    assert plan.as_of == NEWEST and plan.test_dates == (NEWEST,)
    assert plan.train_dates == (NEWEST - 3 * DAY, NEWEST - 2 * DAY, NEWEST - DAY)


def test_explicit_dates():
    explicit = {"train_dates": ["2024-02-01", "2024-03-01"], "test_dates": ["2024-04-01"]}
    plan = plan_snapshots(days(200), dataset(snapshots=explicit), TODAY)
    assert [str(date) for date in plan.snapshot_dates] == ["2024-02-01", "2024-03-01", "2024-04-01"]


@pytest.mark.parametrize(
    ("explicit", "problem"),
    [
        (("2024-03-25", "2024-04-01"), r"overlap: .* settled on 2024-04-07, .* may be 2024-03-19"),
        (("2024-03-01", "2024-04-20"), r"snapshot 2024-04-20: .* ends on 2024-04-29, .* possible now is 2024-04-19"),
    ],
)
def test_dates_that_cannot_be_used(explicit, problem):
    snapshots = {"train_dates": explicit[:1], "test_dates": explicit[1:]}
    with pytest.raises(SettingsError, match=problem):
        plan_snapshots(days(200), dataset(snapshots=snapshots), TODAY)


@pytest.mark.parametrize(("second", "problem"), [("2024-02-01", "twice"), ("2024-01-01", "before 2024-01-01")])
def test_dates_must_ascend(second, problem):
    snapshots = {"train_dates": ["2024-02-01", second], "test_dates": ["2024-04-01"]}
    with pytest.raises(SettingsError, match=f"train_dates names 2024-02-01 {problem}"):
        plan_snapshots(days(200), dataset(snapshots=snapshots), TODAY)


def test_as_of_must_be_settled():
    with pytest.raises(SettingsError, match=r"as_of is 2024-04-29, but the newest settled day is 2024-04-28"):
        plan_snapshots(days(200), dataset(snapshots={"as_of": "2024-04-29"}), TODAY)


def test_missing_days_are_listed_unless_known():
    tables = [suffix for suffix in days(200) if suffix not in ("20240301", "20240302", "20240429")]
    with pytest.raises(WarehouseError, match=r"no events table for 2024-03-01, 2024-03-02, within 2024-01-20"):
        plan_snapshots(tables, dataset(), TODAY)
    plan = plan_snapshots(tables, dataset({"missing_days": ["2024-03-01", "2024-03-02"]}), TODAY)
    assert len(plan.table_suffixes) == 94


def test_too_few_days():
    with pytest.raises(
        WarehouseError, match=r"8 snapshots need 96 days \(2024-01-20 to 2024-04-24\), but the source has 54 of them"
    ):
        plan_snapshots(days(60), dataset(), TODAY)


@pytest.mark.parametrize("kind", ["ga4", "ga360"])
def test_a_snapshot_needs_the_same_days_whichever_others_there_are(kind):
    source = {"kind": kind, **({"conversion_event": "transaction"} if kind == "ga360" else {})}
    newest = datetime.date(2024, 4, 15)
    own = {f"{newest + offset * DAY:%Y%m%d}" for offset in range(-30, 10)}  # lookback, gap and label window
    for test_dates in (["2024-04-15"], ["2024-04-01", "2024-04-15"], ["2024-04-08", "2024-04-15"]):
        explicit = {"train_dates": ["2024-02-01"], "test_dates": test_dates}
        plan = plan_snapshots(days(200), dataset(source, snapshots=explicit), TODAY)
        assert own <= set(plan.table_suffixes)


def test_a_day_of_the_gap_must_not_be_missing():
    explicit = {"train_dates": ["2024-02-01"], "test_dates": ["2024-04-15"]}
    tables = [suffix for suffix in days(200) if suffix != "20240416"]
    with pytest.raises(WarehouseError, match="no events table for 2024-04-16"):
        plan_snapshots(tables, dataset(snapshots=explicit), TODAY)


@pytest.mark.parametrize("kind", ["intraday", "fresh"])
def test_the_way_to_tables_of_another_kind_is_told(kind):
    gone = {"20240301", "20240302"}
    tables = [suffix for suffix in days(200) if suffix not in gone]
    with pytest.raises(WarehouseError) as error:
        plan_snapshots([*tables, f"{kind}_20240301", f"{kind}_20230301"], dataset(), TODAY)
    assert f"for 1 of them there is a table events_{kind}_YYYYMMDD: to read it, set source.tables: {kind}" in str(
        error.value
    )
    assert "source.missing_days" in str(error.value)
    with pytest.raises(WarehouseError, match=f"it holds events_{kind}_.* source.tables: {kind}"):
        plan_snapshots(days(200, prefix=f"{kind}_"), dataset(), TODAY)
    with pytest.raises(WarehouseError) as error:
        plan_snapshots(tables, dataset(), TODAY)
    assert kind not in str(error.value)


def test_tables_that_are_not_understood_are_named():
    tables = ["20240101", "intraday_20240102", "20241399", "users", "20240103.csv", *(f"x{n}" for n in range(9))]
    [note] = unknown_tables_note(tables, dataset().source)
    assert "events_20240103.csv, events_20241399, events_users, events_x0, events_x1 and 7 more" in note
    assert unknown_tables_note(["20240101", "fresh_20240102"], dataset().source) == []
    with pytest.raises(WarehouseError, match=r"no events table for 2024-03-01.*; not read, .*: events_20240301.csv"):
        plan_snapshots([*(s for s in days(200) if s != "20240301"), "20240301.csv"], dataset(), TODAY)
    with pytest.raises(WarehouseError, match=r"not enough days: .*; not read, .*: events_20240301.csv"):
        plan_snapshots([*days(60), "20240301.csv"], dataset(), TODAY)
    with pytest.raises(WarehouseError, match="it holds events_2024-01-01, events_users"):
        plan_snapshots(["users", "2024-01-01"], dataset(), TODAY)


def test_no_table_in_the_range():
    explicit = {"train_dates": ["2022-02-01"], "test_dates": ["2022-04-01"]}
    with pytest.raises(
        WarehouseError, match=r"no events table in the range 2022-01-02 to 2022-04-10; .* 2023-10-14 to"
    ):
        plan_snapshots(days(200), dataset(snapshots=explicit), TODAY)
    with pytest.raises(WarehouseError, match="holds no table events_YYYYMMDD"):
        plan_snapshots(days(200, prefix="intraday_"), dataset(), TODAY)


def test_one_table_for_a_day():
    tables = ["20240101", "intraday_20240101", "intraday_20240102", "fresh_20240103", "20241399", "users", "x_20240105"]
    chosen = {
        kind: set(usable_tables(tables, dataset({"tables": kind}).source).values())
        for kind in ("daily", "intraday", "fresh")
    }
    assert chosen["daily"] == {"20240101"}
    assert chosen["intraday"] == {"20240101", "intraday_20240102"}
    assert chosen["fresh"] == {"20240101", "fresh_20240103"}
    assert chosen["intraday"] == set(usable_tables(reversed(tables), dataset({"tables": "intraday"}).source).values())


def test_intraday_suffixes_stay_within_first_and_last():
    tables = [*days(190, NEWEST - 10 * DAY), *days(10, prefix="intraday_")]
    plan = plan_snapshots(tables, dataset({"tables": "intraday"}), TODAY)
    assert plan.first_suffix == "20240120" and plan.last_suffix == "intraday_20240424"
    assert all(plan.first_suffix <= suffix <= plan.last_suffix for suffix in plan.table_suffixes)
