"""TFX's Transform with an executor that works in process where that is faster; see pipeline/fast/README.md."""

from __future__ import annotations

from typing import Any

from tfx import components as tfx_components
from tfx import types
from tfx.components.transform import executor
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_component_specs as specs

from pipeline.components import specification
from pipeline.fast.transform import step


class Executor(executor.Executor):
    """TFX's executor, or the same results without a Beam pipeline; pipeline/fast/placement.py decides."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Analyzes and transforms the examples; arguments and results are those of TFX's executor."""
        if not step.transform(input_dict, output_dict, exec_properties, self._beam_pipeline_args or []):
            super().Do(input_dict, output_dict, exec_properties)
        step.copy_format(input_dict[specs.EXAMPLES_KEY], output_dict.get(specs.TRANSFORMED_EXAMPLES_KEY, []))


class StockTransform(specification.Digested, tfx_components.Transform):
    """TFX's Transform with TFX's executor, for a dotted `preprocessing_fn`."""

    def modules_by_name(self) -> tuple[str, ...]:
        """The module of the `preprocessing_fn`."""
        return (specification.module_of(self.exec_properties[specs.PREPROCESSING_FN_KEY]),)


class Transform(StockTransform):
    """TFX's Transform with the executor above: the same inputs, outputs, parameters, results and files."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
