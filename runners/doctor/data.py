"""Checks the query with BigQuery: tables, columns, types, and the bytes that it would read."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.settings.run import BigQuerySettings
from pipeline.warehouse.extraction import Extraction
from runners.doctor.findings import Case, Finding, ok, problem, warning
from runners.vertex.kinds import SCORING

_GIB = 2**30


def check_query(case: Case) -> Iterator[Finding]:
    """Checks the query by dry runs, which are free. It reads only the names of the source's tables."""
    settings = case.settings.warehouse
    if not isinstance(settings, BigQuerySettings):
        yield warning(f"not checked: warehouse.engine is {settings.engine}")
        return
    from pipeline.warehouse.bigquery.engine import BigQueryWarehouse

    with BigQueryWarehouse(settings, case.folder.dataset.source, client=case.clients.bigquery) as warehouse:
        parameters = case.kind.default_parameters(case.folder, case.settings)
        extraction = case.kind.extraction(warehouse, case.folder, parameters)
        yield ok(f"query.sql returns what dataset.yaml and features.yaml declare{_days(case, extraction)}")
        for note in extraction.notes:
            yield warning(note)
        gib = (warehouse.estimate(extraction.query) or 0) / _GIB
    if gib > settings.max_gib:
        yield problem(
            f"the query would read {gib:.2f} GiB, but warehouse.max_gib is {settings.max_gib:g}; raise it, "
            "or read fewer days"
        )
    else:
        yield ok(f"the query would read {gib:.2f} GiB; warehouse.max_gib is {settings.max_gib:g}")


def _days(case: Case, extraction: Extraction) -> str:
    plan = extraction.plan
    if plan is None:
        return ""
    if case.kind is SCORING:
        return f"; the newest settled day is {plan.as_of}, so a run would score the snapshot {plan.snapshot_dates[-1]}"
    return (
        f"; the newest settled day is {plan.as_of}, test snapshots {plan.test_dates[0]} to {plan.test_dates[-1]}, "
        f"training from {plan.train_dates[0]}"
    )
