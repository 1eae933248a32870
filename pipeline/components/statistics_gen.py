"""TFX's StatisticsGen with an executor that computes in process where that is faster; see pipeline/fast/README.md."""

from __future__ import annotations

from typing import Any

from tfx import types
from tfx.components.statistics_gen import component, executor
from tfx.dsl.components.base import executor_spec

from pipeline.components import specification
from pipeline.fast.statistics import step


class Executor(executor.Executor):
    """TFX's executor, or the same statistics without a Beam pipeline; pipeline/fast/placement.py decides."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Computes the statistics; arguments and results are those of TFX's executor."""
        if not step.compute(input_dict, output_dict, exec_properties, self._beam_pipeline_args or []):
            super().Do(input_dict, output_dict, exec_properties)


class StatisticsGen(specification.Digested, component.StatisticsGen):
    """TFX's StatisticsGen with the executor above: the same inputs, outputs, parameters, results and files."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)


class StockStatisticsGen(specification.Digested, component.StatisticsGen):
    """TFX's StatisticsGen with TFX's executor."""
