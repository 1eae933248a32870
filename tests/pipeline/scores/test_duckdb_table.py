"""The score table in a DuckDB file: days are replaced whole, and what is wrong is refused in one line."""

import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time

import duckdb
import pyarrow as pa
import pytest

from pipeline.scores.duckdb_table import DuckDBScoreTable
from pipeline.scores.layout import ScoresError, score_schema
from pipeline.scores.table import ScoredDay, ScoringRun, replaced_days
from pipeline.settings.run import DuckDBSettings
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.scores.scored_rows import DAY, NEXT_DAY, ranked, write_scored

ENGINE = DuckDBSettings(engine="duckdb", memory_limit="500MB")
SCHEMA = score_schema("user_id", pa.string())
AT = datetime.datetime(2026, 1, 6, 3, 4, 5, tzinfo=datetime.timezone.utc)


def opened(folder, **settings):
    return DuckDBScoreTable(folder / "scores.duckdb", "scores", ScoringSettings(**settings), ENGINE)


def run_of(number, digest=None):
    return ScoringRun(str(number), digest or f"{number}" * 20, f"run-{number}", AT)


def files(folder, number, rows, dates=(DAY,), prefix="k"):
    """Files of days, with the constants of a run."""
    folder = folder / f"files-{number}"
    folder.mkdir()
    keys = [f"{prefix}{n}" for n in range(rows)] * len(dates)
    probabilities = [(n % 100) / 100 for n in range(rows)] * len(dates)
    scored = write_scored(folder / "in.parquet", keys, probabilities, [date for date in dates for _ in range(rows)])
    run = run_of(number)
    own = {"model_version": run.model_version, "model_digest": run.model_digest, "run_id": run.run_id}
    ranked(folder, scored, constants=own)
    return {date: str(folder / f"{date}.parquet") for date in dates}


def rows_of(folder, sql):
    with contextlib.closing(duckdb.connect(str(folder / "scores.duckdb"))) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def test_a_day_is_replaced_whole_and_no_other(tmp_path):
    with opened(tmp_path) as table:
        assert table.scored_days() == []
        table.replace_days(files(tmp_path, 1, 300, [DAY, NEXT_DAY]), run_of(1))
        table.replace_days(files(tmp_path, 2, 200), run_of(2))
        assert table.scored_days() == [
            ScoredDay(DAY, 200, "2", "2" * 20, "run-2", AT),
            ScoredDay(NEXT_DAY, 300, "1", "1" * 20, "run-1", AT),
        ]
    counts = rows_of(tmp_path, "SELECT snapshot_date, run_id, count(*) FROM scores GROUP BY ALL ORDER BY 1")
    assert counts == [(DAY, "run-2", 200), (NEXT_DAY, "run-1", 300)]
    history = rows_of(tmp_path, "SELECT snapshot_date, model_version, day_rows FROM scores_runs ORDER BY written_at")
    assert history == [(DAY, "1", 300), (NEXT_DAY, "1", 300), (DAY, "2", 200)]


def test_the_rows_are_those_of_the_files(tmp_path):
    written = files(tmp_path, 1, 250, [DAY, NEXT_DAY])
    with opened(tmp_path) as table:
        table.replace_days(written, run_of(1))
        table.check(SCHEMA)
    with opened(tmp_path) as table:
        found = pa.Table.from_batches(list(table.rows_of(NEXT_DAY)))
        assert list(table.rows_of(datetime.date(2026, 2, 1))) == []
    assert found.schema.equals(SCHEMA)
    assert found.to_pylist() == pa.parquet.read_table(written[NEXT_DAY]).to_pylist()


def test_numbers_as_keys(tmp_path):
    scored = write_scored(tmp_path / "in.parquet", list(range(20)), [n / 20 for n in range(20)])
    ranked(tmp_path, scored, key_type=pa.int64())
    with opened(tmp_path) as table:
        table.replace_days({DAY: str(tmp_path / f"{DAY}.parquet")}, run_of(1))
        table.check(score_schema("user_id", pa.int64()))
        assert next(table.rows_of(DAY)).column(0).to_pylist() == list(range(19, -1, -1))


def test_latest_holds_the_newest_score_of_each_customer(tmp_path):
    with opened(tmp_path) as table:
        table.replace_days(files(tmp_path, 1, 5, [NEXT_DAY]), run_of(1))
        table.replace_days(files(tmp_path, 2, 8, [DAY]), run_of(2))
    found = rows_of(tmp_path, "SELECT user_id, snapshot_date FROM scores_latest ORDER BY 1")
    assert found == [(f"k{n}", NEXT_DAY if n < 5 else DAY) for n in range(8)]


def test_latest_before(tmp_path):
    with opened(tmp_path) as table:
        assert table.latest_before(NEXT_DAY) is None
        table.replace_days(files(tmp_path, 1, 5, [DAY, NEXT_DAY]), run_of(1))
        assert table.latest_before(NEXT_DAY).date == DAY
        assert table.latest_before(DAY) is None
        assert table.latest_before(datetime.date(2027, 1, 1)).date == NEXT_DAY


def test_days_that_have_expired_are_deleted_with_the_next_day(tmp_path):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    old, kept = today - datetime.timedelta(days=11), today - datetime.timedelta(days=9)
    with opened(tmp_path) as table:
        table.replace_days(files(tmp_path, 1, 5, [old, kept]), run_of(1))
        assert [day.date for day in table.scored_days()] == [old, kept]
    with opened(tmp_path, expiry_days=10) as table:
        assert [day.date for day in table.scored_days()] == [kept]
        table.replace_days(files(tmp_path, 2, 5, [today]), run_of(2))
    assert rows_of(tmp_path, "SELECT DISTINCT snapshot_date FROM scores ORDER BY 1") == [(kept,), (today,)]
    assert rows_of(tmp_path, "SELECT snapshot_date FROM scores_runs ORDER BY 1") == [(kept,), (today,)]


def test_a_failure_leaves_the_day_and_the_days_written_before_it(tmp_path):
    first = files(tmp_path, 1, 50, [DAY, NEXT_DAY])
    second = files(tmp_path, 2, 40, [DAY])
    with opened(tmp_path) as table:
        table.replace_days(first, run_of(1))
        with pytest.raises(ScoresError, match="rows are not of 2026-01-06; nothing was written"):
            table.replace_days({DAY: second[DAY], NEXT_DAY: second[DAY]}, run_of(2))
        assert [(day.date, day.run_id, day.rows) for day in table.scored_days()] == [
            (DAY, "run-2", 40),
            (NEXT_DAY, "run-1", 50),
        ]
    counts = rows_of(tmp_path, "SELECT snapshot_date, run_id, count(*) FROM scores GROUP BY ALL ORDER BY 1")
    assert counts == [(DAY, "run-2", 40), (NEXT_DAY, "run-1", 50)]


WRITER = """
import datetime, os, sys
from pathlib import Path
import pandas  # which DuckDB imports
from pipeline.scores.duckdb_table import DuckDBScoreTable
from pipeline.scores.table import ScoringRun
from pipeline.settings.run import DuckDBSettings
from pipeline.settings.scoring import ScoringSettings
folder, day = Path(sys.argv[1]), datetime.date.fromisoformat(sys.argv[2])
at = datetime.datetime.now(datetime.timezone.utc)

def write_for_ever():  # opened anew each time, so that kills meet the opening, the checkpoint and the closing too
    while True:
        for number in (1, 2):
            engine = DuckDBSettings(engine="duckdb", threads=1)
            with DuckDBScoreTable(folder / "scores.duckdb", "scores", ScoringSettings(), engine) as table:
                file = str(folder / f"files-{number}" / f"{day}.parquet")
                table.replace_days({day: file}, ScoringRun(str(number), "d", f"run-{number}", at))
            print("written", flush=True)

for line in sys.stdin:  # a fork spares the imports
    child = os.fork()
    if child == 0:
        print(os.getpid(), flush=True)
        write_for_ever()
    _, status = os.waitpid(child, 0)
    print("killed by", os.WTERMSIG(status), flush=True)
"""


def test_killed_at_any_moment_the_day_is_whole(tmp_path):
    rows = {"run-1": 9_000, "run-2": 7_000}
    files(tmp_path, 1, 9_000)
    files(tmp_path, 2, 7_000, prefix="other")
    with opened(tmp_path) as table:
        table.replace_days({NEXT_DAY: files(tmp_path, 3, 10, [NEXT_DAY])[NEXT_DAY]}, run_of(3))
        table.replace_days({DAY: str(tmp_path / "files-1" / f"{DAY}.parquet")}, run_of(1))
    command = [sys.executable, "-c", WRITER, str(tmp_path), DAY.isoformat()]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    seen = set()
    for attempt in range(30):
        writer.stdin.write("go\n")
        pid = int(writer.stdout.readline())
        for _ in range(1 + attempt % 2):
            started = time.monotonic()
            assert writer.stdout.readline() == "written\n"
            seconds = time.monotonic() - started
        time.sleep(seconds * (attempt // 2) / 14)  # it writes the next one now
        os.kill(pid, signal.SIGKILL)
        while (line := writer.stdout.readline()) == "written\n":
            pass
        assert line == f"killed by {int(signal.SIGKILL)}\n"
        with opened(tmp_path) as table:
            if attempt % 3:
                table.check_free([DAY], "run-4")  # opens it for writing
            day, other = table.scored_days()
            found = pa.Table.from_batches(list(table.rows_of(DAY)))
        assert (other.date, other.rows) == (NEXT_DAY, 10)
        assert set(found["run_id"].to_pylist()) == {day.run_id}
        assert day.rows == len(found) == len(set(found["user_id"].to_pylist())) == rows[day.run_id]
        seen.add(day.run_id)
    writer.communicate()
    assert seen == {"run-1", "run-2"}


HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"


def test_a_table_that_another_process_writes_is_refused_by_name(tmp_path):
    with opened(tmp_path) as table:
        table.replace_days(files(tmp_path, 1, 5), run_of(1))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "scores.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "ready\n"
        for method in (lambda table: table.check_free([DAY], "run-2"), DuckDBScoreTable.scored_days):
            with opened(tmp_path) as table, pytest.raises(ScoresError) as error:
                method(table)
            text = str(error.value)
            assert f"scores in {tmp_path / 'scores.duckdb'} is open in another process (python" in text
            assert f"PID {holder.pid}), perhaps a run that writes it; wait until" in text and "\n" not in text
    finally:
        holder.communicate()
    with opened(tmp_path) as table:
        table.check_free([DAY], "run-2")


def test_several_may_read_at_once_but_then_none_writes(tmp_path):
    with opened(tmp_path) as table:
        table.replace_days(files(tmp_path, 1, 5), run_of(1))
    command = [sys.executable, "-c", HOLDER.replace("argv[1]", "argv[1], read_only=True")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    reader = subprocess.Popen([*command, str(tmp_path / "scores.duckdb")], **pipes)
    try:
        assert reader.stdout.readline() == "ready\n"
        with opened(tmp_path) as table:
            assert len(table.scored_days()) == 1
            with pytest.raises(ScoresError, match=f"open in another process .*PID {reader.pid}"):
                table.check_free([DAY], "run-2")
    finally:
        reader.communicate()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("ALTER TABLE scores DROP COLUMN arm", "has no column 'arm'"),
        ("ALTER TABLE scores ADD COLUMN note VARCHAR", "has the column 'note', which scores do not have"),
        ("ALTER TABLE scores ALTER decile TYPE DOUBLE", "has 'decile' as DOUBLE; it must be BIGINT"),
        ("ALTER TABLE scores RENAME user_id TO customer", "has no column 'user_id'"),
    ],
)
def test_a_table_with_other_columns_is_refused_and_left_as_it_was(tmp_path, change, problem):
    with opened(tmp_path) as table:
        table.check(SCHEMA)
        assert not (tmp_path / "scores.duckdb").exists()
        table.replace_days(files(tmp_path, 1, 5), run_of(1))
        table.check(SCHEMA)
    rows_of(tmp_path, "DROP VIEW scores_latest")
    rows_of(tmp_path, change)
    before = rows_of(tmp_path, "SELECT * EXCLUDE (scored_at) FROM scores")
    with opened(tmp_path) as table, pytest.raises(ScoresError) as error:
        table.check(SCHEMA)
    assert f"{problem}; name another table in scoring.table, or move the file away" in str(error.value)
    assert rows_of(tmp_path, "SELECT * EXCLUDE (scored_at) FROM scores") == before


def test_a_key_of_another_type_is_refused(tmp_path):
    with opened(tmp_path) as table:
        table.replace_days(files(tmp_path, 1, 5), run_of(1))
        with pytest.raises(ScoresError, match="has 'user_id' as VARCHAR; it must be BIGINT"):
            table.check(score_schema("user_id", pa.int64()))


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "scores.duckdb").write_text("no database\n" * 500)
    with opened(tmp_path) as table, pytest.raises(ScoresError, match="not a valid DuckDB database"):
        table.check(SCHEMA)


def check_rules(table, rows, number, *, expiry_days=None, replace=False):
    return replaced_days(table, rows, run_of(number), expiry_days=expiry_days, replace=replace)


def test_only_on_request_a_run_replaces_the_scores_of_another_model(tmp_path):
    with opened(tmp_path) as table:
        assert check_rules(table, {DAY: 5, NEXT_DAY: 5}, 1) == {}
        table.replace_days(files(tmp_path, 1, 5, [DAY, NEXT_DAY]), run_of(1))
        assert list(check_rules(table, {DAY: 5}, 1)) == [DAY]
        with pytest.raises(ScoresError) as error:
            check_rules(table, {NEXT_DAY: 5, DAY: 5, datetime.date(2026, 1, 7): 5}, 2)
        assert str(error.value) == (
            "2026-01-05 and 2026-01-06: scored by model 1 (digest 111111111111) before, and this run scores with model "
            "2 (digest 222222222222); to replace those scores, run again with REPLACE=1, or set "
            f"scoring.replace_other_models. The score table scores in {tmp_path / 'scores.duckdb'} is as it was"
        )
        before = check_rules(table, {DAY: 5, NEXT_DAY: 5}, 2, replace=True)
        assert {date: day.model_version for date, day in before.items()} == {DAY: "1", NEXT_DAY: "1"}


def test_no_rows_are_refused(tmp_path):
    with opened(tmp_path) as table:
        for rows in ({}, {DAY: 0}):
            with pytest.raises(ScoresError, match=r"there are no scores to write; the score table .* is as it was"):
                check_rules(table, rows, 1)
        with pytest.raises(ScoresError, match="2026-01-06: no scores; the score table"):
            check_rules(table, {DAY: 4, NEXT_DAY: 0}, 1)


def test_a_day_that_would_expire_at_once_is_refused(tmp_path):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = {today - datetime.timedelta(days=age): 5 for age in (30, 32, 33, 34)}
    oldest = today - datetime.timedelta(days=34)
    with opened(tmp_path) as table:
        with pytest.raises(ScoresError) as error:
            check_rules(table, days, 1, expiry_days=30)
        assert f"{oldest} and 2 more days: older than scoring.expiry_days (30)" in str(error.value)
        assert check_rules(table, days, 1, expiry_days=34) == {}


def test_features_of_days_are_kept_for_later_days(tmp_path):
    with opened(tmp_path) as table:
        assert table.features_before(NEXT_DAY) is None
        table.replace_days(files(tmp_path, 1, 5), run_of(1))
        assert table.features_before(NEXT_DAY) is None
        table.keep_features(DAY, "run-1", '{"a": 1}')
        table.keep_features(DAY, "run-2", '{"a": 2}')
        table.keep_features(NEXT_DAY, "run-3", '{"a": 3}')
        assert table.features_before(NEXT_DAY) == (DAY, '{"a": 2}')
        assert table.features_before(DAY) is None
        assert [day.date for day in table.scored_days()] == [DAY]
