"""The parts of Dataflow, Cloud Storage and BigQuery that the command line calls, on a local server."""

import json
import re

from tests.runners.cloud.server import Call, FakeCloud, Refusal, page, route

REGION = "us-central1"

# Dataflow


@route("GET", r"/v1b3/projects/([^/]+)/locations/([^/]+)/jobs")
def _list_dataflow(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    jobs = [job for job in cloud.dataflow if (job["projectId"], job["location"]) == match.groups()]
    if "name" not in call.query:
        raise Refusal(400, "all jobs of the project are asked for")
    # That only jobs of this name come is documented, but no caller is to rely on it.
    part, token = page(jobs, call.query)
    listed = [{key: value for key, value in job.items() if key != "labels"} for job in part]  # summaries
    return {**({"jobs": listed} if listed else {}), **({"nextPageToken": token} if token else {})}


@route("PUT", r"/v1b3/(projects/[^/]+/locations/[^/]+/jobs/([^/]+))")
def _update_dataflow(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    for job in cloud.dataflow:
        if match[1] == f"projects/{job['projectId']}/locations/{job['location']}/jobs/{job['id']}":
            break
    else:
        raise Refusal(404, f"({match[2]}): Information about job {match[2]} could not be found in our system.")
    if call.body != {"requestedState": "JOB_STATE_CANCELLED"}:
        raise Refusal(400, "only the requested state may be updated")
    if job["currentState"] not in ("JOB_STATE_PENDING", "JOB_STATE_QUEUED", "JOB_STATE_RUNNING"):
        raise Refusal(400, f"Workflow {match[2]} is in a terminal state.", "FAILED_PRECONDITION")
    job.update(call.body, currentState="JOB_STATE_CANCELLING")
    return job


# Cloud Storage


@route("GET", r"/storage/v1/b/([^/]+)")
def _get_bucket(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    if match[1] not in cloud.objects:
        raise Refusal(404, "The specified bucket does not exist.")
    return {"kind": "storage#bucket", "id": match[1], "name": match[1], "location": REGION.upper()}


@route("GET", r"/storage/v1/b/([^/]+)/o")
def _list_objects(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    if match[1] not in cloud.objects:
        raise Refusal(404, "The specified bucket does not exist.")
    names = sorted(name for name in cloud.objects[match[1]] if name.startswith(call.query.get("prefix", "")))
    part, token = page(names, call.query | {"pageSize": call.query.get("maxResults", "")})
    items = [_object(cloud, match[1], name) for name in part]
    return {"kind": "storage#objects", "items": items, **({"nextPageToken": token} if token else {})}


@route("POST", r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o")
def _upload(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    (_, described), (_, content) = call.body
    name = json.loads(described)["name"]
    cloud.objects[match[1]][name] = content
    return _object(cloud, match[1], name)


@route("GET", r"(?:/download)?/storage/v1/b/([^/]+)/o/(.+)")
def _get_object(cloud: FakeCloud, match: re.Match, call: Call) -> object:
    if match[2] not in cloud.objects.get(match[1], {}):
        raise Refusal(404, f"No such object: {match[1]}/{match[2]}")
    return cloud.objects[match[1]][match[2]] if call.query.get("alt") == "media" else _object(cloud, match[1], match[2])


@route("DELETE", r"/storage/v1/b/([^/]+)/o/(.+)")
def _delete_object(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    if cloud.objects.get(match[1], {}).pop(match[2], None) is None:
        raise Refusal(404, f"No such object: {match[1]}/{match[2]}")
    return {}


def _object(cloud: FakeCloud, bucket: str, name: str) -> dict:
    size = len(cloud.objects[bucket][name])
    return {"kind": "storage#object", "bucket": bucket, "name": name, "size": str(size), "generation": "1"}


# BigQuery


@route("GET", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables")
def _list_tables(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    if match.groups() not in cloud.tables:
        raise Refusal(404, f"Not found: Dataset {match[1]}:{match[2]}")
    part, token = page(cloud.tables[match.groups()], call.query | {"pageSize": call.query.get("maxResults", "")})
    tables = [_table(*match.groups(), name) for name in part]
    return {"kind": "bigquery#tableList", "tables": tables, **({"nextPageToken": token} if token else {})}


@route("DELETE", r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)")
def _delete_table(cloud: FakeCloud, match: re.Match, call: Call) -> dict:
    tables = cloud.tables.get((match[1], match[2]), [])
    if match[3] not in tables:
        raise Refusal(404, f"Not found: Table {match[1]}:{match[2]}.{match[3]}")
    tables.remove(match[3])
    return {}


def _table(project: str, dataset: str, name: str) -> dict:
    reference = {"projectId": project, "datasetId": dataset, "tableId": name}
    return {"kind": "bigquery#table", "type": "TABLE", "tableReference": reference}
