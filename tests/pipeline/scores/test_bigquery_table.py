"""What is asked of BigQuery, by a fake of its client. The real protocol: test_bigquery_emulator."""

import copy
import datetime
import io
import types

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError
from google.cloud import bigquery

from pipeline.scores import files as day_files
from pipeline.scores.bigquery_table import BigQueryScoreTable
from pipeline.scores.layout import ScoresError, score_schema
from pipeline.scores.table import FEATURES_COLUMNS, RUNS_COLUMNS, ScoredDay
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.scoring import ScoringSettings
from tests.pipeline.scores.scored_rows import DAY, NEXT_DAY
from tests.pipeline.scores.test_duckdb_table import AT, files, run_of

SETTINGS = BigQuerySettings(
    engine="bigquery",
    project="my-project",
    location="EU",
    source="their-project.shop",
    features_dataset="features",
    scores_dataset="marketing",
    max_gib=2,
    labels={"team": "growth"},
)
NAME = "my-project.marketing.scores"
SCHEMA = score_schema("user_id", pa.string())


class FakeJob:
    """A load job; `fails` is the error that its end raises."""

    def __init__(self, fails=None, state="DONE"):
        self.fails, self.state, self.waited = fails, state, 0
        self.error_result = {"reason": "invalid"} if fails else None

    def result(self):
        self.waited += 1
        if self.fails:
            raise self.fails
        self.state = "DONE"


class FakeClient:
    """Keeps tables, jobs and the rows of the table of runs; `partition` is what a look into the partition finds."""

    def __init__(self, default_expiry=None):
        self.tables, self.jobs, self.records, self.partition = {}, {}, [], []
        self.asked, self.loads, self.updated, self.looked_up = [], [], [], []
        self.default_expiry, self.next_load = default_expiry, FakeJob

    def get_table(self, name):
        if name not in self.tables:
            raise exceptions.NotFound(f"Not found: Table {name.replace('.', ':', 1)}")
        return copy.deepcopy(self.tables[name])

    def create_table(self, table, exists_ok):
        name = f"{table.project}.{table.dataset_id}.{table.table_id}"
        if name not in self.tables:
            self.tables[name] = bigquery.Table.from_api_repr(table.to_api_repr())
            self.tables[name].expires = self.default_expiry
        return self.get_table(name)

    def update_table(self, table, fields):
        self.updated.append((table.table_id, tuple(fields)))
        self.tables[f"{table.project}.{table.dataset_id}.{table.table_id}"] = table

    def query(self, sql, *, job_config, location):
        self.asked.append((sql, job_config, location))
        values = {parameter.name: parameter.value for parameter in job_config.query_parameters}
        rows = []
        if sql.startswith("INSERT"):
            self.records.append(values)
        elif "COUNT(*)" in sql:
            rows = self.partition
        elif sql.startswith("SELECT"):
            rows = sorted(self.records, key=lambda record: record["started_at"])
        return types.SimpleNamespace(result=lambda: rows)

    def get_job(self, job_id, *, project, location):
        assert (project, location) == ("my-project", "EU")
        self.looked_up.append(job_id)
        if job_id not in self.jobs:
            raise exceptions.NotFound("Not found: Job")
        return self.jobs[job_id]

    def load_table_from_file(self, file, destination, *, job_id, job_config, project, location):
        self._load(file.read(), destination, job_id, job_config, project, location)
        return self.jobs[job_id]

    def load_table_from_uri(self, uri, destination, *, job_id, job_config, project, location):
        self._load(uri, destination, job_id, job_config, project, location)
        return self.jobs[job_id]

    def _load(self, source, destination, job_id, job_config, project, location):
        if job_id in self.jobs:
            raise exceptions.Conflict(f"Already Exists: Job {job_id}")
        self.jobs[job_id] = self.next_load()
        self.loads.append((source, destination, job_id, job_config.to_api_repr()["load"], project, location))


@pytest.fixture
def client():
    return FakeClient()


def opened(client, table="scores", **settings):
    return BigQueryScoreTable(SETTINGS, table, ScoringSettings(**settings), client=client)


def record(number, minute, *, written=True, date=DAY, job="j", rows=10):
    """Rows of the table of runs: that the run began and, if `written`, that it had written the day."""
    run, started = run_of(number), AT + datetime.timedelta(minutes=minute)
    values = [date, rows, run.model_version, run.model_digest, run.run_id, run.scored_at, started]
    ends = [None, *([started + datetime.timedelta(seconds=30)] if written else [])]
    return [dict(zip(RUNS_COLUMNS, [*values, end, job], strict=True)) for end in ends]


def test_the_tables_and_the_view(client, tmp_path):
    opened(client, expiry_days=3_650).replace_days(files(tmp_path, 1, 5), run_of(1))
    table = client.tables[NAME].to_api_repr()
    assert table["timePartitioning"] == {
        "type": "DAY",
        "field": "snapshot_date",
        "expirationMs": str(3_650 * 86_400_000),
    }
    assert table["clustering"] == {"fields": ["user_id"]}
    assert table["requirePartitionFilter"] is True
    assert table["labels"] == {"team": "growth"}
    kinds = [(f["name"], f["type"], f["mode"]) for f in table["schema"]["fields"]]
    assert kinds == [
        ("user_id", "STRING", "REQUIRED"),
        ("snapshot_date", "DATE", "REQUIRED"),
        ("probability", "FLOAT64", "NULLABLE"),
        ("percentile", "FLOAT64", "NULLABLE"),
        ("decile", "INT64", "NULLABLE"),
        ("arm", "STRING", "NULLABLE"),
        ("reasons", "STRING", "REPEATED"),
        ("model_version", "STRING", "NULLABLE"),
        ("model_digest", "STRING", "NULLABLE"),
        ("run_id", "STRING", "NULLABLE"),
        ("scored_at", "TIMESTAMP", "NULLABLE"),
    ]
    runs = client.tables[f"{NAME}_runs"].to_api_repr()
    assert [field["name"] for field in runs["schema"]["fields"]] == list(RUNS_COLUMNS)
    assert "timePartitioning" not in runs
    [view] = [sql for sql, _, _ in client.asked if "VIEW" in sql]
    assert view.splitlines() == [
        f"CREATE OR REPLACE VIEW `{NAME}_latest` OPTIONS (description = 'Each customer\\'s newest score in {NAME}; "
        "made by the propensity pipeline.') AS",
        f"SELECT * FROM `{NAME}` WHERE snapshot_date >= DATE '0001-01-01'",
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY `user_id` ORDER BY snapshot_date DESC, percentile DESC) = 1",
    ]
    for _, config, location in client.asked:
        assert (config.labels, location, config.maximum_bytes_billed) == ({"team": "growth"}, "EU", 2 * 2**30)


def test_a_day_is_a_load_job_into_its_partition(client, tmp_path):
    written = files(tmp_path, 1, 5, [NEXT_DAY, DAY])
    opened(client).replace_days(written, run_of(1))
    assert [load[1] for load in client.loads] == [f"{NAME}$20260105", f"{NAME}$20260106"]
    content, _, job_id, config, project, location = client.loads[0]
    with open(written[DAY], "rb") as file:
        assert content == file.read()
    assert (project, location) == ("my-project", "EU")
    assert config["sourceFormat"] == "PARQUET"
    assert config["writeDisposition"] == "WRITE_TRUNCATE"
    assert config["createDisposition"] == "CREATE_NEVER"
    assert config["parquetOptions"] == {"enableListInference": True}
    assert [field["name"] for field in config["schema"]["fields"]] == SCHEMA.names
    assert job_id.startswith("scores_20260105_") and job_id.endswith("_0")
    assert client.jobs[job_id].waited == 1
    expected = [
        (date, None if first else ..., job)
        for date, job in zip([DAY, NEXT_DAY], client.jobs, strict=True)
        for first in (1, 0)
    ]
    found = [(r["snapshot_date"], r["written_at"] and ..., r["job_id"]) for r in client.records]
    assert found == expected
    assert [(r["day_rows"], r["model_digest"], r["run_id"]) for r in client.records] == [(5, "1" * 20, "run-1")] * 4


def test_on_cloud_storage_the_file_is_loaded_from_there(client, tmp_path, monkeypatch):
    local = files(tmp_path, 1, 5)[DAY]
    remote = "gs://bucket/scores/2026-01-05.parquet"
    opened_paths = []

    def open_remote(path):
        opened_paths.append(path)
        with open(local, "rb") as file:
            return io.BytesIO(file.read())

    monkeypatch.setattr(day_files, "_opened", open_remote)
    opened(client).replace_days({DAY: remote}, run_of(1))
    assert client.loads[0][:2] == (remote, f"{NAME}$20260105")
    assert set(opened_paths) == {remote}


def job_id(folder, *, run=None, table="scores", date=DAY, rows=5):
    """The id of the first load of a day."""
    folder.mkdir()
    client = FakeClient()
    opened(client, table).replace_days(files(folder, 1, rows, [date]), run or run_of(1))
    [load] = client.loads
    return load[2]


def test_the_id_depends_on_table_date_model_and_content(tmp_path):
    first = job_id(tmp_path / "first")
    assert job_id(tmp_path / "again") == first
    changes = [{"table": "other"}, {"date": NEXT_DAY}, {"rows": 6}, {"run": run_of(1, digest="other")}]
    ids = {first, *(job_id(tmp_path / str(number), **change) for number, change in enumerate(changes))}
    assert len(ids) == 5


def test_a_retry_waits_for_the_job_that_it_has_started(client, tmp_path):
    written = files(tmp_path, 1, 5)

    class CutOff(FakeJob):
        def result(self):
            super().result()
            raise KeyboardInterrupt

    client.next_load = CutOff
    with pytest.raises(KeyboardInterrupt):
        opened(client).replace_days(written, run_of(1))
    [job_id] = client.jobs
    client.jobs[job_id] = FakeJob(state="RUNNING")
    opened(client).replace_days(written, run_of(1))
    assert len(client.loads) == 1
    assert client.jobs[job_id].waited == 1
    assert client.records[-1]["written_at"] is not None and client.records[-1]["job_id"] == job_id


def test_a_run_that_loads_the_same_once_more_after_another_run_is_no_retry(client, tmp_path):
    first, second = files(tmp_path, 1, 5), files(tmp_path, 2, 5)
    opened(client).replace_days(first, run_of(1))
    opened(client).replace_days(second, run_of(2))
    opened(client).replace_days(first, run_of(1))
    assert len({load[2] for load in client.loads}) == 3
    assert client.loads[0][0] == client.loads[2][0]


def test_after_a_job_that_failed_comes_the_next_attempt(client, tmp_path):
    written = files(tmp_path, 1, 5)
    client.next_load = lambda: FakeJob(fails=exceptions.BadRequest("Error while reading data, value: 'secret-user'"))
    with pytest.raises(ScoresError, match=f"the score table {NAME}: BigQuery: Error while reading data") as error:
        opened(client).replace_days(written, run_of(1))
    assert "secret-user" not in str(error.value) and "\n" not in str(error.value)
    client.next_load = FakeJob
    opened(client).replace_days(written, run_of(1))
    first, second = client.jobs
    assert (first[-2:], second[-2:]) == ("_0", "_1") and first[:-2] == second[:-2]
    assert [r["job_id"] for r in client.records] == [first, second, second]


def test_no_attempt_for_ever(client, tmp_path):
    written = files(tmp_path, 1, 5)
    client.next_load = lambda: FakeJob(fails=exceptions.BadRequest("bad"))
    for _ in range(20):
        with pytest.raises(ScoresError, match="bad"):
            opened(client).replace_days(written, run_of(1))
    with pytest.raises(ScoresError, match=r"2026-01-05: 20 load jobs into .* have failed, the last one .*_19; see its"):
        opened(client).replace_days(written, run_of(1))
    assert len(client.loads) == 20


def test_an_id_that_has_come_up_meanwhile_is_that_job(client, tmp_path, monkeypatch):
    written = files(tmp_path, 1, 5)
    start = client._load

    def started_elsewhere(*arguments):
        client.jobs[arguments[2]] = FakeJob(state="RUNNING")
        start(*arguments)

    monkeypatch.setattr(client, "_load", started_elsewhere)
    opened(client).replace_days(written, run_of(1))
    [job] = client.jobs.values()
    assert job.waited == 1 and client.loads == []
    assert client.records[-1]["written_at"] is not None


def test_settings_that_have_changed_change_the_table(client, tmp_path):
    written = files(tmp_path, 1, 5)
    opened(client).replace_days(written, run_of(1))
    assert client.tables[NAME].time_partitioning.expiration_ms == 36_500 * 86_400_000
    assert client.updated == []
    opened(client, expiry_days=3_650, require_partition_filter=False).replace_days(written, run_of(1))
    assert client.updated == [("scores", ("require_partition_filter", "time_partitioning"))]
    assert client.tables[NAME].time_partitioning.expiration_ms == 3_650 * 86_400_000
    assert client.tables[NAME].require_partition_filter is False


def test_the_default_expiry_of_a_data_set_of_features_does_not_count(tmp_path):
    client = FakeClient(default_expiry=datetime.datetime(2026, 2, 1, tzinfo=datetime.timezone.utc))
    opened(client).replace_days(files(tmp_path, 1, 5), run_of(1))
    assert client.updated == [("scores", ("expires",)), ("scores_runs", ("expires",))]
    assert client.tables[NAME].expires is None


def test_an_absent_table_passes_and_has_no_days(client):
    table = opened(client)
    table.check(SCHEMA)
    table.check_free([DAY], "run-1")
    assert table.scored_days() == []
    assert list(table.rows_of(DAY)) == []
    assert client.tables == {}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: setattr(t, "schema", t.schema[:-1]), "has no column 'scored_at'"),
        (
            lambda t: setattr(t, "schema", [*t.schema, bigquery.SchemaField("note", "STRING")]),
            "has the column 'note', which scores do not have",
        ),
        (
            lambda t: setattr(t, "schema", [bigquery.SchemaField("user_id", "INTEGER"), *t.schema[1:]]),
            "has 'user_id' as INT64; it must be STRING",
        ),
        (lambda t: t._properties.pop("timePartitioning"), "is not partitioned by the day of 'snapshot_date'"),
        (
            lambda t: setattr(t, "time_partitioning", bigquery.TimePartitioning(field="snapshot_date", type_="MONTH")),
            "is not partitioned by the day of 'snapshot_date'",
        ),
    ],
)
def test_another_table_is_refused(client, tmp_path, change, problem):
    opened(client).replace_days(files(tmp_path, 1, 5), run_of(1))
    opened(client).check(SCHEMA)
    change(client.tables[NAME])
    with pytest.raises(ScoresError) as error:
        opened(client).check(SCHEMA)
    assert f"{NAME} {problem}; name another table in scoring.table, or rename this one" in str(error.value)


def test_older_names_of_types_are_the_same_types(client, tmp_path):
    opened(client).replace_days(files(tmp_path, 1, 5), run_of(1))
    table = client.tables[NAME]
    older = {"INT64": "INTEGER", "FLOAT64": "FLOAT"}
    table.schema = [
        bigquery.SchemaField(f.name, older.get(f.field_type, f.field_type), mode=f.mode) for f in reversed(table.schema)
    ]
    opened(client).check(SCHEMA)


def test_a_day_that_another_run_writes_now_is_refused(client):
    client.records = [*record(1, 0, job="old"), *record(2, 1, written=False, job="now")]
    client.jobs = {"old": FakeJob(), "now": FakeJob(state="RUNNING")}
    table = opened(client)
    with pytest.raises(ScoresError, match=r"2026-01-05: run run-2 is writing the score table .* \(job now\); wait"):
        table.check_free([DAY], "run-3")
    table.check_free([DAY], "run-2")  # a retry of that run
    table.check_free([NEXT_DAY], "run-3")
    client.jobs["now"].state = "DONE"
    table.check_free([DAY], "run-3")
    client.jobs.clear()
    table.check_free([DAY], "run-3")
    assert set(client.looked_up) == {"now"}  # jobs that are known to have ended need no call


def found_days(client, **settings):
    client.tables.setdefault(NAME, bigquery.Table(NAME))
    return opened(client, **settings).scored_days()


def test_the_newest_run_of_a_day_counts(client):
    client.records = [*record(2, 5, rows=20), *record(1, 0), *record(1, 0, date=NEXT_DAY)]
    assert found_days(client) == [
        ScoredDay(DAY, 20, "2", "2" * 20, "run-2", AT),
        ScoredDay(NEXT_DAY, 10, "1", "1" * 20, "run-1", AT),
    ]
    assert not any("COUNT(*)" in sql for sql, _, _ in client.asked)


def test_after_a_run_that_was_cut_off_the_partition_says_who_wrote_it(client):
    client.records = [*record(1, 0), *record(2, 5, written=False)]
    for holds in (1, 2):
        run = run_of(holds)
        row = {"day_rows": 77, "scored_at": AT, "run_id": run.run_id}
        client.partition = [{**row, "model_version": run.model_version, "model_digest": run.model_digest}]
        assert found_days(client) == [ScoredDay(DAY, 77, str(holds), f"{holds}" * 20, f"run-{holds}", AT)]
    sql, config, _ = client.asked[-1]
    assert sql == (
        "SELECT COUNT(*) AS day_rows, model_version, model_digest, run_id, scored_at "
        f"FROM `{NAME}` WHERE snapshot_date = @day GROUP BY model_version, model_digest, run_id, scored_at"
    )
    assert [parameter.to_api_repr()["parameterValue"] for parameter in config.query_parameters] == [
        {"value": "2026-01-05"}
    ]
    client.partition = []
    assert found_days(client) == []


def test_a_run_that_was_cut_off_before_the_newest_one_does_not_count(client):
    client.records = [*record(2, 0, written=False), *record(1, 5)]
    assert [day.run_id for day in found_days(client)] == ["run-1"]
    assert not any("COUNT(*)" in sql for sql, _, _ in client.asked)


def test_days_that_have_expired_are_not_there(client):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    old, kept = today - datetime.timedelta(days=11), today - datetime.timedelta(days=9)
    client.records = [*record(1, 0, date=old), *record(1, 1, date=kept)]
    assert [day.date for day in found_days(client, expiry_days=10)] == [kept]
    assert [day.date for day in found_days(client)] == [old, kept]


def test_rows_of_asks_for_one_day(client, tmp_path):
    opened(client).replace_days(files(tmp_path, 1, 5), run_of(1))
    asked = {}

    def create_read_session(*, parent, read_session, max_stream_count):
        asked.update(parent=parent, session=read_session)
        return types.SimpleNamespace(streams=[])

    reader = types.SimpleNamespace(create_read_session=create_read_session)
    table = BigQueryScoreTable(SETTINGS, "scores", ScoringSettings(), client=client, read_client=reader)
    assert list(table.rows_of(DAY)) == []
    options = asked["session"].read_options
    assert options.row_restriction == "snapshot_date = DATE '2026-01-05'"
    assert list(options.selected_fields) == SCHEMA.names
    assert asked["session"].table == "projects/my-project/datasets/marketing/tables/scores"


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (
            exceptions.NotFound("Not found: Dataset my-project:marketing was not found in location EU"),
            r"a data set must be in warehouse.location, see .*scores_dataset of the run's settings",
        ),
        (exceptions.Forbidden("Access Denied: Table x: Permission bigquery.tables.get denied"), "grant the account"),
        (DefaultCredentialsError("no credentials"), "gcloud auth application-default login"),
    ],
)
def test_errors_are_one_line_that_says_what_to_do(client, monkeypatch, raised, text):
    def fail(*_, **__):
        raise raised

    monkeypatch.setattr(client, "get_table", fail)
    with pytest.raises(ScoresError, match=text) as error:
        opened(client).check(SCHEMA)
    assert "\n" not in str(error.value) and NAME in str(error.value)


def test_features_of_days_are_kept_for_later_days(client, monkeypatch):
    table = opened(client)
    table.keep_features(DAY, "run-1", '{"a": 1}')
    assert [field["name"] for field in client.tables[f"{NAME}_features"].to_api_repr()["schema"]["fields"]] == list(
        FEATURES_COLUMNS
    )
    [kept] = client.records
    assert (kept["snapshot_date"], kept["run_id"], kept["features"]) == (DAY, "run-1", '{"a": 1}')
    monkeypatch.setattr(
        client, "query", lambda sql, **_: asked.append(sql) or types.SimpleNamespace(result=lambda: [kept])
    )
    asked = []
    assert table.features_before(NEXT_DAY) == (DAY, '{"a": 1}')
    assert asked[0].endswith("WHERE snapshot_date < @day ORDER BY snapshot_date DESC, written_at DESC LIMIT 1")


def test_without_a_table_of_features_there_are_none(client, monkeypatch):
    def absent(*_, **__):
        raise exceptions.NotFound("Not found: Table")

    monkeypatch.setattr(client, "query", absent)
    assert opened(client).features_before(NEXT_DAY) is None
