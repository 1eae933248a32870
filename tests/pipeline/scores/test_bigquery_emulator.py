"""The score table on BigQuery over Google's own clients and protocols, against the emulator; `make emulator` makes it.

The emulator has no partitions: tests/emulator/partitions.py gives it those of load jobs. So these tests show that the
table, its queries, uploads and streams are used right. They do not show that BigQuery replaces a partition at once,
that partitions expire, or that a query without a date is refused; test_bigquery_table looks at what is asked for. Nor
do they know an absent data set, at which the emulator fails with an error that Google's clients retry.
"""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.scores import bigquery_loads
from pipeline.scores.bigquery_table import BigQueryScoreTable
from pipeline.scores.layout import ScoresError, score_schema
from pipeline.scores.table import ScoredDay
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.scoring import ScoringSettings
from tests.emulator import server
from tests.pipeline.scores.scored_rows import DAY, NEXT_DAY
from tests.pipeline.scores.test_duckdb_table import AT, files, run_of

pytestmark = pytest.mark.skipif(
    not server.available(), reason="`make emulator` makes the environment of the BigQuery emulator, and it is not there"
)
PROJECT = "my-project"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, server.running(tmp_path_factory.mktemp("emulator")) as running:
        patch.setenv("no_proxy", "127.0.0.1")
        running.client(PROJECT).create_dataset("marketing")
        yield running


@pytest.fixture
def opened(emulator):
    """Opens a table of the emulator."""
    clients = []

    def open_table(name, **settings):
        engine = BigQuerySettings(
            engine="bigquery",
            project=PROJECT,
            location="US",
            source=f"{PROJECT}.shop",
            **{"features_dataset": "features", "scores_dataset": "marketing", **settings},
        )
        clients.append(emulator.client(PROJECT))
        return BigQueryScoreTable(
            engine, name, ScoringSettings(), client=clients[-1], read_client=emulator.read_client()
        )

    yield open_table
    for client in clients:
        client.close()


def query(emulator, sql):
    client = emulator.client(PROJECT)
    return [tuple(row.values()) for row in client.query(sql).result()]


def test_a_day_is_replaced_whole_and_no_other(emulator, opened, tmp_path):
    with opened("whole") as table:
        assert table.scored_days() == []
        table.check(score_schema("user_id", pa.string()))
        table.replace_days(files(tmp_path, 1, 300, [DAY, NEXT_DAY]), run_of(1))
        table.check(score_schema("user_id", pa.string()))
    with opened("whole") as table:
        table.check_free([DAY], "run-2")
        table.replace_days(files(tmp_path, 2, 200), run_of(2))
        assert table.scored_days() == [
            ScoredDay(DAY, 200, "2", "2" * 20, "run-2", AT),
            ScoredDay(NEXT_DAY, 300, "1", "1" * 20, "run-1", AT),
        ]
        assert table.latest_before(NEXT_DAY).run_id == "run-2"
    sql = "SELECT snapshot_date, run_id, COUNT(*) FROM `my-project.marketing.whole` GROUP BY 1, 2 ORDER BY 1"
    assert query(emulator, sql) == [(DAY, "run-2", 200), (NEXT_DAY, "run-1", 300)]
    sql = "SELECT snapshot_date, COUNT(*) FROM `my-project.marketing.whole_latest` GROUP BY 1"
    assert query(emulator, sql) == [(NEXT_DAY, 300)]


def test_the_rows_are_those_of_the_files(opened, tmp_path):
    written = files(tmp_path, 1, 250, [DAY, NEXT_DAY])
    with opened("rows") as table:
        table.replace_days(written, run_of(1))
        found = pa.Table.from_batches(list(table.rows_of(NEXT_DAY)))
        assert [batch.num_rows for batch in table.rows_of(datetime.date(2026, 2, 1)) if batch.num_rows] == []
    assert found.schema.equals(score_schema("user_id", pa.string()))
    rows = sorted(found.to_pylist(), key=lambda row: -row["percentile"])
    assert rows == pq.read_table(written[NEXT_DAY]).to_pylist()


def test_a_retry_is_the_same_job(emulator, opened, tmp_path, monkeypatch):
    written = files(tmp_path, 1, 50)
    with opened("retry") as table:
        table.replace_days(files(tmp_path, 2, 40), run_of(2))
        with monkeypatch.context() as patch:  # cut off after the job, before the table of runs says so
            patch.setattr(bigquery_loads.DayLoad, "finish", cut_off(bigquery_loads.DayLoad.finish))
            with pytest.raises(KeyboardInterrupt):
                table.replace_days(written, run_of(1))
        assert [(day.run_id, day.rows) for day in table.scored_days()] == [("run-1", 50)]
        started = []
        with monkeypatch.context() as patch:
            patch.setattr(bigquery_loads.DayLoad, "_start", lambda *arguments: started.append(arguments))
            table.replace_days(written, run_of(1))
        assert started == []
        assert [(day.run_id, day.rows) for day in table.scored_days()] == [("run-1", 50)]
    sql = "SELECT run_id, job_id, written_at IS NOT NULL FROM `my-project.marketing.retry_runs` ORDER BY started_at, 3"
    rows = query(emulator, sql)
    assert [(run, done) for run, _, done in rows] == [
        ("run-2", False),
        ("run-2", True),
        ("run-1", False),
        ("run-1", False),
        ("run-1", True),
    ]
    assert len({job for run, job, _ in rows if run == "run-1"}) == 1


def cut_off(finish):
    def finish_and_die(*arguments):
        finish(*arguments)
        raise KeyboardInterrupt

    return finish_and_die


def test_an_id_that_exists_is_that_job(opened, tmp_path, monkeypatch):
    """The look-up before the job misses it, as when two attempts start at once."""
    with opened("conflict") as table:
        written = files(tmp_path, 1, 50)
        with monkeypatch.context() as patch:
            patch.setattr(bigquery_loads.DayLoad, "finish", cut_off(bigquery_loads.DayLoad.finish))
            with pytest.raises(KeyboardInterrupt):
                table.replace_days(written, run_of(1))
        with monkeypatch.context() as patch:
            patch.setattr(bigquery_loads.DayLoad, "next_job", lambda load, client: (f"{load.base}_0", None))
            table.replace_days(written, run_of(1))
        assert [(day.run_id, day.rows) for day in table.scored_days()] == [("run-1", 50)]


def test_rows_of_another_date_leave_the_day_as_it_was(opened, tmp_path):
    first, second = files(tmp_path, 1, 50, [DAY, NEXT_DAY]), files(tmp_path, 2, 40)
    with opened("other_date") as table:
        table.replace_days(first, run_of(1))
        with pytest.raises(ScoresError, match=r"BigQuery: .*different partitions") as error:
            table.replace_days({NEXT_DAY: second[DAY]}, run_of(2))
        assert "\n" not in str(error.value)
        assert [(day.date, day.run_id, day.rows) for day in table.scored_days()] == [
            (DAY, "run-1", 50),
            (NEXT_DAY, "run-1", 50),
        ]


def test_a_table_with_other_columns_is_refused(opened, tmp_path):
    with opened("columns") as table:
        table.replace_days(files(tmp_path, 1, 5), run_of(1))
        with pytest.raises(
            ScoresError, match=r"my-project.marketing.columns has 'user_id' as STRING; it must be INT64"
        ):
            table.check(score_schema("user_id", pa.int64()))
