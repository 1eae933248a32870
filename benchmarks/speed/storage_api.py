"""Compares ExampleGen on BigQuery's Storage API with the shim of stock BigQueryExampleGen, both on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.speed.dataset import NAME
from benchmarks.speed.measure import RECORD, read_costs
from benchmarks.speed.runs import BenchmarkError, count_records, end_of
from models.config import load_settings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.warehouse.extraction import make_features_table, resolve
from pipeline.warehouse.opening import open_warehouse

_RATIOS = (("ratio", "s"), ("cpu_ratio", "cpu_s"))


def compare(table: Path, schema_root: Path, settings: Path, place: Path) -> dict[str, Any]:
    """Runs both in turn, each in its own process. The server's process is not measured.

    Args:
        table: the benchmark's Parquet file, which the shim reads.
        schema_root: the folder that holds the data set's folder.
        settings: DuckDB's, which makes the features table that the server sends.
        place: the folder for `result.json`; its contents are deleted first.

    Returns:
        JSON-ready: rows, and seconds, CPU seconds and MiB of both, with their ratios.

    Raises:
        BenchmarkError: one of them failed, or did not write every row.
    """
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    served = place / "features.parquet"
    _write_features_table(table, schema_root, settings, served)
    common = ["--table", str(table.resolve()), "--schema-root", str(schema_root)]
    document: dict[str, Any] = {"rows": pq.read_metadata(served).num_rows}
    with _serving(served) as port:
        for kind, options in (("stock", []), ("ours", ["--port", str(port)])):
            cost = _measured(kind, [*common, *options, "--output", str(place / kind)], place)
            written = _written_rows(place / kind)
            if written != document["rows"]:
                raise BenchmarkError(f"ExampleGen ({kind}) wrote {written:,} of {document['rows']:,} rows")
            document |= {f"{kind}_s": cost.wall_s, f"{kind}_cpu_s": cost.cpu_s, f"{kind}_peak_mib": cost.peak_mib}
    for name, key in _RATIOS:
        document[name] = round(document[f"stock_{key}"] / document[f"ours_{key}"], 2)
    (place / "result.json").write_text(json.dumps(document, indent=1))
    return document


def _write_features_table(table: Path, schema_root: Path, settings: Path, served: Path) -> None:
    """Writes the features table of the data set as one Parquet file, with DuckDB."""
    run = load_settings(settings, RunSettings, {"data": str(table)})
    folder = DatasetFolder.load(schema_root / NAME)
    with open_warehouse(run, folder.dataset) as warehouse, contextlib.ExitStack() as stack:
        extraction = resolve(warehouse, folder)
        make_features_table(warehouse, extraction)
        writer = None
        for batch in warehouse.read(extraction.table, extraction.example_columns):
            writer = writer or stack.enter_context(pq.ParquetWriter(served, batch.schema))
            writer.write_batch(batch)


@contextlib.contextmanager
def _serving(served: Path) -> Iterator[int]:
    """Starts a server in its own process; yields its port."""
    command = [sys.executable, "-m", "benchmarks.speed.storage_server", str(served)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().strip()
        if not port:
            raise BenchmarkError("the local server of the Storage API did not start; its output above says why")
        try:
            yield int(port)
        finally:
            server.stdin.close()  # this ends the server


def _measured(kind: str, options: list[str], place: Path) -> Any:
    record, log = place / f"{kind}.jsonl", place / f"{kind}.log"
    command = [sys.executable, "-m", "benchmarks.speed.storage_client", kind, *options]
    with log.open("wb") as file:
        # The server is on this machine: do not use a proxy.
        environment = os.environ | {RECORD: str(record), "no_proxy": "127.0.0.1", "OMP_WAIT_POLICY": "PASSIVE"}
        code = subprocess.run(command, env=environment, stdout=file, stderr=file, check=False).returncode
    if code:
        raise BenchmarkError(f"ExampleGen ({kind}) failed with exit code {code}\n{end_of(log)}")
    [cost] = read_costs(record)
    return cost


def _written_rows(examples: Path) -> int:
    """Rows in the files of all splits."""
    files = list(examples.rglob("Split-*/*"))
    return sum(pq.read_metadata(file).num_rows if file.suffix == ".parquet" else count_records(file) for file in files)
