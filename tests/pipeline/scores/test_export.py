"""Scores in files: their rows, and that a file is whole or absent."""

import csv
import datetime
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.scores.export import check_target, export
from pipeline.scores.layout import ScoresError, score_schema
from tests.pipeline.scores.scored_rows import DAY, NEXT_DAY, ranked, write_scored


class Table:
    """A score table of batches by date."""

    name = "scores"

    def __init__(self, days):
        self.days = days

    def rows_of(self, date):
        yield from self.days.get(date, ())


@pytest.fixture
def table(tmp_path):
    keys = ["a", 'b, "c"', "ü", "d"]
    reasons = [["carts_1_7 = 4, up", "country = Germany, down"], [], ["x = 1, up"], None]
    scored = write_scored(tmp_path / "in.parquet", keys, [0.5, 0.25, 0.75, 0.1], [DAY, DAY, NEXT_DAY, DAY], reasons)
    _, days = ranked(tmp_path / "days", scored)
    return Table({date: rows.to_batches(max_chunksize=2) for date, rows in days.items()})


def test_csv_has_the_reasons_in_one_column(table, tmp_path):
    assert export(table, [NEXT_DAY, DAY], tmp_path / "out.csv") == 4
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == score_schema("user_id", pa.string()).names
    found = [(row["user_id"], row["snapshot_date"], float(row["probability"]), row["reasons"]) for row in rows]
    assert found == [
        ("a", "2026-01-05", 0.5, "carts_1_7 = 4, up; country = Germany, down"),
        ('b, "c"', "2026-01-05", 0.25, ""),
        ("d", "2026-01-05", 0.1, ""),
        ("ü", "2026-01-06", 0.75, "x = 1, up"),
    ]
    assert datetime.datetime.fromisoformat(rows[0]["scored_at"].replace("Z", "+00:00")).year == 2026


def test_parquet_has_the_rows_of_the_table(table, tmp_path):
    assert export(table, [DAY], tmp_path / "out.PARQUET") == 3
    assert pq.read_table(tmp_path / "out.PARQUET").equals(pa.Table.from_batches(table.days[DAY]))


def test_a_file_is_replaced_when_the_new_one_is_complete(table, tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old")

    def rows_of(date):
        yield from table.days[DAY]
        assert target.read_text() == "old"
        raise ScoresError("lost the connection")

    with pytest.raises(ScoresError, match="lost the connection"):
        export(type("Broken", (), {"name": "scores", "rows_of": staticmethod(rows_of)})(), [DAY], target)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(".*"))
    export(table, [DAY], target)
    assert target.read_text().startswith('"user_id"')
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "scores.csv.gz"])
def test_another_suffix_is_refused(table, tmp_path, name):
    with pytest.raises(ScoresError, match=r"must end with .csv or .parquet"):
        export(table, [DAY], tmp_path / name)
    assert not (tmp_path / name).exists()


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ScoresError, match=r"EXPORT=.*there is no folder .*absent; make it, or name another file"):
        check_target(tmp_path / "absent" / "scores.csv")


def test_a_folder_instead_of_a_file_is_refused(tmp_path):
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(ScoresError, match="this is a folder; name a file in it"):
        check_target(tmp_path / "x.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ScoresError, match="cannot be written; name another file"):
        check_target(tmp_path / "scores.csv")
    tmp_path.chmod(0o700)


def test_days_without_scores_are_named(table, tmp_path):
    with pytest.raises(ScoresError, match="the score table scores has no scores of 2026-02-01"):
        export(table, [DAY, datetime.date(2026, 2, 1)], tmp_path / "out.csv")
    with pytest.raises(ScoresError, match="there is no day to export"):
        export(table, [], tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
