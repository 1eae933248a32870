"""Rows to score: of a table with and without its label, and of events, point in time."""

import datetime

import pandas as pd
import pyarrow as pa
import pytest

from models.config import SettingsError
from models.features import FeatureSet
from pipeline.settings.dataset import Dataset
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings
from pipeline.warehouse.duckdb.engine import DuckDBWarehouse
from pipeline.warehouse.extraction import make_features_table, resolve_scoring, summary_document
from pipeline.warehouse.interface import WarehouseError

FEATURES = FeatureSet(features=[{"name": "visits", "kind": "numeric", "missing": "refuse"}])
TABLE_SQL = (
    "SELECT t.id, CAST(t.visits AS INT64) AS visits, IF(t.bought = 'yes', 1, 0) AS y FROM t WHERE t.bought != ''"
)
EVENTS_SQL = """
SELECT e.user_pseudo_id, snapshot_date, COUNT(*) AS visits, 0 AS y
FROM `events_*` AS e CROSS JOIN UNNEST(@snapshot_dates) AS snapshot_date
WHERE e._TABLE_SUFFIX BETWEEN @first_suffix AND @last_suffix AND e._TABLE_SUFFIX IN UNNEST(@table_suffixes)
  AND PARSE_DATE('%Y%m%d', e.event_date) < snapshot_date
  AND PARSE_DATE('%Y%m%d', e.event_date) >= DATE_SUB(snapshot_date, INTERVAL @lookback_days DAY)
GROUP BY 1, 2
"""


def table_folder(key="id"):
    dataset = Dataset(
        source={"kind": "table", "table": "t"}, columns={"label": "y", "key": key}, split={"test_percent": 20}
    )
    return DatasetFolder(name="mine", dataset=dataset, features=FEATURES, query=TABLE_SQL)


def scored_rows(folder, data, *period):
    with DuckDBWarehouse(DuckDBSettings(engine="duckdb"), data, folder.dataset.source) as warehouse:
        extraction = resolve_scoring(warehouse, folder, *period)
        summary = make_features_table(warehouse, extraction)
        rows = pa.Table.from_batches(warehouse.read(extraction.table, extraction.example_columns))
    return rows, summary_document(extraction, summary)


def write_csv(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_is_scored_with_or_without_its_label(tmp_path):
    known = write_csv(tmp_path / "known.csv", ["id,visits,bought", "a,1,yes", "b,2,no", "c,3,"])
    new = write_csv(tmp_path / "new.csv", ["id,visits", "a,1", "b,2", "c,3"])
    rows, summary = scored_rows(table_folder(), known)
    assert rows.schema.names == ["unit", "id", "visits", "split"]
    assert rows["id"].to_pylist() == ["a", "b", "c"] and set(rows["split"].to_pylist()) == {"score"}
    assert scored_rows(table_folder(), new)[0] == rows
    assert list(summary["splits"]) == [{"split": "score", "date": None, "rows": 3, "positives": 0}]
    assert "test_split" not in summary and not summary["warnings"]


def test_without_a_key_the_digest_of_the_row_does_not_depend_on_the_label(tmp_path):
    known = write_csv(tmp_path / "known.csv", ["id,visits,bought", "a,1,yes", "b,2,no"])
    new = write_csv(tmp_path / "new.csv", ["id,visits", "a,1", "b,2"])
    assert scored_rows(table_folder(None), known)[0]["unit"] == scored_rows(table_folder(None), new)[0]["unit"]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["id,visits"], "a header and no rows"),
        (["id,visits", "a,1", "a,2"], "occur in more than one row"),
        (["id,visits", ",1"], "key 'id' is NULL in 1 rows"),
        (["id,visits", "a,"], "feature 'visits' is missing in 1 rows"),
        (["id,seen", "a,1"], "visits"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(tmp_path, lines, problem):
    with pytest.raises(WarehouseError, match=problem):
        scored_rows(table_folder(), write_csv(tmp_path / "new.csv", lines))


def test_a_table_has_no_back_fill(tmp_path):
    new = write_csv(tmp_path / "new.csv", ["id,visits", "a,1"])
    day = datetime.date(2026, 1, 5)
    with pytest.raises(SettingsError, match="'mine' is a table, which is scored as it is"):
        scored_rows(table_folder(), new, day, day)


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    for day in pd.date_range("2024-01-01", "2024-02-29"):
        text = f"{day:%Y%m%d}"
        users = [f"u{number}" for number in range(20) if (day.day * 7 + number) % 3]
        micros = int(day.timestamp() * 1_000_000)
        frame = pd.DataFrame({"user_pseudo_id": users, "event_date": text, "event_timestamp": micros})
        frame.to_parquet(folder / f"events_{text}.parquet")
    return folder


def events_folder(as_of="latest"):
    dataset = Dataset(
        source={"kind": "ga4"},
        columns={"label": "y", "key": "user_pseudo_id", "date": "snapshot_date"},
        windows={"lookback_days": 7},
        snapshots={"as_of": as_of},
    )
    return DatasetFolder(name="mine", dataset=dataset, features=FEATURES, query=EVENTS_SQL)


def test_a_back_fill_equals_scoring_day_by_day(events):
    first, last = datetime.date(2024, 1, 22), datetime.date(2024, 2, 19)
    whole, summary = scored_rows(events_folder(), events, first, last)
    dates = sorted({count["date"] for count in summary["dates"]})
    assert dates == ["2024-01-22", "2024-01-29", "2024-02-05", "2024-02-12", "2024-02-19"]
    for text in dates:
        date = datetime.date.fromisoformat(text)
        alone, _ = scored_rows(events_folder(date - datetime.timedelta(days=1)), events)
        of_date = whole.filter(pa.compute.equal(whole["snapshot_date"], date))
        assert of_date.sort_by("unit") == alone.sort_by("unit") and len(alone)
