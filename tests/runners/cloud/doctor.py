"""What the doctor asks of Google's services, on the local server: a world in which all is well, for tests to change."""

import dataclasses
import datetime
import re

from runners.vertex.iam import load_roles
from tests.runners.cloud.runs import BLESSED, Place
from tests.runners.cloud.runs import PIPELINE as PIPELINE_NAME
from tests.runners.cloud.server import Call, FakeCloud, Refusal

TODAY = datetime.datetime.now(datetime.timezone.utc).date()
PIPELINE, WORKERS = "pipeline@acme-ml.iam.gserviceaccount.com", "workers@acme-ml.iam.gserviceaccount.com"
IMAGE, DATAFLOW_IMAGE = (
    f"us-central1-docker.pkg.dev/acme-ml/propensity/{name}:c0ffee" for name in ("pipeline", "dataflow")
)
SETTINGS = {
    "project": "acme-ml",
    "pipeline_root": "gs://acme-models/propensity",
    "image": IMAGE,
    "service_account": PIPELINE,
    "warehouse": {
        "engine": "bigquery",
        "project": "acme-data",
        "location": "US",
        "source": "acme-data.analytics_1",
        "features_dataset": "propensity",
        "max_gib": 100,
    },
    "alert_topic": "projects/acme-ml/topics/alerts",
    "dataflow": {"image": DATAFLOW_IMAGE, "service_account": WORKERS},
}
SERVICES = {
    "aiplatform",
    "artifactregistry",
    "bigquery",
    "bigquerystorage",
    "cloudkms",
    "cloudresourcemanager",
    "compute",
    "dataflow",
    "iam",
    "pubsub",
    "storage",
}
LABELS = {
    "propensity.python": "3.13",
    "propensity.tfx": "1.21.0",
    "propensity.apache-beam": "2.77.0",
    "org.opencontainers.image.revision": "c0ffee",
}
_KINDS = {"INT64": "INTEGER", "FLOAT64": "FLOAT"}


@dataclasses.dataclass
class World:
    """What the services say.

    Attributes:
        services: enabled, in every project.
        lacking: permissions that the caller has not.
        policies: roles by project and member.
        buckets, data_sets: locations by name.
        images: labels and environment by path and reference.
        columns: (name, type) of the query.
        days: of the events tables.
        writers: accounts that may write to every data set.
        blessings: times of blessed models, newest first; None: there is no metadata store yet.
        gib: that the query would read.
    """

    services: set[str]
    lacking: set[str]
    policies: dict[str, dict[str, set[str]]]
    buckets: dict[str, dict]
    data_sets: dict[str, str]
    images: dict[str, dict]
    columns: list[tuple[str, str]]
    days: list[datetime.date]
    writers: list[str]
    blessings: list[str] | None
    gib: float = 12.5


def healthy(place: Place) -> World:
    """A world in which a run with SETTINGS would go well; `place` has them."""
    return World(
        services=set(SERVICES),
        lacking=set(),
        policies=_least_policies(place),
        buckets={"acme-models": {"location": "US-CENTRAL1", "locationType": "region"}},
        data_sets=dict.fromkeys(("acme-data.analytics_1", "acme-data.propensity", "acme-data.scores"), "US"),
        writers=[PIPELINE],
        blessings=["2026-01-05T06:00:00Z"],
        images={
            f"acme-ml/propensity/{name}:c0ffee": {"Labels": dict(LABELS), "Env": ["PATH=/usr/bin"]}
            for name in ("pipeline", "dataflow")
        },
        columns=_columns(place),
        days=[TODAY - datetime.timedelta(days=back) for back in range(1, 300)],
    )


def add_routes(cloud: FakeCloud, world: World) -> None:
    """Has the server answer as the world is."""

    def may(permissions: list[str]) -> dict:
        held = [permission for permission in permissions if permission not in world.lacking]
        return {"permissions": held} if held else {}

    def test_permissions(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        return may(call.body["permissions"])

    def test_bucket(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        known = {permission for _, grant in load_roles().rows() for permission in grant.permissions}
        return may(sorted(permission for permission in known if permission.startswith("storage.")))

    def services(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        def state(name: str) -> str:
            return "ENABLED" if name in world.services else "DISABLED"

        parent = "projects/123/services"
        return {"services": [{"name": f"{parent}/{name}.googleapis.com", "state": state(name)} for name in SERVICES]}

    def policy(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        roles = _found(world.policies, match[1], "The caller does not have permission")
        return {"version": 1, "bindings": [{"role": role, "members": sorted(who)} for role, who in roles.items()]}

    def bucket(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        return {"name": match[1], **_found(world.buckets, match[1], "The specified bucket does not exist.")}

    def data_set(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        name = f"{match[1]}.{match[2]}"
        location = _found(world.data_sets, name, f"Not found: Dataset {match[1]}:{match[2]}")
        entries = [{"role": "WRITER", "userByEmail": email} for email in world.writers]
        entries.append({"role": "OWNER", "specialGroup": "projectOwners"})
        reference = {"projectId": match[1], "datasetId": match[2]}
        return {"datasetReference": reference, "location": location, "access": entries}

    def artifacts(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        parent = f"projects/acme-ml/locations/us-central1/metadataStores/default/contexts/{PIPELINE_NAME}"
        if call.query["filter"] != f'{BLESSED} AND in_context("{parent}")':
            raise Refusal(400, "the filter names other artifacts")
        if world.blessings is None:
            raise Refusal(404, "The specified resource `metadataStore` is not found")
        return {"artifacts": [{"createTime": moment} for moment in world.blessings[: int(call.query["pageSize"])]]}

    def manifest(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        _found(world.images, f"{match[1]}:{match[2]}", "manifest unknown")
        if "application/vnd.oci.image.manifest.v1+json" not in call.headers["accept"]:
            raise Refusal(404, "no manifest of another form")
        return {"schemaVersion": 2, "config": {"digest": f"sha256:{match[2]}"}, "layers": []}

    def blob(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
        return {"architecture": "amd64", "config": world.images[f"{match[1]}:{match[2]}"]}

    cloud.add("POST", r"/v1/projects/[^/]+:testIamPermissions", test_permissions)
    cloud.add("POST", r"/v1/projects/-/serviceAccounts/[^/]+:testIamPermissions", test_permissions)
    cloud.add("POST", r"/v1/projects/[^/]+/locations/[^/]+/repositories/[^/]+:testIamPermissions", test_permissions)
    cloud.add("GET", r"/storage/v1/b/[^/]+/iam/testPermissions", test_bucket)
    cloud.add("GET", r"/v1/projects/[^/]+/services:batchGet", services)
    cloud.add("POST", r"/v1/projects/([^/]+):getIamPolicy", policy)
    cloud.add("GET", r"/storage/v1/b/([^/]+)", bucket)
    cloud.add("GET", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)", data_set)
    cloud.add("GET", r"/v1/(projects/.+)/metadataStores/default/artifacts", artifacts)
    cloud.add("GET", r"/v2/(.+)/manifests/(.+)", manifest)
    cloud.add("GET", r"/v2/(.+)/blobs/sha256:(.+)", blob)
    cloud.add("POST", r"/bigquery/v2/projects/([^/]+)/jobs", lambda cloud, match, call: _job(world, match[1], call))
    cloud.add("GET", r"/bigquery/v2/projects/([^/]+)/queries/([^/]+)", lambda *asked: _tables(world, *asked))


def _found(things: dict, name: str, message: str) -> object:
    if name not in things:
        raise Refusal(404, message)
    return things[name]


def _least_policies(place: Place) -> dict[str, dict[str, set[str]]]:
    """The projects' policies, as iam.yaml wants them."""
    projects = {"project": "acme-ml", "warehouse project": "acme-data"}
    policies: dict[str, dict[str, set[str]]] = {project: {} for project in projects.values()}
    for account, grant in load_roles().rows():
        email = account.email(place.settings)
        if email and grant.resource in projects and grant.needed_with(place.settings):
            policies[projects[grant.resource]].setdefault(grant.role, set()).add(f"serviceAccount:{email}")
    return policies


def _columns(place: Place) -> list[tuple[str, str]]:
    columns = place.dataset.dataset.columns
    features = [
        (feature.name, "FLOAT64" if feature.kind == "numeric" else "STRING")
        for feature in place.dataset.features.features
    ]
    return [(columns.key, "STRING"), (columns.date, "DATE"), (columns.label, "INT64"), *features]


def _job(world: World, project: str, call: Call) -> dict:
    """A query job: dry runs have the columns, the other one is of the names of the tables."""
    configuration = call.body["configuration"]
    if (project, call.body["jobReference"]["location"]) != ("acme-data", "US"):
        raise Refusal(403, f"Access Denied: Project {project}: User does not have bigquery.jobs.create permission.")
    described = {"jobReference": call.body["jobReference"], "configuration": configuration}
    if not configuration.get("dryRun"):
        if "__TABLES__" not in configuration["query"]["query"]:
            raise Refusal(400, "only the names of tables are read")
        return {**described, "status": {"state": "DONE"}, "statistics": {"query": {"statementType": "SELECT"}}}
    fields = [{"name": name, "type": _KINDS.get(kind, kind), "mode": "NULLABLE"} for name, kind in world.columns]
    counted = str(int(world.gib * 2**30))
    query = {"schema": {"fields": fields}, "totalBytesProcessed": counted, "statementType": "SELECT"}
    return {**described, "status": {"state": "DONE"}, "statistics": {"totalBytesProcessed": counted, "query": query}}


def _tables(world: World, cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    names = [
        ("table_id", "STRING"),
        ("last_modified_time", "INTEGER"),
        ("row_count", "INTEGER"),
        ("size_bytes", "INTEGER"),
    ]
    rows = [{"f": [{"v": f"events_{day:%Y%m%d}"}, {"v": "1"}, {"v": "2"}, {"v": "3"}]} for day in world.days]
    return {
        "jobReference": {"projectId": match[1], "jobId": match[2], "location": "US"},
        "jobComplete": True,
        "totalRows": str(len(rows)),
        "schema": {"fields": [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in names]},
        "rows": rows,
    }
