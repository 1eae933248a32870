"""Checks that there is a champion to score with."""

from __future__ import annotations

from collections.abc import Iterator

from runners.doctor.findings import Case, Finding, ok, warning
from runners.vertex.compiled import read_job

_RESOLVER = "Champion-model-blessing-resolver_executor"


def check_champion(case: Case) -> Iterator[Finding]:
    """Looks the newest blessing up in Vertex ML Metadata, as a run's resolver does."""
    from google.api_core.exceptions import NotFound

    path = case.kind.compiled(case.folder, case.settings)
    job = read_job(case.folder, case.settings, case.settings_file or path, case.kind)
    resolver = job["pipelineSpec"]["deploymentSpec"]["executors"][_RESOLVER]["resolver"]
    query = resolver["outputArtifactQueries"]["model_blessing"]["filter"]
    store = f"{case.clients.parent}/metadataStores/default"
    asked = {
        "filter": f'{query} AND in_context("{store}/contexts/{case.folder.pipeline_name}")',
        "orderBy": "create_time desc",
        "pageSize": 1,
    }
    try:
        found = case.clients.call("GET", "aiplatform", f"/v1/{store}/artifacts", params=asked).get("artifacts", [])
    except NotFound:  # no run has made the store or the pipeline's context yet
        found = []
    if found:
        yield ok(f"the newest blessing is of {found[0].get('createTime', 'an unknown time')}")
    else:
        yield warning(
            f"no model of {case.folder.pipeline_name} was blessed yet, so a scoring run would fail; submit a training "
            "run first"
        )
