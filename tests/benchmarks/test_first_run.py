import sys

import pytest

from benchmarks.first_run import Cost, RunError, enable_components, run, table


def test_components_are_enabled_and_notes_are_left():
    module = "  # TODO(step 5): Uncomment here\n  # components.append(a)\n    # components.append(b)\n  # query=c\n"
    enabled = "  # TODO(step 5): Uncomment here\n  components.append(a)\n    components.append(b)\n  # query=c\n"
    assert enable_components(module) == enabled


def test_a_template_without_components_to_enable_is_an_error():
    with pytest.raises(ValueError, match="differs in this release"):
        enable_components("components.append(a)\n")


def test_a_run_costs_time_and_memory_of_its_processes(tmp_path):
    program = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    cost = run([sys.executable, "-c", program], tmp_path)
    assert cost.wall_s >= 0.3 and cost.cpu_s >= 0.3 and cost.peak_mib > 1


def test_a_failed_run_shows_the_end_of_its_output(tmp_path):
    with pytest.raises(RunError, match=r"(?s)ended with 3:.*no such data"):
        run([sys.executable, "-c", "import sys; print('no such data'); sys.exit(3)"], tmp_path)


def test_the_table_shows_medians_and_every_run():
    costs = {"one": [Cost(10, 8, 900), Cost(30, 9, 900), Cost(11, 7, 1900)], "other": [Cost(5, 4, 1)]}
    first, second = table(costs).splitlines()[1:]
    assert first.split() == ["one", "11.0", "8.0", "900", "10.0,", "30.0,", "11.0"]
    assert second.split()[:2] == ["other", "5.0"]
