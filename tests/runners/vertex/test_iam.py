"""Every request that this project's code makes is allowed by a role of iam.yaml, and little else is."""

import base64
import contextlib
import datetime
import importlib.util
import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery

from models.config import SettingsError, validate_settings
from pipeline.scores import bigquery_loads
from pipeline.scores.bigquery_table import BigQueryScoreTable
from pipeline.scores.layout import score_schema
from pipeline.scores.table import ScoringRun
from pipeline.settings.dataset import EventSource
from pipeline.settings.run import BigQuerySettings
from pipeline.settings.scoring import ScoringSettings
from pipeline.warehouse.bigquery.engine import BigQueryWarehouse
from pipeline.warehouse.interface import Query
from runners import vertex_release
from runners.doctor import examination
from runners.vertex.iam import TABLE_HEADER, Roles, load_roles, roles_table
from runners.vertex.kinds import KINDS
from runners.vertex.settings import load_vertex_settings
from tests.runners.cloud.doctor import SETTINGS, add_routes, healthy
from tests.runners.cloud.runs import EXAMPLE, all_requests, place_in
from tests.runners.cloud.server import Refusal

ROOT = Path(__file__).parents[3]
JOBS, DATA = r"/v1/projects/[^/]+/locations/[^/]+", r"/bigquery/v2/projects/[^/]+"
NONE = ()  # the service asks for no permission: whoever calls is told about themselves
RUNS, ACT = ("aiplatform.pipelineJobs", "project"), ("iam.serviceAccounts.actAs", "the pipeline's account")

# By method and path: what the caller must be allowed to do, and on what.
PERMISSIONS = [
    ("POST", rf"{JOBS}/pipelineJobs", [("aiplatform.pipelineJobs.create", "project"), ACT]),
    ("GET", rf"{JOBS}/pipelineJobs", [("aiplatform.pipelineJobs.list", "project")]),
    ("GET", rf"{JOBS}/pipelineJobs/[^/:]+", [("aiplatform.pipelineJobs.get", "project")]),
    ("POST", rf"{JOBS}/pipelineJobs/[^/:]+:cancel", [("aiplatform.pipelineJobs.cancel", "project")]),
    ("DELETE", rf"{JOBS}/pipelineJobs/[^/:]+", [("aiplatform.pipelineJobs.delete", "project")]),
    ("GET", rf"{JOBS}/(pipelineJobs/)?operations/[^/]+", [("aiplatform.pipelineJobs.get", "project")]),
    ("POST", rf"{JOBS}/schedules", [("aiplatform.schedules.create", "project"), ACT]),
    ("GET", rf"{JOBS}/schedules", [("aiplatform.schedules.list", "project")]),
    ("GET", rf"{JOBS}/schedules/[^/:]+", [("aiplatform.schedules.get", "project")]),
    (
        "PATCH",
        rf"{JOBS}/schedules/[^/:]+",
        [("aiplatform.schedules.update", "project"), ("aiplatform.schedules.get", "project"), ACT],
    ),
    ("POST", rf"{JOBS}/schedules/[^/:]+:(pause|resume)", [("aiplatform.schedules.update", "project")]),
    ("DELETE", rf"{JOBS}/schedules/[^/:]+", [("aiplatform.schedules.delete", "project")]),
    ("GET", rf"{JOBS}/metadataStores/default/artifacts", [("aiplatform.artifacts.list", "project")]),
    ("GET", r"/v1b3/projects/[^/]+/locations/[^/]+/jobs", [("dataflow.jobs.list", "project")]),
    ("GET", r"/v1b3/projects/[^/]+/locations/[^/]+/jobs/[^/]+", [("dataflow.jobs.get", "project")]),
    ("PUT", r"/v1b3/projects/[^/]+/locations/[^/]+/jobs/[^/]+", [("dataflow.jobs.cancel", "project")]),
    ("GET", r"/storage/v1/b/[^/]+", [("storage.buckets.get", "bucket")]),
    ("GET", r"/storage/v1/b/[^/]+/iam/testPermissions", NONE),
    ("GET", r"/storage/v1/b/[^/]+/o", [("storage.objects.list", "bucket")]),
    ("GET", r"(/download)?/storage/v1/b/[^/]+/o/.+", [("storage.objects.get", "bucket")]),
    # An object of the same name is replaced.
    (
        "POST",
        r"/upload/storage/v1/b/[^/]+/o",
        [("storage.objects.create", "bucket"), ("storage.objects.delete", "bucket")],
    ),
    ("DELETE", r"/storage/v1/b/[^/]+/o/.+", [("storage.objects.delete", "bucket")]),
    ("GET", rf"{DATA}/datasets/analytics_1", [("bigquery.datasets.get", "source data set")]),
    ("GET", rf"{DATA}/datasets/propensity", [("bigquery.datasets.get", "features data set")]),
    ("GET", rf"{DATA}/datasets/scores", [("bigquery.datasets.get", "scores data set")]),
    ("GET", rf"{DATA}/datasets/propensity/tables", [("bigquery.tables.list", "features data set")]),
    ("DELETE", rf"{DATA}/datasets/propensity/tables/[^/]+", [("bigquery.tables.delete", "features data set")]),
    ("GET", rf"{DATA}/datasets/scores/tables/[^/]+", [("bigquery.tables.get", "scores data set")]),
    ("POST", rf"{DATA}/datasets/scores/tables", [("bigquery.tables.create", "scores data set")]),
    ("PATCH", rf"{DATA}/datasets/scores/tables/[^/]+", [("bigquery.tables.update", "scores data set")]),
    ("POST", rf"{DATA}/jobs", [("bigquery.jobs.create", "warehouse project")]),
    ("GET", rf"{DATA}/queries/[^/]+", NONE),  # of one's own job
    ("GET", rf"{DATA}/jobs/[^/]+", NONE),
    ("GET", r"/v1/projects/[^/]+/services:batchGet", [("serviceusage.services.get", "project")]),
    ("POST", r"/v1/projects/[^/]+:getIamPolicy", [("resourcemanager.projects.getIamPolicy", "project")]),
    ("POST", r"/v1/projects/.+:testIamPermissions", NONE),
    ("GET", r"/v2/.+/(manifests|blobs)/.+", [("artifactregistry.repositories.downloadArtifacts", "repository")]),
]

# By what a query says: what its job must be allowed to do beyond being made.
IN_QUERIES = [
    (
        r"`[\w-]+\.analytics_1\.__TABLES__`",
        [("bigquery.tables.list", "source data set"), ("bigquery.tables.get", "source data set")],
    ),
    (
        r"`[\w-]+\.analytics_1\.events_",
        [
            ("bigquery.tables.get", "source data set"),
            ("bigquery.tables.list", "source data set"),
            ("bigquery.tables.getData", "source data set"),
        ],
    ),
    (
        r"CREATE TABLE `[\w-]+\.propensity\.",
        [("bigquery.tables.create", "features data set"), ("bigquery.tables.updateData", "features data set")],
    ),
    (
        r"CREATE OR REPLACE VIEW `[\w-]+\.scores\.",
        [
            *((f"bigquery.tables.{verb}", "scores data set") for verb in ("create", "update")),
            ("bigquery.tables.getData", "scores data set"),
        ],
    ),
    (r"INSERT INTO `[\w-]+\.scores\.", [("bigquery.tables.updateData", "scores data set")]),
    (
        r"FROM `[\w-]+\.scores\.",
        [("bigquery.tables.get", "scores data set"), ("bigquery.tables.getData", "scores data set")],
    ),
    (
        r"FROM `[\w-]+\.propensity\.",
        [("bigquery.tables.get", "features data set"), ("bigquery.tables.getData", "features data set")],
    ),
]

# What a load job of scores must be allowed to do beyond being made; the last one reads the file.
IN_LOADS = [
    *((f"bigquery.tables.{verb}", "scores data set") for verb in ("create", "update", "updateData")),
    ("storage.objects.get", "bucket"),
]

# The Storage Read API's methods.
IN_READS = {
    "create_read_session": [
        ("bigquery.readsessions.create", "warehouse project"),
        ("bigquery.tables.getData", "features data set"),
    ],
    "read_rows": [("bigquery.readsessions.getData", "warehouse project")],
}


def permissions_of(method, path):
    fitting = [needed for verb, pattern, needed in PERMISSIONS if verb == method and re.fullmatch(pattern, path)]
    assert fitting, f"{method} {path}: no permission is known for this request"
    return fitting[0]


def permissions_of_query(text):
    return [needed for pattern, found in IN_QUERIES if re.search(pattern, text) for needed in found]


def held_by(*accounts):
    """(permission, resource) of all grants."""
    grants = [grant for account in accounts for grant in load_roles().account(account).grants]
    return {(permission, grant.resource) for grant in grants for permission in grant.permissions}


# The deployer: every command against a local server


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    """Method and path of each request of each command."""
    return all_requests(tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def world_place(tmp_path_factory):
    with place_in(tmp_path_factory.mktemp("doctor"), **SETTINGS) as place:
        add_routes(place.cloud, healthy(place))
        yield place


@pytest.fixture(scope="module")
def doctor(world_place):
    """The doctor's requests."""
    place = world_place
    place.cloud.calls.clear()
    warehouse = place.settings.warehouse.model_copy(update={"scores_dataset": "scores"})
    settings = place.settings.model_copy(update={"warehouse": warehouse})
    for kind in KINDS.values():
        examination.run_doctor(place.dataset, settings, clients=place.clients, out=io.StringIO(), kind=kind)
    return list(place.cloud.calls)


@pytest.fixture(scope="module")
def release(world_place, tmp_path_factory):
    """The requests of CI's upload."""
    place = world_place
    place.cloud.calls.clear()
    request = tmp_path_factory.mktemp("release") / "request.json"
    request.write_text("{}")
    arguments = ["upload", f"--settings={place.settings_file}", f"--request={request}", "--commit=c0ffee"]
    assert vertex_release.main(arguments, place.clients) == 0
    return place.cloud.seen()


def needed_by_deployer(commands, doctor, release):
    needed = {found for asked in commands.values() for call in asked for found in permissions_of(*call)}
    needed |= {found for call in release for found in permissions_of(*call)}
    for call in doctor:
        needed |= set(permissions_of(call.method, call.path))
        if call.path.endswith("/jobs"):
            needed |= set(permissions_of_query(call.body["configuration"]["query"]["query"]))
    return needed


def test_the_deployer_may_do_what_its_commands_ask_for(commands, doctor, release):
    assert {command.split()[0] for command in commands} == {"submit", "status", "cancel", "schedule", "teardown"}
    assert needed_by_deployer(commands, doctor, release) - held_by("deployer") == set()


def test_the_deployer_may_do_nothing_else(commands, doctor, release):
    assert held_by("deployer") - needed_by_deployer(commands, doctor, release) == set()


def test_a_request_that_nobody_thought_of_fails():
    with pytest.raises(AssertionError, match="no permission is known"):
        permissions_of("POST", "/v1/projects/p/locations/l/endpoints")


# The pipeline: its warehouse


class ReadClient:
    """Stands for the Storage Read API's client: the names of the methods that were called."""

    def __init__(self):
        self.called = []

    def create_read_session(self, **arguments):
        self.called.append("create_read_session")
        stream = type("Stream", (), {"name": "s"})
        return type("Session", (), {"streams": [stream]})

    def read_rows(self, name):
        self.called.append("read_rows")
        page = type("Page", (), {"to_arrow": lambda self: pa.RecordBatch.from_arrays([pa.array([1])], names=["n"])})
        return type("Rows", (), {"rows": lambda self, session: type("Pages", (), {"pages": [page()]})})()


def test_the_pipeline_may_do_what_the_warehouse_does(world_place):
    place = world_place
    done = {"status": {"state": "DONE"}, "statistics": {"query": {"statementType": "CREATE_TABLE_AS_SELECT"}}}
    place.cloud.add(
        "POST",
        rf"{DATA}/jobs",
        lambda cloud, match, call: {**done, **call.body, "jobReference": call.body["jobReference"]},
    )
    rows = {"jobComplete": True, "totalRows": "0", "schema": {"fields": [{"name": "n", "type": "INTEGER"}]}}
    place.cloud.add(
        "GET", rf"{DATA}/queries/([^/]+)", lambda cloud, match, call: {**rows, "jobReference": {"jobId": match[1]}}
    )
    place.cloud.add("DELETE", rf"{DATA}/datasets/propensity/tables/[^/]+", lambda *asked: {})
    place.cloud.calls.clear()
    settings, reads = place.settings.warehouse, ReadClient()
    assert isinstance(settings, BigQuerySettings)
    client = bigquery.Client(
        project=settings.project,
        credentials=place.clients.credentials,
        client_options={"api_endpoint": place.cloud.url},
    )
    query = Query("SELECT COUNT(*) AS n FROM `events_*` AS e")
    with BigQueryWarehouse(settings, EventSource(kind="ga4"), client=client, read_client=reads) as warehouse:
        warehouse.source_tables("events_")
        warehouse.create_table("features_x", query, partition_by=None, order_by=[])
        warehouse.select(Query("SELECT COUNT(*) AS n FROM `features_x` AS t"))
        assert [batch.num_rows for batch in warehouse.read("features_x", ["n"])] == [1]
        warehouse.drop_table("features_x")
    needed = {found for call in place.cloud.seen() for found in permissions_of(*call)}
    texts = [call.body["configuration"]["query"]["query"] for call in place.cloud.calls if call.path.endswith("/jobs")]
    found = [permissions_of_query(text) for text in texts]
    assert len(texts) == 4 and all(found)
    needed |= {one for those in found for one in those} | {one for name in reads.called for one in IN_READS[name]}
    of_bigquery = {one for one in held_by("pipeline") if one[0].startswith("bigquery.")}
    assert needed == {one for one in of_bigquery if one[1] != "scores data set"}


# The pipeline: the score table


def test_the_pipeline_may_do_what_the_score_table_does(world_place, tmp_path, monkeypatch):
    place = world_place
    monkeypatch.setattr(bigquery_loads, "GCS", str(tmp_path))  # BigQuery itself reads the artifact's file
    warehouse = place.settings.warehouse.model_copy(update={"scores_dataset": "scores"})
    tables, jobs = {}, {}
    place.cloud.calls.clear()
    with _score_routes(place.cloud, tables, jobs):
        client = bigquery.Client(
            project=warehouse.project,
            credentials=place.clients.credentials,
            client_options={"api_endpoint": place.cloud.url},
        )
        run = ScoringRun("1", "digest", "run-1", datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc))
        file = _scored_day(tmp_path, run)
        with BigQueryScoreTable(warehouse, "scores_ga4", ScoringSettings(expiry_days=9), client=client) as table:
            table.check(pq.read_schema(file))
            table.replace_days({datetime.date(2026, 1, 4): file}, run)
    assert {name for name in tables} == {"scores_ga4", "scores_ga4_runs"}
    needed, in_jobs, loads = set(), [], []
    for call in place.cloud.calls:
        needed |= set(permissions_of(call.method, call.path))
        configuration = call.body["configuration"] if call.method == "POST" and call.path.endswith("/jobs") else {}
        if "query" in configuration:
            in_jobs.append(permissions_of_query(configuration["query"]["query"]))
        if "load" in configuration:
            loads.append(configuration["load"]["destinationTable"]["tableId"])
            needed |= set(IN_LOADS)
    assert all(in_jobs) and loads == ["scores_ga4$20260104"]
    assert IN_LOADS[-1] in held_by("pipeline")
    needed |= {one for found in in_jobs for one in found}
    of_scores = {one for one in held_by("pipeline") if one[1] == "scores data set"}
    assert needed - {("bigquery.jobs.create", "warehouse project"), IN_LOADS[-1]} == of_scores


def _scored_day(folder, run):
    """A Parquet file of one row, as Scorer writes it."""
    values = ["user", datetime.date(2026, 1, 4), 0.5, 100.0, 1, "treated", ["visits = 1, up"]]
    values += [run.model_version, run.model_digest, run.run_id, run.scored_at]
    schema = score_schema("user_id", pa.string())
    path = folder / "2026-01-04.parquet"
    columns = [pa.array([value], field.type) for value, field in zip(values, schema, strict=True)]
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), path)
    return str(path)


@contextlib.contextmanager
def _score_routes(cloud, tables, jobs):
    """The server makes tables, and every job has ended; then it is as before."""
    before = list(cloud._routes)

    def get_table(cloud, match, call):
        if match[1] not in tables:
            raise Refusal(404, f"Not found: Table acme-data:scores.{match[1]}")
        return tables[match[1]]

    def make_table(cloud, match, call):
        name = call.body["tableReference"]["tableId"]
        tables[name] = {**call.body, "requirePartitionFilter": False}  # which the settings then change
        return tables[name]

    def change_table(cloud, match, call):
        tables[match[1]] |= call.body
        return tables[match[1]]

    def get_job(cloud, match, call):
        if match[1] not in jobs:
            raise Refusal(404, f"Not found: Job acme-data:{match[1]}")
        return jobs[match[1]]

    def make_job(cloud, match, call):
        made = {**call.body, "status": {"state": "DONE"}, "statistics": {"query": {"statementType": "INSERT"}}}
        jobs[made["jobReference"]["jobId"]] = made
        return made

    rows = {"jobComplete": True, "totalRows": "0", "schema": {"fields": [{"name": "n", "type": "INTEGER"}]}}
    cloud.add("GET", rf"{DATA}/datasets/scores/tables/([^/]+)", get_table)
    cloud.add("POST", rf"{DATA}/datasets/scores/tables", make_table)
    cloud.add("PATCH", rf"{DATA}/datasets/scores/tables/([^/]+)", change_table)
    cloud.add("GET", rf"{DATA}/jobs/([^/]+)", get_job)
    cloud.add("POST", rf"{DATA}/jobs", make_job)
    cloud.add(
        "GET", rf"{DATA}/queries/([^/]+)", lambda cloud, match, call: {**rows, "jobReference": {"jobId": match[1]}}
    )
    yield
    cloud._routes[:] = before


# The function


@pytest.fixture(scope="module")
def triggered(world_place, tmp_path_factory):
    """The function's requests, by real clients."""
    place = world_place
    spec = importlib.util.spec_from_file_location("trigger_main", ROOT / "runners" / "trigger" / "main.py")
    main = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(main)
    output, storage, pipelines = io.StringIO(), place.clients.storage, place.clients.pipelines
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", output)
        assert place.run("submit", "--dry-run") == 0
        place.cloud.objects["acme-models"]["jobs/request.json"] = output.getvalue().encode()
        patch.setattr(main.storage, "Client", lambda: storage)
        patch.setattr(main.aiplatform_v1, "PipelineServiceClient", lambda client_options: pipelines)
        patch.setenv("REQUEST", "gs://acme-models/jobs/request.json")
        place.cloud.calls.clear()
        body = base64.b64encode(json.dumps({"table": "p.d.events_20260131"}).encode()).decode()
        event = type("Event", (dict,), {"data": {"message": {"data": body}}})(id="17")
        main.on_message(event)
        main.on_message(event)
    calls = list(place.cloud.seen())
    assert len(place.cloud.runs) == 1
    assert "was submitted before" in output.getvalue().splitlines()[-1]
    return calls


def test_the_function_may_do_what_it_does_and_nothing_else(triggered):
    needed = {found for call in triggered for found in permissions_of(*call)}
    by_pubsub = {("run.routes.invoke", "trigger function")}  # calls it as this account
    assert needed | by_pubsub == held_by("trigger")


# What no request of this project's own shows


def test_what_is_asked_by_others_libraries():
    """Vertex AI's launcher, TFX's extensions, TensorFlow's file system and Beam ask in the accounts' names."""
    of_pipeline = {
        ("aiplatform.metadataStores.get", "project"),
        ("aiplatform.contexts.create", "project"),
        ("aiplatform.executions.create", "project"),
        ("aiplatform.artifacts.create", "project"),
        ("aiplatform.artifacts.list", "project"),
        ("aiplatform.customJobs.create", "project"),
        ("aiplatform.customJobs.get", "project"),
        ("dataflow.jobs.create", "project"),
        ("dataflow.jobs.get", "project"),
        ("dataflow.messages.list", "project"),
        ("dataflow.metrics.get", "project"),
        ("iam.serviceAccounts.actAs", "Dataflow's account"),
        ("iam.serviceAccounts.actAs", "the pipeline's account"),
        ("pubsub.topics.publish", "alert topic"),
        ("storage.buckets.get", "bucket"),
        *((f"storage.objects.{verb}", "bucket") for verb in ("create", "get", "list", "delete")),
    }
    assert {one for one in held_by("pipeline") if not one[0].startswith("bigquery.")} == of_pipeline


# The file


def test_roles_are_predefined_and_narrow():
    for account, grant in load_roles().rows():
        assert grant.role not in ("roles/owner", "roles/editor", "roles/viewer")
        assert not grant.role.lower().endswith("admin"), f"{account.name}: {grant.role}"
        services = {permission.partition(".")[0] for permission in grant.permissions}
        mixed = {"roles/dataflow.worker": {"dataflow", "storage"}, "roles/browser": {"resourcemanager"}}
        short = grant.role.removeprefix("roles/").partition(".")[0]
        names = {"cloudkms": "cloudkms", "iam": "iam", "run": "run"}
        assert services == mixed.get(grant.role, {names.get(short, short)})


def test_a_grant_stands_once():
    rows = [(account.name, grant.role, grant.resource, grant.when) for account, grant in load_roles().rows()]
    assert len(rows) == len(set(rows))


def test_conditions_and_accounts_are_keys_of_the_settings():
    settings = load_vertex_settings(EXAMPLE)
    for account, grant in load_roles().rows():
        grant.needed_with(settings)  # raises AttributeError for an unknown key
        if account.setting:
            assert account.email(settings).endswith("@my-project.iam.gserviceaccount.com")


def test_conditions_are_met_where_the_key_is_set():
    settings = load_vertex_settings(EXAMPLE)
    [alert] = [grant for _, grant in load_roles().rows() if grant.when == "alert_topic"]
    assert alert.needed_with(settings)
    assert not alert.needed_with(settings.model_copy(update={"alert_topic": None}))


def test_a_wrong_entry_is_refused():
    grant = {
        "role": "roles/storage.objectUser",
        "resource": "the moon",
        "permissions": ["storage.objects.get"],
        "why": "x",
    }
    document = {"accounts": [{"name": "a", "who": "b", "grants": [grant]}]}
    with pytest.raises(SettingsError, match="resource"):
        validate_settings(document, Roles, origin="test")


def test_the_docs_have_the_table():
    text = (ROOT / "docs" / "vertex.md").read_text()
    part = text.split("\n## Service accounts\n", 1)[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    assert rows[:1] == [list(TABLE_HEADER)], "`python -m runners.vertex.iam` prints the table"
    assert rows[2:] == roles_table()
