"""BigQueryExampleGen with TFX's own executor, for comparison: `example_gen: stock` in the run's settings.

TFX's executor reads row by row through Beam's BigQuery source. It takes no query parameters and writes no data summary.
So the runner makes and checks the features table beforehand, and each split has a query without parameters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import executor_spec
from tfx.extensions.google_cloud_big_query.example_gen import component, executor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs

from models.features import NOT_SET, Feature, Kind, Missing
from pipeline.components import specification
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
        report: the data summary of the features table.
    """

    queries: Mapping[str, str]
    report: Mapping[str, Any]

    def input_config(self) -> example_gen_pb2.Input:
        """The component's `input_config`."""
        splits = [example_gen_pb2.Input.Split(name=name, pattern=sql) for name, sql in self.queries.items()]
        return example_gen_pb2.Input(splits=splits)

    def custom_config(self) -> example_gen_pb2.CustomConfig:
        """The component's `custom_config`: the data summary."""
        return write_config({"report": dict(self.report)})


def split_queries(extraction: Extraction) -> dict[str, Query]:
    """For each split, the SELECT on the features table whose rows are the examples that our executor would write.

    The stock executor only takes INT64, FLOAT64, BOOL and STRING columns. So dates become text, and numbers become
    FLOAT64, which it writes as floats.
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
    """TFX's executor. It then puts the data summary beside the splits, where later components read it."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Arguments as TFX's."""
        properties = dict(exec_properties)
        # TFX's executor would pass this on as options of Beam's BigQuery source.
        document = read_config(properties.pop(standard_component_specs.CUSTOM_CONFIG_KEY))
        super().Do(input_dict, output_dict, properties)
        examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        write_data_summary(examples, document["report"])


class StockBigQueryExampleGen(specification.Digested, component.BigQueryExampleGen):
    """TFX's BigQueryExampleGen with the executor above."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, stock: StockInput):
        """Builds the component for the queries of `stock`."""
        super().__init__(input_config=stock.input_config(), custom_config=stock.custom_config())
