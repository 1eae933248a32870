"""BeamDagRunner that tells a Console what happens, node by node."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator

from apache_beam.options.pipeline_options import StandardOptions
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.beam import beam_dag_runner

from runners.console import Console

_console: Console | None = None  # Beam pickles its functions, so that the one of this process is found by name

# Named in full: BeamDagRunner gives its outer pipeline no options, and "DirectRunner" is another program from Beam
# 2.68 on.
_ORCHESTRATING_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


class _ReportedNode(beam_dag_runner.PipelineNodeAsDoFn):
    """Runs one node, and reports its duration and whether it came from the cache."""

    def _run_node(self) -> None:
        if _console is None:
            super()._run_node()
            return
        with _console.component(self._node_id) as remarks:
            super()._run_node()
            if self._came_from_cache():
                remarks.append("cached")

    def _came_from_cache(self) -> bool:
        with metadata.Metadata(self._mlmd_connection_config) as handle:
            context = handle.store.get_context_by_type_and_name("node", f"{self._pipeline_info.id}.{self._node_id}")
            executions = handle.store.get_executions_by_context(context.id) if context else []
        newest = max(executions, key=lambda execution: execution.id, default=None)
        return newest is not None and newest.last_known_state == metadata_store_pb2.Execution.CACHED


class ReportingBeamDagRunner(beam_dag_runner.BeamDagRunner):
    """BeamDagRunner whose nodes report to a Console."""

    _PIPELINE_NODE_DO_FN_CLS = _ReportedNode


def run_reporting(pipeline: tfx_pipeline.Pipeline, console: Console) -> str | None:
    """Runs a pipeline and reports to `console`; returns the component that failed and why, or None."""
    try:
        with _reporting_to(console) as runner:
            runner.run(pipeline)
    except Exception as error:  # noqa: BLE001  (whatever a component raises ends the run, and is told)
        traceback.print_exception(error)
        node, cause = console.failure or ("the runner", error)
        return f"{node}: {cause}"
    return None


@contextlib.contextmanager
def _reporting_to(console: Console) -> Iterator[ReportingBeamDagRunner]:
    """A runner that reports to `console` as long as the context lasts."""
    global _console
    default = StandardOptions.DEFAULT_RUNNER
    _console, StandardOptions.DEFAULT_RUNNER = console, _ORCHESTRATING_RUNNER
    try:
        yield ReportingBeamDagRunner()
    finally:
        _console, StandardOptions.DEFAULT_RUNNER = None, default
