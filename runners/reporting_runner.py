"""BeamDagRunner that reports each node to a Console."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from apache_beam.options.pipeline_options import StandardOptions
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.beam import beam_dag_runner
from tfx.proto.orchestration import pipeline_pb2

from pipeline import cached_artifacts
from runners import failures
from runners.console import Console

_log = logging.getLogger("propensity")

# Module globals, because Beam pickles its functions: what they use in this process must be found by name.
_console: Console | None = None
_check: Callable[[], None] | None = None

# The full name: BeamDagRunner gives its outer pipeline no options, and from Beam 2.68 on "DirectRunner" is another
# program.
_ORCHESTRATING_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


class _ReportedNode(beam_dag_runner.PipelineNodeAsDoFn):
    """Runs one node and reports how long it took and whether it came from the cache."""

    def _run_node(self) -> None:
        if _console is None or _check is None:
            super()._run_node()
            return
        _check()
        with _console.component(self._node_id) as remarks:
            with metadata.Metadata(self._mlmd_connection_config) as handle:
                broken = cached_artifacts.withdraw_broken(handle.store, self._pipeline_info.id, self._node_id)
            for artifact in broken:
                _log.warning("%s lost files, so it is not used again", artifact.uri)
            super()._run_node()
            _check()
            with metadata.Metadata(self._mlmd_connection_config) as handle:
                newest = cached_artifacts.record_contents(handle.store, self._pipeline_info.id, self._node_id)
            if newest == metadata_store_pb2.Execution.CACHED:
                remarks.append("cached")


class ReportingBeamDagRunner(beam_dag_runner.BeamDagRunner):
    """BeamDagRunner whose nodes report to a Console.

    Attributes:
        uncached: ids of the nodes that are executed even if the cache has their outputs.
    """

    _PIPELINE_NODE_DO_FN_CLS = _ReportedNode
    uncached: Collection[str] = ()

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs a compiled pipeline."""
        for node in pipeline.nodes:
            if node.pipeline_node.node_info.id in self.uncached:
                node.pipeline_node.execution_options.caching_options.enable_cache = False
        super().run_with_ir(pipeline, run_options)


def run_reporting(
    pipeline: tfx_pipeline.Pipeline,
    console: Console,
    *,
    output: Path = Path(),
    check: Callable[[], None] = lambda: None,
    uncached: Collection[str] = (),
) -> str | None:
    """Runs a pipeline and reports to `console`.

    Args:
        pipeline: what to run.
        console: where to report.
        output: the folder that the pipeline writes to, for the message if its disk is full.
        check: called between nodes and after a failure; raises an exception if the run must end.
        uncached: ids of the nodes that are executed even if the cache has their outputs.

    Returns:
        The component that failed and why, or None.
    """
    try:
        with _reporting_to(console, check) as runner:
            runner.uncached = uncached
            runner.run(pipeline)
    except BaseException as error:
        check()  # Beam turns the exception of a signal into a RuntimeError
        if not isinstance(error, Exception):
            raise
        traceback.print_exception(error)
        node, cause = console.failure or ("the runner", error)
        return f"{node}: {failures.reason(cause, output)}"
    return None


@contextlib.contextmanager
def _reporting_to(console: Console, check: Callable[[], None]) -> Iterator[ReportingBeamDagRunner]:
    """A runner that reports to `console` while the context lasts."""
    global _console, _check
    default = StandardOptions.DEFAULT_RUNNER
    _console, _check, StandardOptions.DEFAULT_RUNNER = console, check, _ORCHESTRATING_RUNNER
    try:
        yield ReportingBeamDagRunner()
    finally:
        _console, _check, StandardOptions.DEFAULT_RUNNER = None, None, default
