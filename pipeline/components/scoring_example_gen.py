"""BigQueryExampleGen of a scoring run: the rows of the snapshots to score, with their key and without a label."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.example_gen import driver
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_component_specs

from models.config import validate_settings
from pipeline.components import specification
from pipeline.components.example_gen import custom_config, read_config, read_rows, write_splits
from pipeline.examples import writers
from pipeline.examples.data_summary import write_data_summary
from pipeline.fast.compat import example_gen_utils
from pipeline.settings.dataset import RowSettings
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import RunSettings
from pipeline.settings.run_parameters import ScoringParameters
from pipeline.warehouse.extraction import make_features_table, resolve_scoring, summary_document
from pipeline.warehouse.opening import open_warehouse

_RUN_PROPERTIES = ("as_of", "first_date", "last_date", "data_fingerprint")


class Executor(base_executor.BaseExecutor):
    """Reads the features table of the snapshots and writes its rows as the split `score`."""

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
            exec_properties: ScoringExampleGen's parameters.

        Raises:
            SettingsError: the settings cannot be used, or the days are not settled.
            WarehouseError: the query, its columns or its rows cannot be used. No file is left behind.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        document = read_config(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        given = {name: exec_properties[name] for name in _RUN_PROPERTIES}
        parameters = validate_settings(given, ScoringParameters, origin="runtime parameters")
        folder = DatasetFolder.from_config(document["folder"], RowSettings).up_to(parameters.as_of)
        run = validate_settings(document["run"], RunSettings, origin="custom_config")
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])

        with open_warehouse(run, folder.dataset) as warehouse:
            extraction = resolve_scoring(warehouse, folder, *parameters.period)
            summary = make_features_table(warehouse, extraction)
            payload_format = exec_properties[standard_component_specs.OUTPUT_DATA_FORMAT_KEY]
            write_splits(examples, read_rows(warehouse, extraction), extraction, payload_format)
        write_data_summary(examples, summary_document(extraction, summary))


class ScoringExampleGen(
    specification.Component,
    executor=Executor,
    extends=standard_component_specs.QueryBasedExampleGenSpec,
    parameters={name: str for name in _RUN_PROPERTIES},
):
    """BigQueryExampleGen for the rows to score.

    Parameters:
        as_of, first_date, last_date, data_fingerprint: those of ScoringParameters, which may differ from run to run.
        The others are TFX's.

    Outputs:
        examples: Examples with the split `score`, and `data_report.json` beside it. Each row has the key, if the data
            set has one; no row has a label.
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
            run_parameters: `as_of`, `first_date`, `last_date` and `data_fingerprint`, or RuntimeParameters for them.
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
