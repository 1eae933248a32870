import datetime
import functools
import io
import os
import re
import time
import zoneinfo

import pytest
from google.auth import exceptions as auth_exceptions
from google.auth.credentials import AnonymousCredentials

import schema
from pipeline.settings.dataset_folder import DatasetFolder
from runners.doctor import examination, images
from runners.doctor.findings import Case, attempt
from runners.doctor.images import ImageName
from runners.doctor.places import distance
from runners.vertex.clients import Clients
from runners.vertex.kinds import SCORING, TRAINING
from tests.runners.cloud.doctor import IMAGE, PIPELINE, SETTINGS, WORKERS, add_routes, healthy
from tests.runners.cloud.runs import EXAMPLE, make_place, place_in
from tests.runners.cloud.server import Refusal, denied

CHECKS = {**examination._HERE, **examination._CLOUD}
OF_SCORING = {**CHECKS, **examination._SCORING}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with place_in(tmp_path_factory.mktemp("place"), **SETTINGS) as place:
        yield place


@pytest.fixture
def place(served):
    """The place as it was at first, with a server that has no routes and no calls of other tests."""
    served.cloud.calls.clear()
    routes, failures = list(served.cloud._routes), list(served.cloud._failures)
    yield served.with_settings(**SETTINGS)
    served.cloud._routes[:], served.cloud._failures[:] = routes, failures


@functools.cache
def ga4():
    return DatasetFolder.load(schema.ROOT / "ga4")


@pytest.fixture
def world(place):
    world = healthy(place)
    add_routes(place.cloud, world)
    return world


def doctor(place):
    """The exit code, and the lines by level."""
    out = io.StringIO()
    code = examination.run_doctor(
        ga4(), place.settings, clients=place.clients, settings_file=place.settings_file, out=out
    )
    lines, found = out.getvalue().splitlines(), {"ok": [], "warning": [], "problem": []}
    for line in lines[:-2]:
        level, _, text = line.partition(" ")
        found[level].append(text.strip())
    counted = f"{len(found['problem'])} problem(s), {len(found['warning'])} warning(s). Not checked: quotas"
    assert lines[-2] == "" and lines[-1].startswith(counted)
    return code, found


def found_by(place, name, kind=TRAINING):
    """The lines of one check, as (level, text)."""
    case = Case(ga4(), place.settings, place.clients, place.settings_file, kind)
    return [(finding.level, finding.text) for finding in attempt(OF_SCORING[name], case)]


def assert_found(place, level, text, kind=TRAINING):
    """One check, which the text begins with, finds something of a level, and nothing worse."""
    name, _, text = text.partition(": ")
    found = found_by(place, name, kind)
    assert any(severity == level and line.startswith(text) for severity, line in found), found
    assert level == "problem" or "problem" not in dict(found)
    assert all("\n" not in line for _, line in found)


def test_all_is_well(place, world):
    code, found = doctor(place)
    assert (code, found["problem"], found["warning"]) == (0, [], [])
    checks = {line.partition(":")[0] for line in found["ok"]}
    assert checks == {*examination._HERE, "credentials", *examination._CLOUD}
    said = "\n".join(found["ok"])
    newest, source = max(world.days), ga4().dataset.source
    today = min(datetime.datetime.now(zoneinfo.ZoneInfo(source.time_zone)).date(), newest + datetime.timedelta(days=1))
    settled = today - datetime.timedelta(days=ga4().dataset.windows.settle_days)
    assert f"the newest settled day is {settled}" in said
    assert "the query would read 12.50 GiB; warehouse.max_gib is 100" in said
    assert "image: Python 3.13, Beam 2.77.0, revision c0ffee" in said


def test_all_is_well_for_scoring(place, world):
    out = io.StringIO()
    code = examination.run_doctor(
        ga4(), place.settings, clients=place.clients, settings_file=place.settings_file, out=out, kind=SCORING
    )
    said = out.getvalue()
    assert code == 0 and "\n0 problem(s), 0 warning(s)." in said
    assert "ok       compiled job: " in said and "scoring.json fits the settings" in said
    assert "ok       champion: the newest blessing is of 2026-01-05T06:00:00Z" in said
    assert f"ok       data sets: {PIPELINE} may write to warehouse.features_dataset acme-data.propensity" in said
    assert re.search(r"so a run would score the snapshot \d{4}-\d\d-\d\d\n", said)


@pytest.mark.parametrize("blessings", [[], None])
def test_no_champion_is_a_warning(place, world, blessings):
    world.blessings = blessings
    assert_found(place, "warning", "champion: no model of propensity-ga4 was blessed yet, so a scoring", SCORING)


def test_a_data_set_that_the_steps_may_not_write_to_is_a_warning(place, world):
    world.writers = []
    assert_found(
        place,
        "warning",
        f"data sets: {PIPELINE} is not named as a writer of warehouse.features_dataset acme-data.propensity, which "
        "scores go to; unless it has roles/bigquery.dataEditor through a group or the project, run `bq add-iam-policy-"
        f"binding --member=serviceAccount:{PIPELINE} --role=roles/bigquery.dataEditor acme-data:propensity`",
        SCORING,
    )


def test_the_scores_data_set_is_in_the_location_of_the_warehouse(place, world):
    world.data_sets["acme-data.scores"] = "EU"
    warehouse = {**SETTINGS["warehouse"], "scores_dataset": "scores"}
    elsewhere = place.with_settings(**{**SETTINGS, "warehouse": warehouse})
    assert_found(elsewhere, "problem", "data sets: warehouse.scores_dataset acme-data.scores is in EU", SCORING)


def test_nothing_is_changed_and_no_row_is_read(place, world):
    doctor(place)
    changing = [(method, path) for method, path in place.cloud.seen() if method != "GET"]
    asking = re.compile(r".*:testIamPermissions|.*:getIamPolicy|/bigquery/v2/projects/acme-data/jobs")
    assert [call for call in changing if not asking.fullmatch(call[1])] == []
    jobs = [call.body["configuration"] for call in place.cloud.calls if call.path.endswith("/jobs")]
    assert [job["query"]["query"].count("__TABLES__") for job in jobs if not job.get("dryRun")] == [1]


def test_the_example_settings_are_not_ready(tmp_path, place, world):
    code, found = doctor(make_place(tmp_path, place.cloud, **{"output": str(tmp_path)}))
    assert code == 1
    keys = next(line for line in found["problem"] if "still a placeholder" in line)
    assert keys.startswith(
        "settings: alert_topic, dataflow.image, dataflow.service_account, image, pipeline_root, project"
    )
    for key in ("service_account", "warehouse.project", "warehouse.source"):
        assert key in keys
    assert any("name a tag or a digest" in line for line in found["warning"])


def test_every_placeholder_of_the_example_is_known():
    from runners.doctor.settings import _PLACEHOLDER

    named = [line for line in EXAMPLE.read_text().splitlines()[1:] if re.search(r"\bmy-\w+|123456789", line)]
    assert len(named) >= 9
    assert [line for line in named if not _PLACEHOLDER.search(line)] == []


# What the world may be like, and what is said of it


def change(**values):
    def apply(world):
        for name, value in values.items():
            setattr(world, name, value)

    return apply


def labels(name, **changes):
    def apply(world):
        image = world.images[f"acme-ml/propensity/{name}:c0ffee"]
        image["Labels"] = {key: value for key, value in {**image["Labels"], **changes}.items() if value}

    return apply


@pytest.mark.parametrize(
    ("alter", "text"),
    [
        (
            lambda world: world.services.difference_update({"dataflow", "pubsub"}),
            "APIs: dataflow.googleapis.com, pubsub.googleapis.com not enabled in acme-ml; run `gcloud services enable "
            "dataflow.googleapis.com pubsub.googleapis.com --project acme-ml`",
        ),
        (
            lambda world: world.services.remove("bigquerystorage"),
            "APIs: bigquerystorage.googleapis.com not enabled in acme-data",
        ),
        (
            change(lacking={"aiplatform.pipelineJobs.create", "serviceusage.services.get"}),
            "permissions: on the project you lack aiplatform.pipelineJobs.create (roles/aiplatform.user); "
            "serviceusage.services.get (roles/serviceusage.serviceUsageViewer)",
        ),
        (
            change(lacking={"iam.serviceAccounts.actAs"}),
            "permissions: on the pipeline's account you lack iam.serviceAccounts.actAs (roles/iam.serviceAccountUser)",
        ),
        (change(lacking={"storage.objects.create"}), "permissions: on the bucket you lack storage.objects.create"),
        (
            change(lacking={"artifactregistry.repositories.downloadArtifacts"}),
            "permissions: on the repository you lack artifactregistry.repositories.downloadArtifacts",
        ),
        (
            change(lacking={"bigquery.jobs.create"}),
            "permissions: on the warehouse project you lack bigquery.jobs.create",
        ),
        (change(buckets={}), "buckets: The specified bucket does not exist"),
        (
            change(buckets={"acme-models": {"location": "EUROPE-WEST1", "locationType": "region"}}),
            "buckets: bucket acme-models is in EUROPE-WEST1, but runs are in us-central1: data would leave",
        ),
        (
            change(buckets={"acme-models": {"location": "EU", "locationType": "multi-region"}}),
            "buckets: bucket acme-models is in EU, but runs are in us-central1",
        ),
        (
            change(data_sets={"acme-data.analytics_1": "EU", "acme-data.propensity": "US"}),
            "data sets: warehouse.source acme-data.analytics_1 is in EU, but warehouse.location is US; a query reads",
        ),
        (
            change(data_sets={"acme-data.analytics_1": "US"}),
            "data sets: Not found: Dataset acme-data:propensity",
        ),
        (
            lambda world: world.images.pop("acme-ml/propensity/pipeline:c0ffee"),
            f"images: image {IMAGE} does not exist; build and push it",
        ),
        (
            labels("dataflow", **{"propensity.apache-beam": "2.61.0"}),
            "images: image has Beam 2.77.0, dataflow.image has 2.61.0",
        ),
        (labels("dataflow", **{"propensity.python": "3.12"}), "images: image has Python 3.13, dataflow.image has 3.12"),
        (change(gib=100.5), "query: the query would read 100.50 GiB, but warehouse.max_gib is 100; raise it"),
        (change(days=[]), "query: the source holds no table events_YYYYMMDD"),
        (lambda world: world.columns.pop(), "query: ga4/query.sql: it does not return the feature"),
        (
            lambda world: world.columns.__setitem__(2, (world.columns[2][0], "STRING")),
            "query: ga4/query.sql: the label",
        ),
    ],
)
def test_what_is_a_problem(place, world, alter, text):
    alter(world)
    assert_found(place, "problem", text)


def test_each_check_is_made_whatever_the_others_find(place, world):
    _, before = doctor(place)
    world.services.clear()
    world.lacking = {"aiplatform.pipelineJobs.create"}
    world.policies, world.buckets, world.data_sets, world.images, world.days = {}, {}, {}, {}, []
    place.compiled.unlink()
    code, found = doctor(place)
    checks = {line.partition(":")[0] for line in found["problem"]}
    assert code == 1 and checks == {*CHECKS} - {"settings", "regions"}
    assert checks | {"settings", "regions", "credentials"} == {line.partition(":")[0] for line in before["ok"]}


@pytest.mark.parametrize(
    ("alter", "text"),
    [
        (
            change(buckets={"acme-models": {"location": "US-EAST1", "locationType": "region"}}),
            "buckets: bucket acme-models is in US-EAST1, and runs are in us-central1: this is slower",
        ),
        (labels("pipeline", **{"propensity.apache-beam": ""}), "images: image: Python 3.13, Beam ?, revision c0ffee"),
        (
            labels("dataflow", **{"org.opencontainers.image.revision": "bad"}),
            "images: image was built from revision c0ffee, dataflow.image from bad",
        ),
        (
            lambda world: world.columns.append(("unused", "STRING")),
            "query: query.sql returns 'unused', which is not a feature",
        ),
        (
            lambda world: world.policies["acme-ml"].pop("roles/dataflow.worker"),
            f"accounts: {WORKERS} lacks roles, unless it has them through a group; run gcloud projects "
            f"add-iam-policy-binding acme-ml --member serviceAccount:{WORKERS} --role roles/dataflow.worker",
        ),
        (
            lambda world: world.policies["acme-data"].pop("roles/bigquery.jobUser"),
            f"accounts: {PIPELINE} lacks roles, unless it has them through a group; run gcloud projects "
            f"add-iam-policy-binding acme-data --member serviceAccount:{PIPELINE} --role roles/bigquery.jobUser",
        ),
        (
            lambda world: world.policies["acme-ml"].update({"roles/editor": {f"serviceAccount:{PIPELINE}"}}),
            f"accounts: {PIPELINE} has roles/editor on acme-ml, which is more than it needs",
        ),
    ],
)
def test_what_is_a_warning(place, world, alter, text):
    alter(world)
    assert_found(place, "warning", text)


@pytest.mark.parametrize(
    "bucket",
    [
        {"location": "US", "locationType": "multi-region"},
        {"location": "NAM4", "locationType": "dual-region"},
        {
            "location": "US",
            "locationType": "dual-region",
            "customPlacementConfig": {"dataLocations": ["US-CENTRAL1", "US-WEST1"]},
        },
    ],
)
def test_buckets_of_several_regions(place, world, bucket):
    world.buckets["acme-models"] = bucket
    assert [level for level, _ in found_by(place, "buckets")] == ["ok"]


def test_a_python_image_without_labels(place, world):
    for image in world.images.values():
        image.update(Labels=None, Env=["PYTHON_VERSION=3.13.1"])
    code, found = doctor(place)
    assert code == 0
    assert (
        "images: image: Python 3.13, Beam ?, revision ?; it lacks the labels of the project's Dockerfile"
        in (found["warning"])
    )


def test_an_image_for_several_platforms(place, world):
    def index(cloud, match, call):
        platforms = [{"os": "linux", "architecture": name} for name in ("arm64", "amd64")]
        return {"manifests": [{"digest": f"sha256:{p['architecture']}", "platform": p} for p in platforms]}

    place.cloud.add("GET", r"/v2/acme-ml/propensity/pipeline/manifests/c0ffee", index)
    world.images["acme-ml/propensity/pipeline:sha256:amd64"] = {}
    world.images["acme-ml/propensity/pipeline:sha256:sha256:amd64"] = {}
    place.cloud.add(
        "GET",
        r"/v2/acme-ml/propensity/pipeline/blobs/sha256:sha256:amd64",
        lambda cloud, match, call: {
            "config": {"Labels": {"propensity.python": "3.13", "propensity.apache-beam": "2.9"}}
        },
    )
    found = found_by(place, "images")
    assert ("ok", "image: Python 3.13, Beam 2.9, revision ?") in found


# What goes wrong with the services


@pytest.mark.parametrize(
    ("method", "path", "refusal", "text"),
    [
        (
            "GET",
            "services:batchGet",
            denied("serviceusage.services.get", "projects/acme-ml"),
            "APIs: your account lacks the permission serviceusage.services.get on projects/acme-ml",
        ),
        ("POST", "getIamPolicy", denied("resourcemanager.projects.getIamPolicy", "p"), "accounts: your account lacks"),
        ("GET", "manifests", Refusal(401, "no token"), "images: "),
        (
            "POST",
            "bigquery/v2/projects/acme-data/jobs",
            Refusal(403, "Access Denied: User lacks x"),
            "query: BigQuery: ",
        ),
        (
            "GET",
            "/storage/v1/b/acme-models$",
            Refusal(403, "no access to storage.buckets.get"),
            "buckets: your account",
        ),
    ],
)
def test_a_refusal_is_one_line(place, world, method, path, refusal, text):
    place.cloud.fail(method, path, refusal, times=9)
    assert_found(place, "problem", text)


class NoToken(AnonymousCredentials):
    """Credentials that have expired and cannot be renewed."""

    valid = False

    def refresh(self, request):
        raise auth_exceptions.RefreshError("invalid_grant: Bad Request")


def test_without_credentials_the_services_are_not_asked(place, world):
    clients = Clients(place.settings, endpoints={"*": place.cloud.url}, credentials=NoToken())
    out = io.StringIO()
    assert examination.run_doctor(ga4(), place.settings, clients=clients, out=out) == 1
    assert place.cloud.calls == []
    assert "problem  credentials: Google refused the credentials (invalid_grant: Bad Request)" in out.getvalue()
    for name in examination._CLOUD:
        assert f"warning  {name}: not checked: there are no credentials" in out.getvalue()
    assert "ok       compiled job: " in out.getvalue()


# Settings and the compiled job


@pytest.mark.parametrize(
    ("settings", "level", "text"),
    [
        ({"service_account": None}, "warning", "settings: service_account is not set"),
        ({"image": IMAGE.replace("c0ffee", "latest")}, "warning", "settings: image is us-central1-docker"),
        (
            {"image": "docker.io/acme/pipeline:1"},
            "warning",
            "images: image docker.io/acme/pipeline:1 was not checked: it is not in Artifact",
        ),
        (
            {"dataflow": {**SETTINGS["dataflow"], "service_account": None}},
            "warning",
            "settings: dataflow.service_account is not set: workers run as service_account",
        ),
        (
            {"region": "us-east1"},
            "warning",
            "regions: image is in us-central1, and runs are in us-east1: this is slower",
        ),
        (
            {"region": "europe-west1"},
            "problem",
            "data sets: warehouse.location is in US, but runs are in europe-west1: data would",
        ),
        (
            {"dataflow": {**SETTINGS["dataflow"], "region": "us-east1"}},
            "warning",
            "regions: dataflow.region is in us-east1, and runs are in us-central1",
        ),
        (
            {"dataflow": {**SETTINGS["dataflow"], "subnetwork": "regions/us-east1/subnetworks/private"}},
            "problem",
            "regions: dataflow.subnetwork regions/us-east1/subnetworks/private is not in us-central1",
        ),
        (
            {"kms_key": "projects/acme-ml/locations/us/keyRings/r/cryptoKeys/k"},
            "problem",
            "regions: kms_key is in us; Vertex AI accepts only keys in the region of its runs",
        ),
        (
            {"warehouse": {"engine": "duckdb"}, "data": "/gcs/acme-models/data"},
            "warning",
            "query: not checked: warehouse.engine is duckdb",
        ),
    ],
)
def test_what_the_settings_say(place, world, settings, level, text):
    assert_found(place.with_settings(**{**SETTINGS, **settings}), level, text)


def test_a_job_that_is_not_there(place, world):
    place.compiled.unlink()
    assert_found(place, "problem", f"compiled job: {place.compiled}: no such file; compile the pipeline first")


def test_a_job_that_is_older_than_the_settings(place, world):
    later = time.time() + 10
    os.utime(place.settings_file, (later, later))
    assert_found(place, "problem", f"compiled job: {place.compiled} is older than {place.settings_file}")


def test_a_job_of_another_image(place, world):
    place.compiled.write_text(place.compiled.read_text().replace(IMAGE, "other:1"))
    assert_found(place, "problem", f"compiled job: {place.compiled} was compiled for image other:1")


# Parts


@pytest.mark.parametrize(
    ("location", "region", "expected"),
    [
        ("us-central1", "us-central1", "same"),
        ("US", "us-central1", "same"),
        ("us", "northamerica-northeast1", "same"),
        ("EU", "europe-west1", "same"),
        ("EU", "europe-west2", "near"),
        ("europe", "europe-west1", "same"),
        ("us-east1", "us-central1", "near"),
        ("EU", "us-central1", "far"),
        ("europe-west1", "us-central1", "far"),
        ("asia", "asia-northeast1", "same"),
        ("asia-south1", "australia-southeast1", "far"),
    ],
)
def test_distance(location, region, expected):
    assert distance(location, region) == expected


@pytest.mark.parametrize(
    ("image", "reference"),
    [(IMAGE, "c0ffee"), (IMAGE.removesuffix(":c0ffee"), "latest"), (IMAGE + "@sha256:12", "sha256:12")],
)
def test_names_of_images(image, reference):
    assert ImageName.parse(image) == ImageName(
        host="us-central1-docker.pkg.dev",
        location="us-central1",
        repository="projects/acme-ml/locations/us-central1/repositories/propensity",
        path="acme-ml/propensity/pipeline",
        reference=reference,
    )


def test_the_registry_has_a_domain_of_its_own(place, world, monkeypatch):
    """Without --endpoint, images are asked for where they are pushed to."""
    asked = []
    clients = Clients(place.settings, credentials=AnonymousCredentials())
    monkeypatch.setattr(clients.session, "get", lambda url, **more: asked.append(url) or Answer())
    list(images.check_images(Case(ga4(), place.settings, clients)))
    assert asked[0] == "https://us-central1-docker.pkg.dev/v2/acme-ml/propensity/pipeline/manifests/c0ffee"


class Answer:
    status_code, ok = 404, False
