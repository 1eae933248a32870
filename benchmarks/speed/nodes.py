"""BeamDagRunner's nodes, measured: how the components of our pipeline and of the stock one are told apart."""

from __future__ import annotations

from benchmarks.speed.measure import measured
from runners import reporting_runner


class MeasuredNode(reporting_runner.ReportingBeamDagRunner._PIPELINE_NODE_DO_FN_CLS):
    """Runs one node as the project's runner does, and records what it cost."""

    def _run_node(self) -> None:
        with measured(self._node_id):
            super()._run_node()


def measure_components() -> None:
    """Has every later run of the project's runner in this process record its components' costs."""
    reporting_runner.ReportingBeamDagRunner._PIPELINE_NODE_DO_FN_CLS = MeasuredNode
