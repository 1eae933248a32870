"""BigQueryExampleGen: makes the features table in the warehouse and writes its rows as Examples, batch by batch.

TFX's executor converts each row through Python dicts and hashes whole rows into splits. This executor reads Arrow
record batches from either engine, and the split is a column that the SQL computes. Driver, artifact layout and
properties are TFX's. Values that differ from run to run are separate properties, so one compiled pipeline serves all
runs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from google.protobuf import json_format, struct_pb2
from tfx import types
from tfx.components.example_gen import driver
from tfx.dsl.components.base import base_executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from models.config import validate_settings
from pipeline.components import specification
from pipeline.examples import encoding, writers
from pipeline.examples.data_summary import write_data_summary
from pipeline.examples.leakage import LeakageProbe, leakage_warnings
from pipeline.fast.compat import example_gen_utils, proto_utils
from pipeline.settings.dataset import RowSettings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters
from pipeline.warehouse.extraction import Extraction, make_features_table, resolve, summary_document
from pipeline.warehouse.interface import Warehouse
from pipeline.warehouse.opening import open_warehouse

_progress = logging.getLogger("propensity.progress")

_PROGRESS_ROWS = 250_000  # rows between two lines of progress
_RUN_PROPERTIES = ("as_of", "sample_percent", "data_fingerprint")


def custom_config(folder: DatasetFolder, run: RunSettings) -> example_gen_pb2.CustomConfig:
    """What the executor needs of the data set and the run's settings, as the component's `custom_config`.

    A setting that is not in it can change without another query, for example the gate's margin.
    """
    return write_config(
        {"folder": folder.to_config(RowSettings), "run": run.model_dump(mode="json", include={"warehouse", "data"})}
    )


def write_config(document: dict[str, Any]) -> example_gen_pb2.CustomConfig:
    """JSON-ready data as a component's `custom_config`: text, since a Struct turns integers into floats."""
    struct = struct_pb2.Struct()
    struct.update({"json": json.dumps(document, sort_keys=True)})
    config = example_gen_pb2.CustomConfig()
    config.custom_config.Pack(struct)
    return config


def read_config(text: str) -> dict[str, Any]:
    """The inverse of write_config, from the execution property."""
    config = example_gen_pb2.CustomConfig()
    proto_utils.json_to_proto(text, config)
    struct = struct_pb2.Struct()
    config.custom_config.Unpack(struct)
    return json.loads(json_format.MessageToDict(struct)["json"])


def read_rows(warehouse: Warehouse, extraction: Extraction) -> Iterator[pa.RecordBatch]:
    """The rows of the features table, with progress in the terminal."""
    rows = 0
    for batch in warehouse.read(extraction.table, extraction.example_columns):
        if rows // _PROGRESS_ROWS != (rows + batch.num_rows) // _PROGRESS_ROWS:
            _progress.info("%s rows read", f"{rows + batch.num_rows:,}")
        rows += batch.num_rows
        yield batch


def write_splits(
    examples: types.Artifact, batches: Iterator[pa.RecordBatch], extraction: Extraction, payload_format: int
) -> None:
    """Writes each batch's rows to the files of their splits."""
    columns = [name for name in extraction.example_columns if name != "split"]
    schema = encoding.example_schema(columns, extraction.folder, key_is_integer=extraction.key_type == "INT64")
    rows = dict.fromkeys(extraction.splits, 0)
    with writers.open_splits(examples, extraction.splits, schema, payload_format) as write:
        for batch in batches:
            for split, part in encoding.by_split(batch, extraction.splits):
                write[split](encoding.to_feature_lists(part, extraction.folder))
                rows[split] += part.num_rows
    _progress.info("%s rows: %s", f"{sum(rows.values()):,}", ", ".join(f"{k} {v:,}" for k, v in rows.items()))


class Executor(base_executor.BaseExecutor):
    """Reads the features table and writes the examples of each split: Parquet, or gzip TFRecords of tf.Examples."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the query and writes its rows.

        Args:
            input_dict: empty.
            output_dict: `examples`: one Examples artifact.
            exec_properties: BigQueryExampleGen's parameters; `custom_config` as made by `custom_config`, the formats
                a pair of writers.FORMATS.

        Raises:
            SettingsError: the settings cannot be used.
            WarehouseError: the query, its columns or its rows cannot be used. No file is left behind.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        document = read_config(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        given = {name: exec_properties[name] for name in _RUN_PROPERTIES}
        parameters = validate_settings(given, RunParameters, origin="runtime parameters")
        folder = DatasetFolder.from_config(document["folder"], RowSettings).up_to(parameters.as_of)
        run = validate_settings(document["run"], RunSettings, origin="custom_config")
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])

        with open_warehouse(run, folder.dataset) as warehouse:
            extraction = resolve(warehouse, folder, parameters.sample_percent)
            report = make_features_table(warehouse, extraction)
            probe = LeakageProbe(folder.features, folder.dataset.columns.label)
            batches = probe.watch(read_rows(warehouse, extraction))
            payload_format = exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY]
            write_splits(examples, batches, extraction, payload_format)
        aucs = probe.single_feature_auc()
        document = summary_document(extraction, report, leakage_warnings(aucs))
        write_data_summary(examples, {**document, "single_feature_auc": aucs})


class BigQueryExampleGen(
    specification.Component,
    executor=Executor,
    extends=standard_component_specs.QueryBasedExampleGenSpec,
    parameters={"as_of": str, "sample_percent": int, "data_fingerprint": str},
):
    """TFX's BigQueryExampleGen for the rows of a data set's query.

    Parameters:
        as_of, sample_percent, data_fingerprint: those of RunParameters, which may differ from run to run.
        The others are TFX's.

    Outputs:
        examples: Examples with the splits train, eval and test, and `data_report.json` beside them.
    """

    DRIVER_CLASS = driver.QueryBasedDriver

    def __init__(
        self, *, folder: DatasetFolder, run: RunSettings, example_format: str = "parquet", **run_parameters: Any
    ):
        """Builds the component.

        Args:
            folder: the data set.
            run: the engine, and where its data is.
            example_format: of the files, `parquet` or `tfrecord`.
            run_parameters: `as_of`, `sample_percent` and `data_fingerprint`, or RuntimeParameters for them.
        """
        input_config = example_gen_utils.make_default_input_config(folder.query)
        payload_format, file_format = writers.FORMATS[example_format]
        super().__init__(
            input_config=input_config,
            output_config=example_gen_utils.make_default_output_config(input_config),
            output_data_format=payload_format,
            output_file_format=file_format,
            custom_config=custom_config(folder, run),
            **run_parameters,
        )
