"""BigQueryExampleGen with TFX's own executor, for comparison: `example_gen: stock` in the run's settings.

It reads row by row through Beam's BigQuery source, takes no query parameters, and writes no report of its own. So the
runner makes and checks the features table beforehand, and each split has a query of literals on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.extensions.google_cloud_big_query.example_gen import executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from models.features import NOT_SET, Feature, Kind, Missing
from pipeline.components.example_gen import read_config, write_config
from pipeline.examples.data_summary import write_data_summary
from pipeline.settings.dataset import SPLITS
from pipeline.warehouse.extraction import Extraction
from pipeline.warehouse.interface import Query


@dataclasses.dataclass(frozen=True)
class StockInput:
    """What the stock executor reads.

    Attributes:
        queries: by split, BigQuery SQL without parameters.
        report: of the features table, as the checks found it.
    """

    queries: Mapping[str, str]
    report: Mapping[str, Any]

    def input_config(self) -> example_gen_pb2.Input:
        """The component's `input_config`."""
        splits = [example_gen_pb2.Input.Split(name=name, pattern=sql) for name, sql in self.queries.items()]
        return example_gen_pb2.Input(splits=splits)

    def custom_config(self) -> example_gen_pb2.CustomConfig:
        """The component's `custom_config`: the report."""
        return write_config({"report": dict(self.report)})


def split_queries(extraction: Extraction) -> dict[str, Query]:
    """For each split the SELECT on the features table that gives the examples our executor would write.

    The stock executor takes INT64, FLOAT64, BOOL and STRING columns only: dates become text, and numbers FLOAT64, which
    it writes as floats.
    """
    columns = extraction.folder.dataset.columns
    selected = ["t.unit AS unit"]
    if columns.date:
        selected.append(f"FORMAT_DATE('%F', t.{columns.date}) AS {columns.date}")
    selected.append(f"t.{columns.label} AS {columns.label}")
    selected += [f"{_value(feature)} AS {feature.name}" for feature in extraction.folder.features.features]
    return {
        split: Query(f"SELECT {', '.join(selected)} FROM `{extraction.table}` AS t WHERE t.split = '{split}'")
        for split in SPLITS
    }


def _value(feature: Feature) -> str:
    column = f"t.{feature.name}"
    if feature.kind is Kind.CATEGORICAL:
        return f"COALESCE({column}, '{NOT_SET}')" if feature.slice else column
    number = f"CAST({column} AS FLOAT64)"
    number = f"IF(IS_NAN({number}), NULL, {number})"
    return f"COALESCE({number}, 0.0)" if feature.missing is Missing.ZERO else number


class Executor(executor.Executor):
    """TFX's executor; afterwards the report is put beside the splits, where the Trainer looks for it."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX's; see there."""
        properties = dict(exec_properties)
        # What the stock executor would take for options of Beam's BigQuery source.
        document = read_config(properties.pop(standard_component_specs.CUSTOM_CONFIG_KEY))
        super().Do(input_dict, output_dict, properties)
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        write_data_summary(examples, document["report"])
