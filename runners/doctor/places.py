"""Checks locations: BigQuery's data, buckets, images and the key must be near the runs."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.settings.run import BigQuerySettings
from runners.doctor.findings import Case, Finding, attempt, ok, problem, warning
from runners.doctor.images import ImageName
from runners.vertex.iam import load_roles
from runners.vertex.kinds import SCORING

_CONTINENTS = {
    "us": ("us", "northamerica"),
    "europe": ("europe",),
    "asia": ("asia",),
    "australia": ("australia",),
    "southamerica": ("southamerica",),
    "me": ("me",),
    "africa": ("africa",),
}
# Multi-regions of BigQuery, Cloud Storage and Artifact Registry, with their continents.
_MULTI_REGIONS = {"us": "us", "eu": "europe", "europe": "europe", "asia": "asia"}
_OUTSIDE_EU = ("europe-west2", "europe-west6")  # London and Zurich belong to none of Europe's multi-regions
# Other names of roles that include a data editor's, in a data set's list.
_WRITERS = ("WRITER", "OWNER", "roles/bigquery.dataOwner", "roles/bigquery.admin")
_DUAL_REGIONS = {  # predefined dual-regions of Cloud Storage
    "nam4": ("us-central1", "us-east1"),
    "eur4": ("europe-north1", "europe-west4"),
    "eur5": ("europe-west1", "europe-west2"),
    "eur7": ("europe-west2", "europe-west3"),
    "eur8": ("europe-west3", "europe-west6"),
    "asia1": ("asia-northeast1", "asia-northeast2"),
}


def check_buckets(case: Case) -> Iterator[Finding]:
    """Checks that the buckets are in the region of Vertex AI."""
    settings = case.settings
    folders = (settings.pipeline_root, settings.serving, settings.dataflow and settings.dataflow.temp_location)
    for name in dict.fromkeys(folder.split("/")[2] for folder in folders if folder):
        yield from attempt(_place_of_bucket, case, name)


def _place_of_bucket(case: Case, name: str) -> Iterator[Finding]:
    bucket = case.clients.storage.get_bucket(name)
    regions = [region.lower() for region in bucket.data_locations or _DUAL_REGIONS.get(bucket.location.lower(), ())]
    if case.settings.region in regions:
        yield ok(f"bucket {name} is in {bucket.location}, which has {case.settings.region}")
    else:
        yield _near(f"bucket {name}", regions[0] if regions else bucket.location, case.settings.region)


def check_data_sets(case: Case) -> Iterator[Finding]:
    """Checks that BigQuery's data sets are in warehouse.location, and that it fits the region of Vertex AI."""
    warehouse = case.settings.warehouse
    if not isinstance(warehouse, BigQuerySettings):
        yield warning(f"not checked: warehouse.engine is {warehouse.engine}")
        return
    yield from attempt(_place_of_data_set, case, "source", warehouse.source)
    yield from attempt(
        _place_of_data_set, case, "features_dataset", f"{warehouse.project}.{warehouse.features_dataset}"
    )
    if case.kind is SCORING:
        key = "scores_dataset" if warehouse.scores_dataset else "features_dataset"
        name = f"{warehouse.project}.{getattr(warehouse, key)}"
        if warehouse.scores_dataset:
            yield from attempt(_place_of_data_set, case, key, name)
        yield from attempt(_writer_of_scores, case, key, name)
    yield _near("warehouse.location", warehouse.location, case.settings.region)


def _place_of_data_set(case: Case, key: str, name: str) -> Iterator[Finding]:
    wanted = case.settings.warehouse.location
    location = case.clients.bigquery.get_dataset(name).location
    if location.lower() == wanted.lower():
        yield ok(f"warehouse.{key} {name} is in {location}")
    else:
        yield problem(
            f"warehouse.{key} {name} is in {location}, but warehouse.location is {wanted}; a query reads and "
            "writes in one location only"
        )


def _writer_of_scores(case: Case, key: str, name: str) -> Iterator[Finding]:
    """Whether the steps' account may write to the data set of the score table, by the data set's own list."""
    email = case.settings.service_account
    [role] = {grant.role for grant in load_roles().account("pipeline").grants if grant.resource == "scores data set"}
    entries = case.clients.bigquery.get_dataset(name).access_entries
    held = {entry.role for entry in entries if email and str(entry.entity_id).endswith(email)}
    if held & {role, *_WRITERS}:
        yield ok(f"{email} may write to warehouse.{key} {name}")
    elif email:
        command = f"bq add-iam-policy-binding --member=serviceAccount:{email} --role={role} {name.replace('.', ':')}"
        yield warning(
            f"{email} is not named as a writer of warehouse.{key} {name}, which scores go to; unless it has {role} "
            f"through a group or the project, run `{command}`"
        )


def check_regions(case: Case) -> Iterator[Finding]:
    """Checks the regions in the settings: Dataflow, its subnetwork, the key and the registry."""
    settings = case.settings
    if settings.dataflow:
        region = settings.dataflow.region or settings.region
        yield _near("dataflow.region", region, settings.region)
        subnetwork = settings.dataflow.subnetwork
        if subnetwork and f"regions/{region}/" not in subnetwork:
            yield problem(f"dataflow.subnetwork {subnetwork} is not in {region}, where Dataflow runs")
    if settings.kms_key:
        location = settings.kms_key.split("/")[3]
        if location != settings.region:
            yield problem(
                f"kms_key is in {location}; Vertex AI accepts only keys in the region of its runs, {settings.region}"
            )
        else:
            yield ok(f"kms_key is in {location}")
    image = ImageName.parse(settings.image)
    if image:
        yield _near("image", image.location, settings.region)


def _near(what: str, location: str, region: str) -> Finding:
    """A finding about the distance between a location and the region of the runs."""
    way = distance(location, region)
    if way == "same":
        return ok(f"{what} is in {location}")
    if way == "near":
        return warning(f"{what} is in {location}, and runs are in {region}: this is slower, and the traffic is billed")
    return problem(
        f"{what} is in {location}, but runs are in {region}: data would leave its continent; use one region for both"
    )


def distance(location: str, region: str) -> str:
    """`same` if the location is the region or contains it, `near` on the same continent, `far` otherwise."""
    location = location.lower()
    spread = _MULTI_REGIONS.get(location)
    here = _continent(region)
    if location == region or (spread and spread == here and region not in _OUTSIDE_EU):
        return "same"
    return "near" if (spread or _continent(location)) == here else "far"


def _continent(region: str) -> str:
    begin = region.partition("-")[0]
    return next((name for name, begins in _CONTINENTS.items() if begin in begins), begin)
