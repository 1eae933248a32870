"""BigQueryExampleGen's executor: makes the features table in the warehouse and writes it as Examples, batch by batch.

TFX's own executor converts row by row through Python dicts and hashes whole rows into splits. This one keeps the
component (driver, artifact layout, properties) and reads Arrow record batches from either engine; the split is a column
which the SQL computed. The component's own properties say in which format the examples are written. What may differ
from run to run is properties of their own, so that one compiled pipeline serves them all.
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
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, component_spec, standard_artifacts, standard_component_specs

from models.config import validate_settings
from pipeline.examples import encoding, writers
from pipeline.examples.data_summary import write_data_summary
from pipeline.examples.leakage import LeakageProbe, leakage_warnings
from pipeline.fast.compat import example_gen_utils, proto_utils
from pipeline.settings.dataset import SPLITS
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import RunParameters
from pipeline.warehouse.extraction import Extraction, make_features_table, resolve, summary_document
from pipeline.warehouse.opening import open_warehouse

_progress = logging.getLogger("propensity.progress")

_RUN_PROPERTIES = ("as_of", "sample_percent", "data_fingerprint")


def custom_config(folder: DatasetFolder, run: RunSettings, *, digest: str) -> example_gen_pb2.CustomConfig:
    """What the executor needs, as the component's `custom_config`.

    Args:
        folder: the data set.
        run: the engine and where its data is.
        digest: of the code that reads them; changes the cache key when it changes.
    """
    document = {
        "folder": folder.to_config(),
        "run": run.model_dump(mode="json", include={"warehouse", "data"}, exclude_none=True),
        "digest": digest,
    }
    return write_config(document)


def write_config(document: dict[str, Any]) -> example_gen_pb2.CustomConfig:
    """JSON-ready data as a component's `custom_config`; text, since a Struct would turn integers into floats."""
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


class BigQueryExampleGenSpec(standard_component_specs.QueryBasedExampleGenSpec):
    """TFX's specification of BigQueryExampleGen, and what may differ from run to run."""

    PARAMETERS = {  # noqa: RUF012  (TFX reads a plain dict)
        **standard_component_specs.QueryBasedExampleGenSpec.PARAMETERS,
        "as_of": component_spec.ExecutionParameter(type=str),
        "sample_percent": component_spec.ExecutionParameter(type=int),
        "data_fingerprint": component_spec.ExecutionParameter(type=str),
    }


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
            exec_properties: those of BigQueryExampleGenSpec; `custom_config` as made by `custom_config`, the formats
                a pair of writers.FORMATS.

        Raises:
            SettingsError: the settings cannot be used.
            WarehouseError: the query, its columns or its rows are not fit.
            After an error no file is left behind.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        document = read_config(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        given = {name: exec_properties[name] for name in _RUN_PROPERTIES}
        parameters = validate_settings(given, RunParameters, origin="runtime parameters")
        folder = DatasetFolder.from_config(document["folder"]).up_to(parameters.as_of)
        run = validate_settings(document["run"], RunSettings, origin="custom_config")
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])

        with open_warehouse(run, folder.dataset) as warehouse:
            extraction = resolve(warehouse, folder, parameters.sample_percent)
            report = make_features_table(warehouse, extraction)
            probe = LeakageProbe(folder.features, folder.dataset.columns.label)
            batches = probe.watch(_with_progress(warehouse.read(extraction.table, extraction.example_columns)))
            payload_format = exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY]
            rows = _write_splits(examples, batches, extraction, payload_format)
        aucs = probe.single_feature_auc()
        document = summary_document(extraction, report, leakage_warnings(aucs))
        write_data_summary(examples, {**document, "single_feature_auc": aucs})
        _progress.info("%s rows: %s", f"{sum(rows.values()):,}", ", ".join(f"{k} {v:,}" for k, v in rows.items()))


class BigQueryExampleGen(base_component.BaseComponent):
    """TFX's BigQueryExampleGen, whose rows are those that a data set's query gives.

    Outputs:
        examples: an Examples artifact with the splits train, eval and test, and `data_report.json` beside them.
    """

    SPEC_CLASS = BigQueryExampleGenSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = driver.QueryBasedDriver

    def __init__(
        self,
        *,
        query: str,
        custom_config: example_gen_pb2.CustomConfig,
        example_format: str = "parquet",
        as_of: str | RuntimeParameter,
        sample_percent: int | RuntimeParameter,
        data_fingerprint: str | RuntimeParameter,
    ):
        """Builds the component.

        Args:
            query: the data set's query.sql, for people; the executor has it from `custom_config`.
            custom_config: custom_config's.
            example_format: of the files, `parquet` or `tfrecord`.
            as_of: as in RunParameters.
            sample_percent: likewise.
            data_fingerprint: likewise.
        """
        input_config = example_gen_utils.make_default_input_config(query)
        payload_format, file_format = writers.FORMATS[example_format]
        super().__init__(
            BigQueryExampleGenSpec(
                input_config=input_config,
                output_config=example_gen_utils.make_default_output_config(input_config),
                output_data_format=payload_format,
                output_file_format=file_format,
                custom_config=custom_config,
                as_of=as_of,
                sample_percent=sample_percent,
                data_fingerprint=data_fingerprint,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )


def _with_progress(batches: Iterator[pa.RecordBatch], every_rows: int = 250_000) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in batches:
        if rows // every_rows != (rows + batch.num_rows) // every_rows:
            _progress.info("%s rows read", f"{rows + batch.num_rows:,}")
        rows += batch.num_rows
        yield batch


def _write_splits(
    examples: types.Artifact, batches: Iterator[pa.RecordBatch], extraction: Extraction, payload_format: int
) -> dict[str, int]:
    """Writes each batch's rows to the files of their splits; returns rows by split."""
    columns = [name for name in extraction.example_columns if name != "split"]
    schema = encoding.example_schema(columns, extraction.folder)
    rows = dict.fromkeys(SPLITS, 0)
    with writers.open_splits(examples, SPLITS, schema, payload_format) as write:
        for batch in batches:
            for split, part in encoding.by_split(batch):
                write[split](encoding.to_feature_lists(part, extraction.folder))
                rows[split] += part.num_rows
    return rows
