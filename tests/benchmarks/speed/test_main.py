import json
import sys
from pathlib import Path

import pytest

from benchmarks.speed import __main__ as program
from benchmarks.speed import runs
from benchmarks.speed.measure import Cost


def test_kinds_take_turns():
    assert program.plan(200_000, (50_000,), runs.KINDS, repeats=2) == [
        *(
            ("stock", 200_000, 0),
            ("ours", 200_000, 0),
            ("floor", 200_000, 0),
            ("ours", 50_000, 0),
            ("floor", 50_000, 0),
        ),
        *(
            ("stock", 200_000, 1),
            ("ours", 200_000, 1),
            ("floor", 200_000, 1),
            ("ours", 50_000, 1),
            ("floor", 50_000, 1),
        ),
    ]
    assert program.plan(200_000, (50_000,), ("stock",), repeats=1) == [("stock", 200_000, 0)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--rows", "many"], "'many' is not a number of rows; write 200000"),
        (["--rows", "100"], "100 rows are too few to train and evaluate models; at least 10000"),
        (["--sizes", "50000,x"], "'x' is not a number of rows"),
        (["--repeats", "0"], "'0' is not a number of repeats; write 1 or more"),
        (["--only", "theirs"], "invalid choice: 'theirs'"),
    ],
)
def test_bad_arguments_are_refused(capsys, arguments, told):
    with pytest.raises(SystemExit) as stopped:
        program.main(arguments)
    assert stopped.value.code == 2 and told in capsys.readouterr().err


class Programs(runs.Workshop):
    """A workshop whose programs are Python one-liners instead of the three."""

    scripts: dict[str, str] = {}  # noqa: RUF012  (set by each test)

    def _command(self, kind, rows, output):
        return [sys.executable, "-c", self.scripts[kind]]


@pytest.fixture
def workshop(tmp_path):
    return Programs(tmp_path)


RECORDS = (
    "import json, os; file = open(os.environ['SPEED_BENCHMARK_RECORD'], 'a');"
    "file.write(json.dumps(dict(name='keras', wall_s=1, cpu_s=2, peak_mib=300)) + chr(10)); file.close();"
)
FLOOR = RECORDS + "print(json.dumps({'keras': {'rows': 1000}}))"


def test_a_run_is_measured_and_kept(workshop):
    workshop.scripts = {"floor": FLOOR}
    run = workshop.run("floor", 5_000, 0)
    assert run.evaluated_rows == 1000 and run.steps == (Cost("keras", 1, 2, 300),) and run.peak_mib == 300
    assert run.wall_s > 0 and run.cpu_s > 0
    assert workshop.results() == [run]
    workshop.forget(("floor",))
    assert workshop.results() == []


def test_a_failed_run_ends_the_benchmark_with_its_log(workshop):
    workshop.scripts = {"ours": "import sys; sys.exit('no such column: age')"}
    with pytest.raises(
        runs.BenchmarkError, match=r"the ours run of 5,000 rows failed with exit code 1\n.*no such column"
    ):
        workshop.run("ours", 5_000, 0)
    assert workshop.results() == []


@pytest.mark.parametrize("kind", ["stock", "ours"])
def test_a_run_that_pushes_nothing_fails(workshop, kind):
    workshop.scripts = {kind: RECORDS}
    with pytest.raises(runs.BenchmarkError, match=f"the {kind} run pushed nothing"):
        workshop.run(kind, 5_000, 0)


def test_a_run_that_evaluates_nothing_fails(tmp_path):
    model = tmp_path / "output" / "benchmark" / "serving" / "1" / "saved_model.pb"
    model.parent.mkdir(parents=True)
    model.write_text("model")
    with pytest.raises(runs.BenchmarkError, match="the ours run evaluated nothing"):
        runs.evaluated_rows("ours", tmp_path)


def test_profiled_run_is_not_kept_for_comparison(workshop):
    workshop.scripts = {"floor": FLOOR}
    workshop.run("floor", 5_000, 0, profile=True)
    assert workshop.results() == []


def test_results_are_written_and_their_path_printed_last(tmp_path, monkeypatch, capsys):
    def run(self, kind, rows, repeat, **options):
        done = runs.Run(
            kind, rows, repeat, {"stock": 80, "ours": 10, "floor": 5}[kind], 1.0, 1000, (Cost("a", 1, 1, 9),)
        )
        place = self.place(kind, rows, repeat)
        place.mkdir(parents=True)
        (place / "run.json").write_text(json.dumps(runs.dataclasses.asdict(done)))
        return done

    monkeypatch.setattr(runs.Workshop, "run", run)
    assert program.main(["--rows", "20000", "--sizes", "10000", "--work", str(tmp_path)]) == 0
    path = capsys.readouterr().out.splitlines()[-1]
    document = json.loads(Path(path).read_text())
    assert document["rows"] == 20_000 and document["total"]["ratio_all"] == 8
    assert [entry["rows"] for entry in document["growth"]] == [10_000, 20_000]
    assert document["machine"]["cores"] >= 1 and document["versions"]["tfx"]
    assert "| TOTAL, all steps |" in (tmp_path / "tables.md").read_text()


def test_rerun_of_one_program_keeps_the_others_results(workshop):
    workshop.scripts = {"floor": FLOOR}
    workshop.run("floor", 5_000, 0)
    workshop.forget(("stock", "ours"))
    assert [run.kind for run in workshop.results()] == ["floor"]
