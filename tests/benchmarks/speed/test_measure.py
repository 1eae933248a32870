import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from benchmarks.speed import flame, measure
from benchmarks.speed.flame_graph import flame_graph


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setenv(measure.RECORD, str(tmp_path / "steps.jsonl"))
    monkeypatch.delenv(measure.PROFILE, raising=False)
    return tmp_path / "steps.jsonl"


def burn(seconds=0.3):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_wall_and_cpu_time(record):
    with measure.measured("sleeps"):
        time.sleep(0.3)
    with measure.measured("works"):
        burn()
    sleeps, works = measure.read_costs(record)
    assert (sleeps.name, works.name) == ("sleeps", "works")
    assert sleeps.wall_s >= 0.3 and sleeps.cpu_s < 0.2
    assert works.cpu_s >= 0.25


def test_children_count(record):
    script = "import time; b = b'x' * 300_000_000; t = time.process_time()\nwhile time.process_time() - t < 1: pass"
    with measure.measured("starts a child"):
        subprocess.run([sys.executable, "-c", script], check=True)
    [cost] = measure.read_costs(record)
    assert cost.cpu_s > 0.9 and cost.peak_mib > 300


def test_peak_is_the_steps_own(record):
    with measure.measured("large"):
        np.ones(50_000_000)  # 400 MB, freed at once
    with measure.measured("small"):
        np.ones(10)
    large, small = measure.read_costs(record)
    assert large.peak_mib > small.peak_mib + 300


def test_a_step_that_raises_is_not_recorded(record):
    with pytest.raises(ValueError, match="broken"), measure.measured("step"):
        raise ValueError("broken")
    assert measure.read_costs(record) == []


def test_profile_shows_what_works_and_not_what_waits(record, tmp_path, monkeypatch):
    monkeypatch.setenv(measure.PROFILE, str(tmp_path / "flames"))
    waiting = threading.Event()
    thread = threading.Thread(target=waiting.wait)
    thread.start()
    with measure.measured("step"):
        burn(0.5)
    waiting.set()
    thread.join()
    table = (tmp_path / "flames" / "step.txt").read_text()
    assert "burn" in table and "Event.wait" not in table
    assert ";" in (tmp_path / "flames" / "step.folded").read_text()
    assert "burn" in (tmp_path / "flames" / "step.svg").read_text()


def test_table_counts_a_recursive_function_once():
    table = flame.table(flame.Stacks({("m.a", "m.b", "m.a"): 100}))
    assert any(line.split() == ["1.00", "1.00", "m.a"] for line in table.splitlines())


def test_flame_graph_widths_are_shares_of_time():
    svg = flame_graph({("m.a", "m.<b>"): 75, ("m.a",): 25}, "step", 0.01)
    assert 'width="1200.0"' in svg and 'width="900.0"' in svg
    assert "<title>m.&lt;b&gt;: 0.75 s</title>" in svg


def test_flame_graph_of_nothing_is_empty():
    assert "<rect" not in flame_graph({}, "step", 0.01)


def test_flame_graph_of_a_deep_stack_is_cut():
    svg = flame_graph({tuple(f"f{i}" for i in range(3_000)): 10}, "step", 0.01)
    assert "<title>f50: 0.10 s</title>" in svg and "<title>f2000:" not in svg
