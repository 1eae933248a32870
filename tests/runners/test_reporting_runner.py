"""How a pipeline ends: signals and errors inside a component, by way of Beam, and nodes that skip the cache."""

import os
import signal

import pytest
from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import pipeline as tfx_pipeline

from runners.guard import run_guarded
from runners.local_home import LocalHome
from runners.reporting_runner import run_reporting
from tests.support import states


@component
def Act(what: Parameter[str]):
    """Does what it is told."""
    if what == "disk full":
        raise OSError(28, "No space left on device")
    if what == "no reason":
        raise ValueError
    if what.isdigit():
        os.kill(os.getpid(), int(what))


@pytest.fixture
def home(tmp_path):
    found = LocalHome(tmp_path / "out #1 %20", "small")
    found.check_writable()
    return found


@pytest.fixture
def run(home, capfd):
    """Runs a pipeline of one component; returns the exit code and what was shown."""

    def run_component(what, **more):
        def body(command):
            pipeline = tfx_pipeline.Pipeline(
                pipeline_name="small",
                pipeline_root=home.artifacts,
                components=[Act(what=what)],
                enable_cache=True,
                metadata_connection_config=home.connection(),
            )
            failure = run_reporting(pipeline, command.terminal, output=home.folder, check=command.check, **more)
            return command.failed(failure) if failure else 0

        code = run_guarded(home, "a run", verbose=False, body=body)
        return code, capfd.readouterr().out

    return run_component


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_no_failure_of_the_component(run, number, code):
    returned, shown = run(str(int(number)))
    assert returned == code
    assert f"STOPPED in Act: interrupted by {number.name}. Nothing was pushed. Run again to go on" in shown
    assert "FAILED" not in shown


def test_a_full_disk_is_one_line(run, home):
    returned, shown = run("disk full")
    assert returned == 1
    assert "FAILED in Act: no space left on the disk of " in shown
    assert "Traceback" not in shown


def test_an_error_without_a_text_has_its_type_as_reason(run):
    assert "FAILED in Act: ValueError\n" in run("no reason")[1]


def test_a_node_is_executed_again_if_it_must_be(run, home):
    for more in ({}, {}, {"uncached": ["Act"]}):
        assert run("nothing", **more)[0] == 0
    assert [nodes["Act"] for nodes in states(home.folder)] == ["COMPLETE", "CACHED", "COMPLETE"]
