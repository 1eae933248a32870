"""Measures each node of BeamDagRunner, in our pipeline and in the stock one."""

from __future__ import annotations

from benchmarks.speed.measure import measured
from runners import reporting_runner


class MeasuredNode(reporting_runner.ReportingBeamDagRunner._PIPELINE_NODE_DO_FN_CLS):
    """Runs one node as the project's runner does and records its cost."""

    def _run_node(self) -> None:
        with measured(self._node_id):
            super()._run_node()


def measure_components() -> None:
    """Makes all later runs of the project's runner in this process record the costs of their components."""
    reporting_runner.ReportingBeamDagRunner._PIPELINE_NODE_DO_FN_CLS = MeasuredNode
