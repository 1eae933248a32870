"""Runs ExampleGen alone, in its own process: our code on BigQuery's Storage API, or the stock shim."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.speed.dataset import NAME
from benchmarks.speed.measure import measured

STEP = "ExampleGen"
SERVED_TABLE = "features_benchmark"  # the features table's name; the server has only one table


def main(arguments: list[str]) -> int:
    """Runs one of the two. Imports are not measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("stock", "ours"))
    parser.add_argument("--table", type=Path, required=True, help="for stock: the Parquet file")
    parser.add_argument("--schema-root", type=Path, required=True, help="the folder that holds the data set's folder")
    parser.add_argument("--port", type=int, help="for ours: the server's port")
    parser.add_argument("--output", type=Path, required=True, help="the folder for the Examples")
    args = parser.parse_args(arguments)
    if args.kind == "stock":
        return _stock(args.table, args.output)
    return _ours(args.schema_root, args.port, args.output)


def _stock(table: Path, output: Path) -> int:
    from tfx.dsl.components.base import base_beam_executor

    from benchmarks.speed.bigquery_shim import BigQueryShimExecutor, shim_examples
    from benchmarks.speed.runs import SETTINGS
    from models.config import load_settings
    from pipeline.settings.run import RunSettings

    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=list(load_settings(SETTINGS, RunSettings).beam_args), tmp_dir=str(output), unique_id="1"
    )
    executor = BigQueryShimExecutor(context)
    with measured(STEP):
        shim_examples(executor, str(table.parent), table.name, str(output / "examples"))
    return 0


def _ours(schema_root: Path, port: int, output: Path) -> int:
    import grpc
    from google.cloud import bigquery_storage
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
    from tfx.types import standard_artifacts

    from pipeline.examples import encoding, writers
    from pipeline.examples.leakage import LeakageProbe
    from pipeline.settings.dataset import SPLITS
    from pipeline.settings.dataset_folder import DatasetFolder
    from pipeline.settings.run import BigQuerySettings
    from pipeline.warehouse.bigquery.engine import BigQueryWarehouse

    folder = DatasetFolder.load(schema_root / NAME)
    examples = standard_artifacts.Examples()
    examples.uri = str(output / "examples")
    settings = BigQuerySettings(
        engine="bigquery", project="my-project", location="US", source="my-project.shop", features_dataset="features"
    )
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)])
    read_client = bigquery_storage.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
    label = folder.dataset.columns.label
    columns = ["unit", label, *folder.features.names, "split"]
    payload_format, _ = writers.FORMATS["parquet"]
    with measured(STEP), BigQueryWarehouse(settings, folder.dataset.source, read_client=read_client) as warehouse:
        # Like ExampleGen's executor with an existing features table.
        probe = LeakageProbe(folder.features, label)
        schema = encoding.example_schema(columns[:-1], folder)
        with writers.open_splits(examples, SPLITS, schema, payload_format) as write:
            for batch in probe.watch(warehouse.read(SERVED_TABLE, columns)):
                for split, part in encoding.by_split(batch):
                    write[split](encoding.to_feature_lists(part, folder))
        probe.single_feature_auc()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
